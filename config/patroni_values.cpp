// SPDX-License-Identifier: PostgreSQL
#include "config/patroni_values.hpp"

#include "config/text_file.hpp"

#include <algorithm>
#include <filesystem>
#include <ranges>
#include <system_error>

namespace rolegate::config
{
namespace
{

namespace fs = std::filesystem;

// The last one of a name, as Python's YAML has it.
const yaml_node* last_child(const yaml_node& map, std::string_view name)
{
    const yaml_node* out = nullptr;
    for (const yaml_node& child : map.children)
    {
        if (map.kind == yaml_kind::map && child.key == name)
            out = &child;
    }
    return out;
}

std::string variable_name(std::string_view section, std::string_view key)
{
    std::string out = "PATRONI_";
    if (!section.empty())
        out.append(section).append("_");
    out.append(key);
    for (char& c : out)
        c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    return out;
}

std::vector<std::string> files_of(const std::string& folder, std::error_code& error)
{
    std::vector<std::string> out;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    {
        const std::string name = it->path().filename().string();
        std::error_code ignored;
        if ((name.ends_with(".yml") || name.ends_with(".yaml")) && it->is_regular_file(ignored))
            out.push_back(it->path().string());
    }
    std::ranges::sort(out);
    return out;
}

} // namespace

bool patroni_values::load(const std::string& path)
{
    path_ = path;
    std::error_code error;
    if (!fs::is_directory(path, error))
        return load_one(path);

    const std::vector<std::string> files = files_of(path, error);
    if (error)
        problems_.push_back({path, 0, 0, "cannot read: " + error.message()});
    else if (files.empty())
        problems_.push_back({path, 0, 0, "no file *.yml or *.yaml in this folder"});
    bool sound = !files.empty() && !error;
    for (const std::string& file : files)
        sound = load_one(file) && sound;
    return sound;
}

bool patroni_values::load_one(const std::string& file)
{
    const auto refuse = [&](place at, std::string text)
    {
        problems_.push_back({file, at.line, at.column, std::move(text)});
        return false;
    };
    const file_text text = read_text_file(file);
    if (!text.value)
        return refuse({}, text.error);
    if (text.value->size() > max_file_bytes)
        return refuse({}, "larger than 1MB");

    yaml_document parsed = parse_yaml(*text.value);
    if (!parsed.root)
        return refuse(parsed.problems.back().at, parsed.problems.back().text);
    if (parsed.root->kind != yaml_kind::map && parsed.root->kind != yaml_kind::null)
        return refuse(parsed.root->at, "expected a map, as Patroni's configuration is one");
    // No place in an empty file is to blame for what it lacks.
    if (parsed.root->kind == yaml_kind::null)
        parsed.root->at = {};
    documents_.push_back({file, std::move(*parsed.root), std::move(parsed.problems)});
    return true;
}

patroni_value patroni_values::whole() const
{
    if (documents_.size() == 1 && documents_.front().file == path_)
        return {path_, documents_.front().root.at, nullptr, {}};
    return {path_, {}, nullptr, {}};
}

void patroni_values::fail(const patroni_value& at, std::string text)
{
    problem p{at.source, at.at.line, at.at.column, std::move(text)};
    if (std::ranges::find(problems_, p) == problems_.end())
        problems_.push_back(std::move(p));
}

// An alias or a tag was noted while parsing, but matters only where a value is wanted. "<<" would
// bring in keys that nobody sees.
bool patroni_values::is_usable(const document& in, const yaml_node& node)
{
    const yaml_node* const merged = last_child(node, "<<");
    const yaml_node& bad = merged == nullptr ? node : *merged;
    if (bad.kind != yaml_kind::refused)
        return true;
    const auto noted = std::ranges::find(in.problems, bad.at, &yaml_problem::at);
    if (noted != in.problems.end())
        fail({in.file, noted->at, &bad, {}}, noted->text);
    return false;
}

std::optional<patroni_value> patroni_values::value_of(const document& in, const yaml_node& node)
{
    if (node.kind == yaml_kind::null || !is_usable(in, node))
        return std::nullopt;
    const place at = node.kind == yaml_kind::scalar ? node.at : node.heading();
    return patroni_value{in.file, at, &node, node.text};
}

std::optional<patroni_value> patroni_values::find_section(std::string_view name)
{
    for (const document& in : documents_ | std::views::reverse)
    {
        if (!is_usable(in, in.root))
            return std::nullopt;
        if (const yaml_node* const node = last_child(in.root, name))
            return value_of(in, *node);
    }
    return std::nullopt;
}

std::optional<patroni_value>
patroni_values::find_in_files(std::string_view section, std::string_view key)
{
    for (const document& in : documents_ | std::views::reverse)
    {
        const yaml_node* const map = last_child(in.root, section);
        if (map == nullptr)
            continue;
        // No map hides what earlier files say.
        if (!is_usable(in, *map) || map->kind != yaml_kind::map)
            return std::nullopt;
        if (const yaml_node* const node = last_child(*map, key))
            return value_of(in, *node);
    }
    return std::nullopt;
}

std::optional<patroni_value> patroni_values::find(std::string_view section, std::string_view key)
{
    const std::string variable = variable_name(section, key);
    if (auto value = env_(variable); value && !value->empty())
        return patroni_value{variable, {}, nullptr, std::move(*value)};
    return section.empty() ? find_section(key) : find_in_files(section, key);
}

std::optional<patroni_value>
patroni_values::find_text(std::string_view section, std::string_view key)
{
    auto value = find(section, key);
    if (value && value->node != nullptr && value->node->kind != yaml_kind::scalar)
    {
        value->at = value->node->at;
        fail(
            *value,
            value->node->kind == yaml_kind::map ? "expected text, got a map"
                                                : "expected text, got a list"
        );
        return std::nullopt;
    }
    return value && value->text.empty() ? std::nullopt : value;
}

std::string patroni_values::text_or_empty(std::string_view section, std::string_view key)
{
    auto value = find_text(section, key);
    return value ? std::move(value->text) : std::string();
}

} // namespace rolegate::config
