// SPDX-License-Identifier: PostgreSQL
//
// Plain streaming replication: its members, how their PostgreSQL is asked, and what cannot stand
// beside it.
#include "config/schema.hpp"

#include "config/address.hpp"
#include "config/quote.hpp"

#include <chrono>

namespace rolegate::config
{
namespace
{

using namespace std::chrono_literals;

// A question costs PostgreSQL a fraction of a millisecond; asked more often than every 10 ms it
// only loads the members.
constexpr duration_range poll_range{10ms, 1h};
// 0 would fail every question before it is sent.
constexpr duration_range question_range{1ms, 1h};

constexpr std::uint16_t usual_port = 5432;

} // namespace

postgres_settings read_postgres(yaml_reader& in, const yaml_node& node)
{
    postgres_settings out;
    const auto read_members = [&](const yaml_node& v)
    {
        const auto read = [&](const yaml_node& item)
        { out.members.push_back(read_place(in, item, usual_port)); };
        in.list(v, "a list such as [10.0.0.1:5432]", read);
    };
    out.sql = read_sql(
        in,
        node,
        {
            {"members", read_members},
            {"interval", [&](const yaml_node& v) { in.duration(v, out.interval, poll_range); }},
            {"timeout", [&](const yaml_node& v) { in.duration(v, out.timeout, question_range); }},
            {"rise", [&](const yaml_node& v) { read_count(in, v, out.rise); }},
            {"fall", [&](const yaml_node& v) { read_count(in, v, out.fall); }},
        }
    );
    in.require(node, {"members"});
    return out;
}

void refuse_beside_postgres(yaml_reader& in, const yaml_node& cluster)
{
    for (const std::string_view kind : {"patroni", "tcp"})
        if (const yaml_node* const found = cluster.find(kind))
            in.fail(
                *found,
                found->key_at,
                "a cluster is of one kind: " + quoted(kind) + " cannot be beside 'postgres'"
            );
    for (const std::string_view key : {"dcs", "sql", "on_dcs_loss"})
        if (const yaml_node* const found = cluster.find(key))
            in.fail(
                *found,
                found->key_at,
                quoted(key) + " belongs to Patroni and has no meaning beside 'postgres'"
            );
}

} // namespace rolegate::config
