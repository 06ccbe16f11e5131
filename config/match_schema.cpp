// SPDX-License-Identifier: PostgreSQL
//
// Which clients of its bind a listener takes, by the parameters of their first packet.
#include "config/quote.hpp"
#include "config/schema.hpp"

#include <algorithm>

namespace rolegate::config
{
namespace
{

constexpr std::string_view what = "a word such as app, or a list such as [app, 'report_*']";

void read_word(yaml_reader& in, const yaml_node& node, std::vector<std::string>& out)
{
    const auto text = in.scalar(node, what);
    if (!text)
        return;
    if (text->empty())
        return in.fail(node, std::string("expected ").append(what).append(", got nothing"));
    // A star is special at the end only: in the middle it would look like more than it is.
    if (text->find('*') < text->size() - 1)
        return in.fail(node, "'*' may only stand at the end, got " + quoted(*text));
    if (std::ranges::find(out, *text) != out.end())
        return in.fail(node, "duplicate " + quoted(*text));
    out.push_back(*text);
}

void read_words(yaml_reader& in, const yaml_node& node, std::vector<std::string>& out)
{
    if (node.kind != yaml_kind::sequence)
        return read_word(in, node, out);
    in.list(node, what, [&](const yaml_node& item) { read_word(in, item, out); });
    if (node.children.empty())
        in.fail(node, "an empty list would match nobody");
}

} // namespace

void read_match(yaml_reader& in, const yaml_node& node, std::vector<startup_condition>& out)
{
    const auto read = [&](const yaml_node& v)
    {
        startup_condition condition{v.key, {}};
        read_words(in, v, condition.words);
        if (!condition.words.empty())
            out.push_back(std::move(condition));
    };
    in.entries(node, "parameter", read);
    // Without `match` it takes everybody; whoever writes it down means some.
    if (node.kind == yaml_kind::map && node.children.empty())
        in.fail(node, "expected parameters such as {database: app}, got none");
}

} // namespace rolegate::config
