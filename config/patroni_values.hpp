// SPDX-License-Identifier: PostgreSQL
//
// Patroni's own configuration as Patroni sees it: a YAML file, or a folder of *.yml and *.yaml
// that are laid over each other in the order of their names, and over them the environment's
// PATRONI_SECTION_KEY. A later empty value (~) removes what an earlier file said; of duplicate keys
// the last counts. ${VAR} is plain text here. Only what is asked for is judged.
#pragma once

#include "config/load.hpp"
#include "config/yaml_tree.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::config
{

// A value and where it was found.
struct patroni_value
{
    std::string source; // the file or the environment variable
    place at;
    const yaml_node* node = nullptr; // nullptr: from the environment
    std::string text;                // of a scalar or of the variable
};

class patroni_values
{
public:
    // Both must outlive this.
    patroni_values(const environment& env, std::vector<problem>& problems)
        : env_(env), problems_(problems)
    {
    }

    // False: there is no configuration, and a problem says why. To be called once.
    [[nodiscard]] bool load(const std::string& path);

    // nullopt: not set, or removed, or refused with a problem. `section` "" is the top.
    [[nodiscard]] std::optional<patroni_value> find(std::string_view section, std::string_view key);

    // A section of the files itself; never from the environment.
    [[nodiscard]] std::optional<patroni_value> find_section(std::string_view name);

    // The text of a scalar; "" counts as not set, as it does for Patroni.
    [[nodiscard]] std::optional<patroni_value>
    find_text(std::string_view section, std::string_view key);

    [[nodiscard]] std::string text_or_empty(std::string_view section, std::string_view key);

    // Of each value at most once.
    void fail(const patroni_value& at, std::string text);

    // Grows when something was refused, so that it need not be called missing as well.
    [[nodiscard]] std::size_t failures() const { return problems_.size(); }

    // Where something is missing: the only file, or the folder.
    [[nodiscard]] patroni_value whole() const;

private:
    struct document
    {
        std::string file;
        yaml_node root;
        std::vector<yaml_problem> problems;
    };

    bool load_one(const std::string& file);
    std::optional<patroni_value> find_in_files(std::string_view section, std::string_view key);
    std::optional<patroni_value> value_of(const document& in, const yaml_node& node);
    bool is_usable(const document& in, const yaml_node& node);

    const environment& env_;
    std::vector<problem>& problems_;
    std::string path_;
    std::vector<document> documents_; // not changed after load(): values point into the trees
};

} // namespace rolegate::config
