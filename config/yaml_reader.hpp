// SPDX-License-Identifier: PostgreSQL
//
// Typed access to a YAML tree. Every read either sets its target or leaves it as it was and
// notes a problem with its place; nothing stops at the first one.
#pragma once

#include "config/load.hpp"
#include "config/yaml_tree.hpp"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::config
{

// In bytes. Both ends are legal, here and below.
struct size_range
{
    std::int64_t min;
    std::int64_t max;
};

struct duration_range
{
    milliseconds min;
    milliseconds max;
};

struct integer_range
{
    std::int64_t min;
    std::int64_t max;
};

// One key of a map and what to do with its value.
struct yaml_key
{
    std::string_view name;
    std::function<void(const yaml_node&)> read;
};

class yaml_reader
{
public:
    // `env` must outlive the reader.
    explicit yaml_reader(const environment& env) : env_(env) {}

    // Visits the keys of a map: known ones are read, those of `later` refused as not supported
    // yet, all others as unknown; a second one of the same name is refused and not read.
    void
    map(const yaml_node& node,
        const std::vector<yaml_key>& known,
        std::initializer_list<std::string_view> later = {});

    // Visits every key of a map that is not a repetition; `what` says what a key is.
    void entries(
        const yaml_node& node,
        std::string_view what,
        const std::function<void(const yaml_node&)>& read
    );

    // Visits the entries of a map whose keys are names the operator chose ("cluster": what they
    // name). The names become metric labels and are limited accordingly.
    void named(
        const yaml_node& node,
        std::string_view what,
        const std::function<void(const yaml_node&)>& read
    );

    void require(const yaml_node& map, std::initializer_list<std::string_view> keys);

    // The items of a list; `expected` completes "expected ...".
    void list(
        const yaml_node& node,
        std::string_view expected,
        const std::function<void(const yaml_node&)>& read
    );

    // The text of a scalar with its ${VAR} expanded.
    std::optional<std::string> scalar(const yaml_node& node, std::string_view expected);

    void text(const yaml_node& node, std::string& out);
    void boolean(const yaml_node& node, bool& out);
    void duration(const yaml_node& node, milliseconds& out, duration_range range);
    void size(const yaml_node& node, std::size_t& out, size_range range); // in bytes
    std::optional<std::int64_t> integer(
        const yaml_node& node, integer_range range, std::string_view expected = "a whole number"
    );

    // One of `known`; nullopt for all else, words of `later` being refused as not supported yet.
    std::optional<std::string> choice(
        const yaml_node& node,
        const std::vector<std::string>& known,
        const std::vector<std::string>& later = {}
    );

    void fail(const yaml_node& node, place at, std::string text);
    void fail(const yaml_node& node, std::string text);

    // True when a problem was noted for this very node, so that its value in the settings means
    // nothing. Nodes are known by their address: the tree must not move meanwhile.
    [[nodiscard]] bool failed(const yaml_node& node) const { return failed_.contains(&node); }

    [[nodiscard]] const std::vector<yaml_problem>& problems() const { return problems_; }

private:
    const environment& env_;
    std::vector<yaml_problem> problems_;
    std::set<const yaml_node*> failed_;
};

} // namespace rolegate::config
