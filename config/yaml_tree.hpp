// SPDX-License-Identifier: PostgreSQL
//
// A YAML document as a plain tree, with the place of everything. Unlike yaml-cpp's own tree it
// keeps duplicate keys, so that they can be named instead of one of them winning.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::config
{

// From 1; 0 means the whole file.
struct place
{
    int line = 0;
    int column = 0;

    friend auto operator<=>(const place&, const place&) = default;
};

enum class yaml_kind
{
    null,
    scalar,
    sequence,
    map,
    refused, // an alias or a tag, reported already: whoever reads the tree skips it
};

struct yaml_node
{
    yaml_kind kind = yaml_kind::null;
    place at;
    std::string text; // of a scalar, as written
    std::string key;  // under which it stands, when its parent is a map
    place key_at;
    std::vector<yaml_node> children; // of a sequence or a map, in the order of the file

    // The first child with this key; nullptr when there is none.
    [[nodiscard]] const yaml_node* find(std::string_view name) const;

    // Where a problem of the node as a whole is shown: its key, if it has one.
    [[nodiscard]] place heading() const { return key_at.line != 0 ? key_at : at; }
};

struct yaml_problem
{
    place at;
    std::string text;
};

struct yaml_document
{
    std::optional<yaml_node> root; // nullopt: no YAML at all, see the last problem
    std::vector<yaml_problem> problems;
};

// Never throws for what `text` holds. Memory is bounded by the length of `text`: aliases, by
// which a short document can grow without limit, are refused, and so is deep nesting.
[[nodiscard]] yaml_document parse_yaml(std::string_view text);

} // namespace rolegate::config
