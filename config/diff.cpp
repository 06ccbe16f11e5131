// SPDX-License-Identifier: PostgreSQL
#include "config/diff.hpp"

#include "config/print.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <string_view>
#include <tuple>
#include <utility>

namespace rolegate::config
{
namespace
{

// From the root to a value; names as they are printed.
using path = std::vector<std::string>;
using values = std::map<path, std::string>;

// The place of the colon behind a key, which may be in quotes.
std::size_t end_of_key(std::string_view line)
{
    std::size_t at = 0;
    if (line.starts_with('"'))
        for (at = 1; at < line.size() && line[at] != '"'; ++at)
            at += line[at] == '\\' ? 1 : 0;
    return std::min(line.find(':', at), line.size());
}

// print()'s lines: two spaces a level, one key a line. What is not set stands in a comment, which
// says what that means.
values values_of(const settings& s)
{
    values all;
    path at;
    std::istringstream lines(print(s));
    for (std::string text; std::getline(lines, text);)
    {
        const auto indent = text.find_first_not_of(' ');
        std::string_view line = std::string_view(text).substr(indent);
        if (line.starts_with("# "))
            line.remove_prefix(2);
        const auto colon = end_of_key(line);
        at.resize(indent / 2);
        at.emplace_back(line.substr(0, colon));
        if (colon + 2 < line.size())
            all[at] = line.substr(colon + 2);
    }
    return all;
}

// "listener read", "cluster main", "admin", or "" for a key at the root.
std::string owner_of(const path& p)
{
    if (p.front() == "listeners" || p.front() == "clusters")
        return p.front().substr(0, p.front().size() - 1) + " " + p.at(1);
    return p.size() > 1 ? p.front() : "";
}

std::string key_of(const path& p)
{
    const std::size_t first = p.front() == "listeners" || p.front() == "clusters" ? 2 : 1;
    std::string text;
    for (auto i = std::min(first, p.size() - 1); i < p.size(); ++i)
        text += (text.empty() ? "" : ".") + p[i];
    return text;
}

bool needs_restart(const path& p)
{
    if (p.size() == 1)
        return p.front() == "workers" || p.front() == "buffer_size";
    return p == path{"admin", "bind"} || p == path{"admin", "mode"};
}

bool begins_with(const path& longer, const path& p)
{
    return longer.size() > p.size() && std::equal(p.begin(), p.end(), longer.begin());
}

// "tags: any" is not told when there are some now.
bool has_more(const values& in, const path& p)
{
    const auto next = in.upper_bound(p);
    return next != in.end() && begins_with(next->first, p);
}

template <class Named> const Named* find(const std::vector<Named>& in, const std::string& name)
{
    const auto found = std::ranges::find(in, name, &Named::name);
    return found == in.end() ? nullptr : &*found;
}

// Who is there only before, or only after.
template <class Named>
void note_names(
    const std::string& what,
    const std::vector<Named>& before,
    const std::vector<Named>& after,
    std::vector<change>& out
)
{
    for (const auto& b : before)
        if (!find(after, b.name))
            out.push_back({what + " " + b.name + ": removed"});
    for (const auto& a : after)
        if (!find(before, a.name))
            out.push_back({what + " " + a.name + ": added"});
}

const std::string& password_of(const std::optional<sql_settings>& sql)
{
    static const std::string none;
    return sql ? sql->password : none;
}

void note_secrets(const settings& before, const settings& after, std::vector<change>& out)
{
    for (const auto& [name, password] : after.admin.users)
        if (const auto was = before.admin.users.find(name);
            was != before.admin.users.end() && was->second != password)
            out.push_back({"admin: users." + name + ", which is not shown"});
    const auto sql_of = [](const cluster_settings& c)
    { return c.postgres ? std::optional(c.postgres->sql) : c.sql; };
    for (const auto& a : after.clusters)
    {
        const auto* b = find(before.clusters, a.name);
        if (!b)
            continue;
        const auto who = "cluster " + a.name + ": ";
        if (b->dcs && a.dcs && b->dcs->password != a.dcs->password)
            out.push_back({who + "dcs.password, which is not shown"});
        if (password_of(sql_of(*b)) != password_of(sql_of(a)))
            out.push_back({who + "the SQL password, which is not shown"});
    }
}

bool is_named(const settings& s, const path& p)
{
    if (p.size() < 2)
        return true;
    const auto has = [&p](const auto& all)
    {
        return std::ranges::any_of(
            all, [&p](const auto& one) { return one.name == p[1] || '"' + one.name + '"' == p[1]; }
        );
    };
    if (p.front() == "listeners")
        return has(s.listeners);
    return p.front() != "clusters" || has(s.clusters);
}

void note_values(const settings& before, const settings& after, std::vector<change>& out)
{
    const auto was = values_of(before);
    const auto is = values_of(after);
    std::map<path, std::pair<std::string, std::string>> both;
    for (const auto& [key, value] : was)
        both[key].first = value;
    for (const auto& [key, value] : is)
        both[key].second = value;
    for (const auto& [key, value] : both)
    {
        const auto& [old, now] = value;
        if (old == now || !is_named(before, key) || !is_named(after, key))
            continue;
        if ((now.empty() && has_more(is, key)) || (old.empty() && has_more(was, key)))
            continue;
        const auto owner = owner_of(key);
        out.push_back(
            {(owner.empty() ? "" : owner + ": ") + key_of(key) + " " +
                 (old.empty() ? "(none)" : old) + " -> " + (now.empty() ? "(none)" : now),
             needs_restart(key)}
        );
    }
}

template <class Place> bool share(const std::vector<Place>& a, const std::vector<Place>& b)
{
    return std::ranges::any_of(
        a, [&b](const auto& p) { return std::ranges::find(b, p) != b.end(); }
    );
}

} // namespace

std::vector<change> diff(const settings& before, const settings& after)
{
    std::vector<change> out;
    if (before == after)
        return out;
    note_names("cluster", before.clusters, after.clusters, out);
    note_names("listener", before.listeners, after.listeners, out);
    note_values(before, after, out);
    note_secrets(before, after, out);
    if (out.empty())
        out.push_back({"the order of clusters or listeners, or what is not shown"});
    return out;
}

settings without_restart(settings wanted, const settings& running)
{
    wanted.workers = running.workers;
    wanted.buffer_size = running.buffer_size;
    wanted.admin.bind = running.admin.bind;
    wanted.admin.mode = running.admin.mode;
    return wanted;
}

bool is_same_cluster(const cluster_settings& before, const cluster_settings& after)
{
    if (before.tcp && after.tcp)
        return true; // its members have nothing to do with each other
    if (before.postgres && after.postgres)
        return share(before.postgres->members, after.postgres->members);
    if (before.tcp || after.tcp || before.postgres || after.postgres)
        return false;
    const auto key_of = [](const dcs_settings& d)
    { return std::tie(d.scope, d.name_space, d.group); };
    if (before.dcs && after.dcs)
        return key_of(*before.dcs) == key_of(*after.dcs) &&
               (share(before.dcs->hosts, after.dcs->hosts) ||
                share(before.patroni.members, after.patroni.members));
    return share(before.patroni.members, after.patroni.members);
}

} // namespace rolegate::config
