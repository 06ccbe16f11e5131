// SPDX-License-Identifier: PostgreSQL
#include "config/seeds.hpp"

#include "config/address.hpp"
#include "config/validate.hpp"

#include <algorithm>
#include <array>

namespace rolegate::config
{
namespace
{

constexpr std::string_view seeds_name = "--patroni";

// In the order in which their problems are shown.
constexpr std::array<std::string_view, 3> bind_names{"--write-bind", "--read-bind", "--admin-bind"};

// Which option set what a finding complains about; `source` is that of the cluster.
std::string_view option_of(std::string_view key, std::string_view source)
{
    if (key.starts_with("clusters/"))
        return source;
    if (key.starts_with("listeners/write/"))
        return bind_names[0];
    return key.starts_with("listeners/read/") ? bind_names[1] : bind_names[2];
}

class seed_reader
{
public:
    explicit seed_reader(load_result& out) : out_(out) {}

    // Like the file's reader, leaves an empty address for an unreadable one.
    host_port take(std::string_view option, const parsed_address& parsed)
    {
        if (!parsed.value)
            note(option, parsed.error);
        return parsed.value.value_or(host_port{});
    }

    void note(std::string_view option, std::string text)
    {
        out_.problems.push_back({std::string(option), 0, 0, std::move(text)});
    }

private:
    load_result& out_;
};

std::vector<host_port> read_members(seed_reader& in, std::string_view list)
{
    std::vector<host_port> out;
    for (;;)
    {
        const std::size_t comma = list.find(',');
        out.push_back(in.take(seeds_name, parse_member(list.substr(0, comma))));
        if (comma == std::string_view::npos)
            return out;
        list.remove_prefix(comma + 1);
    }
}

listener_settings make_listener(const std::string& name, host_port bind, listener_role role)
{
    listener_settings out;
    out.name = name;
    out.bind.push_back(std::move(bind));
    out.cluster = "main";
    out.role = role;
    return out;
}

} // namespace

load_result settings_from_seeds(const seed_options& options)
{
    load_result out;
    seed_reader in(out);
    cluster_settings cluster;
    cluster.name = "main";
    cluster.patroni.members = read_members(in, options.patroni);
    out.value.clusters.push_back(std::move(cluster));
    add_listeners(out, std::string(seeds_name), options.binds);
    return out;
}

void add_listeners(load_result& out, const std::string& source, const bind_options& options)
{
    seed_reader in(out);
    host_port write = in.take(bind_names[0], parse_bind(options.write_bind));
    host_port read = in.take(bind_names[1], parse_bind(options.read_bind));
    out.value.listeners.push_back(make_listener("write", std::move(write), listener_role::primary));
    out.value.listeners.push_back(make_listener("read", std::move(read), listener_role::replica));
    out.value.admin.bind = in.take(bind_names[2], parse_bind(options.admin_bind));

    // What the file would be told, the command line is told as well.
    for (const finding& f : validate(out.value))
        in.note(option_of(f.keys.front(), source), f.text);
    const auto rank = [](const problem& p)
    {
        const auto* const found = std::ranges::find(bind_names, p.file);
        return found == bind_names.end() ? 0 : found - bind_names.begin() + 1;
    };
    std::ranges::stable_sort(out.problems, {}, rank);
}

} // namespace rolegate::config
