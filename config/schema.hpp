// SPDX-License-Identifier: PostgreSQL
//
// The keys of the configuration file, section by section: which exist, which this version does
// not support yet, and within which bounds their values make sense.
//
// Problems go to `in`. What could not be read keeps its default; an unreadable address stays as
// an empty one, so that positions in a list are those of the file.
#pragma once

#include "config/settings.hpp"
#include "config/words.hpp"
#include "config/yaml_reader.hpp"

namespace rolegate::config
{

[[nodiscard]] settings read_settings(yaml_reader& in, const yaml_node& root);

[[nodiscard]] cluster_settings read_cluster(yaml_reader& in, const yaml_node& node);

[[nodiscard]] dcs_settings read_dcs(yaml_reader& in, const yaml_node& node);

// `beside`: keys of the same section that are not about asking PostgreSQL.
[[nodiscard]] sql_settings
read_sql(yaml_reader& in, const yaml_node& node, std::vector<yaml_key> beside = {});

[[nodiscard]] postgres_settings read_postgres(yaml_reader& in, const yaml_node& node);

// What has no meaning in a cluster that has `postgres`.
void refuse_beside_postgres(yaml_reader& in, const yaml_node& cluster);

void read_address_map(yaml_reader& in, const yaml_node& node, address_map& out);

[[nodiscard]] tcp_settings read_tcp(yaml_reader& in, const yaml_node& node);

// The request instead of a connect; nullopt: nothing that could be read stands there.
[[nodiscard]] std::optional<http_check_settings> read_check(yaml_reader& in, const yaml_node& node);

// The same beside `patroni` or `postgres`, with its pace; nullopt as above.
[[nodiscard]] std::optional<check_settings>
read_member_check(yaml_reader& in, const yaml_node& node);

// What says something of Patroni or PostgreSQL, in a cluster that has `tcp`.
void refuse_beside_tcp(yaml_reader& in, const yaml_node& cluster);

// A listener needs `role`, unless its cluster has none to choose from. Both have been read.
void settle_roles(yaml_reader& in, const yaml_node& root, settings& s);

[[nodiscard]] listener_settings read_listener(yaml_reader& in, const yaml_node& node);

// Whom a listener takes of those that come to its bind.
void read_match(yaml_reader& in, const yaml_node& node, std::vector<startup_condition>& out);

// Parts of what a listener demands of members.
void read_lag(yaml_reader& in, const yaml_node& node, std::optional<lag_limit<std::int64_t>>& out);
void read_lag(yaml_reader& in, const yaml_node& node, std::optional<lag_limit<milliseconds>>& out);
void read_lag_dwell(yaml_reader& in, const yaml_node& node, milliseconds& out);
void read_replication_state(yaml_reader& in, const yaml_node& node, std::string& out);
void read_tags(yaml_reader& in, const yaml_node& node, tag_map& out);
void read_prefer(yaml_reader& in, const yaml_node& node, tag_map& out);

[[nodiscard]] listener_tls read_listener_tls(yaml_reader& in, const yaml_node& node);

[[nodiscard]] server_tls_settings read_server_tls(yaml_reader& in, const yaml_node& node);

void read_admin(yaml_reader& in, const yaml_node& node, admin_settings& out);

[[nodiscard]] host_port read_bind(yaml_reader& in, const yaml_node& node);

[[nodiscard]] host_port read_member(yaml_reader& in, const yaml_node& node);

// The same of anything else that is asked; errors show `usual_port` as their example.
[[nodiscard]] host_port
read_place(yaml_reader& in, const yaml_node& node, std::uint16_t usual_port);

// HAProxy's `rise` and `fall`.
void read_count(yaml_reader& in, const yaml_node& node, unsigned& out);

// How many sessions or clients; not 0, which some take for "none" and others for "any number".
void read_limit(yaml_reader& in, const yaml_node& node, std::size_t& out);
void read_limit(yaml_reader& in, const yaml_node& node, std::optional<std::size_t>& out);

// One of the words of a table, see words.hpp.
template <typename T, std::size_t N>
void read_word(yaml_reader& in, const yaml_node& node, const std::array<word<T>, N>& words, T& out)
{
    std::vector<std::string> known;
    known.reserve(N);
    for (const word<T>& w : words)
        known.emplace_back(w.text);
    if (const auto text = in.choice(node, known))
        out = std::ranges::find(words, *text, &word<T>::text)->value;
}

} // namespace rolegate::config
