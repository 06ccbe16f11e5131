// SPDX-License-Identifier: PostgreSQL
#include "config/secret_keys.hpp"

#include "config/quote.hpp"
#include "config/text_file.hpp"

namespace rolegate::config
{

void read_secret_file(yaml_reader& in, const yaml_node& node, std::string& out)
{
    std::string path;
    in.text(node, path);
    if (path.empty())
        return;
    file_text line = read_first_line(path);
    if (!line.value)
        return in.fail(node, std::move(line.error));
    out = std::move(*line.value);
}

void settle_secret(
    yaml_reader& in,
    const yaml_node& section,
    const std::string& key,
    std::string& out,
    const std::string& of_file
)
{
    if (of_file.empty())
        return;
    const yaml_node* const file = section.find(key + "_file");
    if (!out.empty() && file != nullptr)
        return in.fail(
            *file, file->key_at, quoted(file->key) + " cannot stand beside " + quoted(key)
        );
    out = of_file;
}

bool was_refused(const yaml_reader& in, const yaml_node& section, std::string_view key)
{
    const yaml_node* const node = section.find(key);
    return node != nullptr && in.failed(*node);
}

} // namespace rolegate::config
