// SPDX-License-Identifier: PostgreSQL
#include "config/patroni_yaml.hpp"

#include "config/address.hpp"
#include "config/patroni_etcd.hpp"
#include "config/patroni_values.hpp"
#include "config/quote.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <tuple>

namespace rolegate::config
{
namespace
{

// What can stand in Patroni's configuration, in the order in which Patroni looks for it, and the
// variables of the environment that choose it without a section in the file.
struct known_dcs
{
    std::string_view name;
    std::vector<std::string_view> variables;
};

const std::array<known_dcs, 7>& known_kinds()
{
    static const std::array<known_dcs, 7> kinds{{
        {"consul", {"host", "url", "port"}},
        {"etcd", {"host", "hosts", "url", "proxy", "srv"}},
        {"etcd3", {"host", "hosts", "url", "proxy", "srv"}},
        {"exhibitor", {"hosts"}},
        {"kubernetes", {"namespace", "labels", "scope_label", "use_endpoints", "context"}},
        {"raft", {"self_addr", "partner_addrs"}},
        {"zookeeper", {"hosts"}},
    }};
    return kinds;
}

struct chosen_dcs
{
    std::string_view name;
    patroni_value at;
};

std::optional<chosen_dcs> choose_dcs(patroni_values& from)
{
    for (const known_dcs& kind : known_kinds())
    {
        if (auto section = from.find_section(kind.name))
            return chosen_dcs{kind.name, std::move(*section)};
        for (const std::string_view key : kind.variables)
        {
            auto value = from.find(kind.name, key);
            if (value && value->node == nullptr)
                return chosen_dcs{kind.name, std::move(*value)};
        }
    }
    return std::nullopt;
}

// Patroni takes a boolean in any of YAML 1.1's words.
bool read_boolean(patroni_values& from, std::string_view section, std::string_view key)
{
    const auto value = from.find_text(section, key);
    if (!value)
        return false;
    std::string word = value->text;
    for (char& c : word)
        c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    const auto is = [&](std::string_view other) { return word == other; };
    const bool yes = is("true") || is("yes") || is("on") || is("1");
    if (!yes && !is("false") && !is("no") && !is("off") && !is("0"))
        from.fail(*value, "expected true or false, got " + quoted(value->text));
    return yes;
}

// The REST API of the node that the file belongs to: one seed, from which the others are found.
std::vector<host_port> read_seed(patroni_values& from)
{
    auto value = from.find_text("restapi", "connect_address");
    const bool listens = !value;
    if (!value)
        value = from.find_text("restapi", "listen");
    if (!value)
        return {};
    const std::string text = in_brackets(value->text);
    const parsed_address bound = parse_bind(text);
    if (listens && bound.value && bound.value->port != 0 && is_wildcard(*bound.value))
        return {{"127.0.0.1", bound.value->port}};
    const parsed_address parsed = parse_member(text);
    if (parsed.value)
        return {*parsed.value};
    from.fail(*value, "expected HOST:PORT such as 10.0.0.1:8008, got " + quoted(value->text));
    return {};
}

// How Patroni's own members and patronictl ask each other: `ctl` first, then `restapi`.
client_tls read_client_files(patroni_values& from)
{
    const auto either = [&](std::string_view key, std::string_view rest_key)
    {
        std::string out = from.text_or_empty("ctl", key);
        return out.empty() ? from.text_or_empty("restapi", rest_key) : out;
    };
    client_tls out;
    out.ca = either("cacert", "cafile");
    out.cert = either("certfile", "certfile");
    out.key = out.cert.empty() ? std::string() : either("keyfile", "keyfile");
    if (out.key.empty())
        out.key = out.cert; // a PEM file may hold both
    out.verify = !read_boolean(from, "ctl", "insecure");
    for (const std::string_view section : {"ctl", "restapi"})
    {
        const auto secret = from.find_text(section, "keyfile_password");
        if (secret && !out.key.empty())
            from.fail(*secret, "'keyfile_password' is not supported by this version yet");
    }
    return out;
}

void read_rest(patroni_values& from, patroni_settings& out)
{
    out.members = read_seed(from);
    client_tls tls = read_client_files(from);
    const bool serves_https = from.find_text("restapi", "certfile").has_value();
    // Without a seed, as in a file for patronictl, only the members found in the DCS are asked, and
    // somebody who names certificates for that means HTTPS.
    const bool asks_https = out.members.empty() && tls != client_tls{};
    if (serves_https || asks_https)
        out.tls = std::move(tls);
}

// Patroni ignores a section `citus` that lacks one of the two, so one alone is a riddle: are the
// keys below the group or not?
std::optional<int> read_group(patroni_values& from)
{
    const auto group = from.find_text("citus", "group");
    if (!group)
        return std::nullopt;
    const auto number = whole_number(group->text, std::numeric_limits<int>::max());
    if (!number)
        from.fail(*group, "expected a whole number, got " + quoted(group->text));
    else if (!from.find_text("citus", "database"))
        from.fail(*group, "Patroni ignores citus.group without citus.database beside it");
    return number;
}

std::string advice(const patroni_settings& patroni)
{
    return "to go by Patroni's REST APIs alone, use --patroni " +
           (patroni.members.empty() ? "HOST:PORT" : format_address(patroni.members.front()));
}

void read_dcs(patroni_values& from, const patroni_settings& patroni, dcs_settings& out)
{
    const std::size_t before = from.failures();
    const auto chosen = choose_dcs(from);
    if (!chosen && from.failures() == before)
        from.fail(from.whole(), "no DCS here, 'etcd3' or 'etcd' is needed; " + advice(patroni));
    if (!chosen)
        return;
    if (chosen->name != "etcd3" && chosen->name != "etcd")
        return from.fail(
            chosen->at,
            quoted(chosen->name) + " is not supported by this version yet; " + advice(patroni)
        );
    out.kind = chosen->name == "etcd" ? dcs_kind::etcd : dcs_kind::etcd3;
    read_patroni_etcd(from, chosen->name, chosen->at, out);
}

std::string read_scope(patroni_values& from)
{
    const std::size_t before = from.failures();
    std::string out = from.text_or_empty("", "scope");
    if (out.empty() && from.failures() == before)
        from.fail(from.find("", "scope").value_or(from.whole()), "missing key 'scope'");
    return out;
}

cluster_settings read_main(patroni_values& from)
{
    cluster_settings out;
    out.name = "main";
    dcs_settings& dcs = out.dcs.emplace();
    read_rest(from, out.patroni);
    dcs.scope = read_scope(from);
    // 127.0.0.1 on this machine may be somebody else's Patroni.
    out.patroni.scope = dcs.scope;
    if (const auto name_space = from.find_text("", "namespace"))
        dcs.name_space = name_space->text;
    dcs.group = read_group(from);
    read_dcs(from, out.patroni, dcs);
    return out;
}

} // namespace

load_result
load_patroni_config(const std::string& path, const bind_options& binds, const environment& env)
{
    load_result out;
    patroni_values from(env, out.problems);
    cluster_settings cluster;
    cluster.name = "main";
    // Without the file everything would be missing, which is no news.
    if (from.load(path))
        cluster = read_main(from);
    else
        cluster.dcs.emplace();
    out.value.clusters.push_back(std::move(cluster));
    const auto order = [](const problem& p) { return std::tie(p.file, p.line, p.column); };
    std::ranges::stable_sort(out.problems, {}, order);
    add_listeners(out, path, binds);
    return out;
}

} // namespace rolegate::config
