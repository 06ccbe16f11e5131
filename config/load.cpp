// SPDX-License-Identifier: PostgreSQL
#include "config/load.hpp"

#include "config/schema.hpp"
#include "config/text_file.hpp"
#include "config/validate.hpp"
#include "config/warnings.hpp"
#include "config/yaml_reader.hpp"
#include "config/yaml_tree.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace rolegate::config
{
namespace
{

// validate() names keys as paths from the root ("listeners/write/bind/0"), because it knows no
// YAML. The tree still stands, so a path is looked up when there is something to complain about.
//
// The child that one step of a finding's key leads to: the value of a key or an item of a list.
const yaml_node* step(const yaml_node& node, std::string_view name)
{
    if (node.kind != yaml_kind::sequence)
        return node.find(name);
    std::size_t index = 0;
    std::from_chars(name.data(), name.data() + name.size(), index);
    return index < node.children.size() ? &node.children[index] : nullptr;
}

struct located
{
    const yaml_node* node; // nullptr: the key does not stand in the file
    bool doubtful;         // it or something around it was refused
};

located locate(const yaml_node& root, const yaml_reader& in, std::string_view key)
{
    located out{&root, in.failed(root)};
    // A bind may be one address instead of a list; then it is its own first item.
    while (!key.empty() && out.node->kind != yaml_kind::scalar)
    {
        const std::size_t slash = key.find('/');
        out.node = step(*out.node, key.substr(0, slash));
        if (out.node == nullptr)
            return out;
        out.doubtful = out.doubtful || in.failed(*out.node);
        key = slash == std::string_view::npos ? std::string_view() : key.substr(slash + 1);
    }
    return out;
}

// nullopt: the finding only follows from a problem that was reported already, because a refused
// value left its default in the settings, or because none of the keys stands in the file.
std::optional<yaml_problem>
place_finding(const finding& f, const yaml_node& root, const yaml_reader& in)
{
    const yaml_node* node = nullptr;
    for (const std::string& key : f.keys)
    {
        const located here = locate(root, in, key);
        if (here.doubtful)
            return std::nullopt;
        if (node == nullptr)
            node = here.node;
    }
    if (node == nullptr)
        return std::nullopt;
    return yaml_problem{node->kind == yaml_kind::scalar ? node->at : node->heading(), f.text};
}

} // namespace

std::string to_string(const problem& p)
{
    if (p.line == 0)
        return p.file + ": " + p.text;
    return p.file + ":" + std::to_string(p.line) + ":" + std::to_string(p.column) + ": " + p.text;
}

environment process_environment()
{
    return [](const std::string& name) -> std::optional<std::string>
    {
        const char* const value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
}

load_result load_text(std::string_view yaml, const std::string& file, const environment& env)
{
    load_result out;
    if (yaml.size() > max_file_bytes)
    {
        out.problems.push_back({file, 0, 0, "larger than 1MB"});
        return out;
    }

    yaml_document document = parse_yaml(yaml);
    if (document.root)
    {
        yaml_node& root = *document.root;
        // An empty file lacks keys, it is not of a wrong type; no place in it is to blame.
        if (root.kind == yaml_kind::null)
        {
            root.kind = yaml_kind::map;
            root.at = {};
        }
        yaml_reader in(env);
        out.value = read_settings(in, root);
        const auto& read = in.problems();
        document.problems.insert(document.problems.end(), read.begin(), read.end());
        for (const finding& f : validate(out.value))
        {
            if (auto placed = place_finding(f, root, in))
                document.problems.push_back(std::move(*placed));
        }
        for (const finding& f : warnings(out.value))
        {
            if (const auto placed = place_finding(f, root, in))
                out.warnings.push_back({file, placed->at.line, placed->at.column, placed->text});
        }
    }

    // Reading, missing keys and validation each went through the file on their own.
    std::ranges::stable_sort(document.problems, {}, &yaml_problem::at);
    for (yaml_problem& p : document.problems)
        out.problems.push_back({file, p.at.line, p.at.column, std::move(p.text)});
    return out;
}

load_result load_file(const std::string& path, const environment& env)
{
    const file_text file = read_text_file(path);
    if (file.value)
        return load_text(*file.value, path, env);
    load_result out;
    out.problems.push_back({path, 0, 0, file.error});
    return out;
}

} // namespace rolegate::config
