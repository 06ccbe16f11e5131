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

// In the order in which their problems are shown.
constexpr std::array<std::string_view, 4> option_names{
    "--patroni", "--write-bind", "--read-bind", "--admin-bind"};

// Which option set what a finding complains about.
std::string_view option_of(std::string_view key)
{
    if (key.starts_with("clusters/"))
        return option_names[0];
    if (key.starts_with("listeners/write/"))
        return option_names[1];
    return key.starts_with("listeners/read/") ? option_names[2] : option_names[3];
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
        out.push_back(in.take(option_names[0], parse_member(list.substr(0, comma))));
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

    host_port write = in.take(option_names[1], parse_bind(options.write_bind));
    host_port read = in.take(option_names[2], parse_bind(options.read_bind));
    out.value.listeners.push_back(make_listener("write", std::move(write), listener_role::primary));
    out.value.listeners.push_back(make_listener("read", std::move(read), listener_role::replica));
    out.value.admin.bind = in.take(option_names[3], parse_bind(options.admin_bind));

    // What the file would be told, the command line is told as well.
    for (const finding& f : validate(out.value))
        in.note(option_of(f.keys.front()), f.text);
    const auto rank = [](const problem& p)
    { return std::ranges::find(option_names, p.file) - option_names.begin(); };
    std::ranges::stable_sort(out.problems, {}, rank);
    return out;
}

} // namespace rolegate::config
