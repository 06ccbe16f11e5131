// SPDX-License-Identifier: PostgreSQL
#include "config/yaml_tree.hpp"

#include "config/quote.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

namespace rolegate::config
{
namespace
{

// The deepest legal value stands five levels down. yaml-cpp recurses per level, and so does the
// destructor of the tree; the limit keeps both far from the end of the stack.
constexpr std::size_t max_depth = 32;

place place_of(const YAML::Mark& mark)
{
    return mark.is_null() ? place{} : place{mark.line + 1, mark.column + 1};
}

// Builds the tree from yaml-cpp's events. Throws YAML::ParserException, as yaml-cpp itself does,
// where nothing sensible can follow.
class tree_builder final : public YAML::EventHandler
{
public:
    explicit tree_builder(std::vector<yaml_problem>& problems) : problems_(problems) {}

    yaml_node take_root() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override
    {
        if (documents_++ > 0)
            throw YAML::ParserException(mark, "only one document may stand in the file");
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t) override
    {
        add(make(yaml_kind::null, mark), mark);
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override
    {
        problems_.push_back({place_of(mark), "YAML aliases are not supported, write the value out"}
        );
        add(make(yaml_kind::refused, mark), mark);
    }
    void OnScalar(
        const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value
    ) override
    {
        yaml_node node = make(accepts(tag, mark) ? yaml_kind::scalar : yaml_kind::refused, mark);
        node.text = value;
        add(std::move(node), mark);
    }
    void OnSequenceStart(
        const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value
    ) override
    {
        open(yaml_kind::sequence, tag, mark);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(
        const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value
    ) override
    {
        open(yaml_kind::map, tag, mark);
    }
    void OnMapEnd() override { close(); }

private:
    struct level
    {
        yaml_node node;
        YAML::Mark mark;
        bool is_map = false; // `node.kind` may say refused
        bool has_key = false;
        std::string key;
        place key_at;
    };

    static yaml_node make(yaml_kind kind, const YAML::Mark& mark)
    {
        yaml_node node;
        node.kind = kind;
        node.at = place_of(mark);
        return node;
    }

    // yaml-cpp says "?" for plain values and "!" for quoted ones. A tag that was written, such
    // as !include, asks for something that would not happen.
    bool accepts(const std::string& tag, const YAML::Mark& mark)
    {
        if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:"))
            return true;
        problems_.push_back({place_of(mark), "YAML tag " + quoted(tag) + " is not supported"});
        return false;
    }

    void open(yaml_kind kind, const std::string& tag, const YAML::Mark& mark)
    {
        if (levels_.size() >= max_depth)
            throw YAML::ParserException(mark, "nested too deeply");
        level next;
        next.node = make(accepts(tag, mark) ? kind : yaml_kind::refused, mark);
        next.mark = mark;
        next.is_map = kind == yaml_kind::map;
        levels_.push_back(std::move(next));
    }

    void close()
    {
        level done = std::move(levels_.back());
        levels_.pop_back();
        add(std::move(done.node), done.mark);
    }

    // In a map the events alternate between keys and values.
    void add(yaml_node node, const YAML::Mark& mark)
    {
        if (levels_.empty())
        {
            root_ = std::move(node);
            return;
        }
        level& parent = levels_.back();
        if (parent.is_map && !parent.has_key)
        {
            if (node.kind != yaml_kind::scalar)
                throw YAML::ParserException(mark, "a key must be text");
            parent.key = std::move(node.text);
            parent.key_at = node.at;
            parent.has_key = true;
            return;
        }
        if (parent.is_map)
        {
            node.key = std::move(parent.key);
            node.key_at = parent.key_at;
            parent.has_key = false;
        }
        parent.node.children.push_back(std::move(node));
    }

    std::vector<yaml_problem>& problems_;
    std::vector<level> levels_;
    yaml_node root_;
    int documents_ = 0;
};

// yaml-cpp's message, with what usually is behind it.
std::string explain(const std::string& message)
{
    const auto is = [&](const char* known) { return message.starts_with(known); };
    // `bind: *:5432`, which everybody writes once.
    if (is(YAML::ErrorMsg::UNKNOWN_ANCHOR) || is(YAML::ErrorMsg::ALIAS_NOT_FOUND) ||
        is(YAML::ErrorMsg::CHAR_IN_ALIAS))
        return "not valid YAML: a value that starts with * needs quotes, such as \"*:5432\"";
    if (is(YAML::ErrorMsg::END_OF_MAP) && !is(YAML::ErrorMsg::END_OF_MAP_FLOW))
        return "not valid YAML: wrong indentation, or missing quotes as in \"[::]:5432\"";
    if (is(YAML::ErrorMsg::DOC_IN_SCALAR))
        return "not valid YAML: quotes that do not end";
    return "not valid YAML: " + message;
}

// yaml-cpp takes the end of the file for the end of a quoted value; a document end inside quotes
// it refuses.
std::string with_document_end(std::string_view text)
{
    std::string out(text);
    if (!out.empty() && out.back() != '\n')
        out += '\n';
    return out += "...\n";
}

} // namespace

const yaml_node* yaml_node::find(std::string_view name) const
{
    if (kind != yaml_kind::map)
        return nullptr;
    const auto found = std::ranges::find(children, name, &yaml_node::key);
    return found == children.end() ? nullptr : &*found;
}

yaml_document parse_yaml(std::string_view text)
{
    yaml_document document;
    tree_builder builder(document.problems);
    std::istringstream in(with_document_end(text));
    try
    {
        YAML::Parser parser(in);
        while (parser.HandleNextDocument(builder))
        {
        }
        document.root = builder.take_root();
    }
    catch (const YAML::Exception& e)
    {
        document.problems.push_back({place_of(e.mark), explain(e.msg)});
    }
    return document;
}

} // namespace rolegate::config
