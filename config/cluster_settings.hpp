// SPDX-License-Identifier: PostgreSQL
//
// What the operator wrote of a cluster: whom to ask, how, and what counts when nobody answers.
#pragma once

#include "config/places.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace rolegate::config
{

// How to speak HTTPS to Patroni's REST API or to the DCS. Paths are PEM files; an empty `ca` means
// the system's store. `cert` and `key` come together (Patroni's verify_client: required).
struct client_tls
{
    std::string ca;
    std::string cert;
    std::string key;
    bool verify = true;

    friend bool operator==(const client_tls&, const client_tls&) = default;
};

struct patroni_settings
{
    std::vector<host_port> members;  // REST seeds; the others are discovered
    std::string scope;               // when set, a seed of another cluster is refused
    milliseconds interval{1000};     // steady polling
    milliseconds fast_interval{50};  // while a role change is in the air
    milliseconds timeout{2000};      // one REST request, from connect to the last byte
    std::optional<client_tls> tls;   // set: the seeds are asked over HTTPS
    config::address_map address_map; // of listed members, PostgreSQL and REST alike
    bool proxy_url = false; // to the pooler that a member names in its key, where it names one

    friend bool operator==(const patroni_settings&, const patroni_settings&) = default;
};

enum class dcs_kind
{
    etcd3, // etcd's API v3, over its JSON gateway
    etcd,  // etcd's API v2
};

// Where Patroni keeps the cluster's keys; names and meaning as in Patroni's own configuration.
struct dcs_settings
{
    dcs_kind kind = dcs_kind::etcd3;
    std::string scope;                   // Patroni's name of the cluster; never empty
    std::string name_space = "/service"; // `namespace`: keys are below NAMESPACE/SCOPE/
    std::optional<int> group;            // Citus: keys are below NAMESPACE/SCOPE/GROUP/
    std::vector<host_port> hosts;        // one is used at a time, the others when it fails
    std::string username;                // "" = none asked for
    std::string password;
    std::optional<client_tls> tls; // set: HTTPS (`protocol: https`, cacert, cert, key)

    friend bool operator==(const dcs_settings&, const dcs_settings&) = default;
};

// How to ask the members' PostgreSQL over libpq; the names are libpq's. Paths are files.
struct sql_settings
{
    std::string user; // never empty
    std::string dbname = "postgres";
    std::string password;
    std::string passfile;
    std::string sslmode = "prefer";
    std::string sslrootcert;
    std::string sslcert;
    std::string sslkey;

    friend bool operator==(const sql_settings&, const sql_settings&) = default;
};

// What counts when the DCS cannot be reached from here.
enum class dcs_loss
{
    rest,  // what Patroni's REST APIs say
    fence, // nothing: the primary is given up when its lease ends
};

// What happens to sessions when the view is older than stale_after.
enum class stale_action
{
    refuse_new,        // they go on; new ones are refused
    shutdown_sessions, // they end
};

// What one member gets from each listener (HAProxy's words).
struct member_settings
{
    unsigned weight = 1;                // its share beside the others
    std::optional<std::size_t> maxconn; // sessions at once; unset: any number
    std::size_t maxqueue = 0;           // clients that wait for it alone; 0: any number
    milliseconds slowstart{0};          // from opening to its whole weight and maxconn
    bool backup = false;                // used only while no other member is open

    friend bool operator==(const member_settings&, const member_settings&) = default;
};

// A check by HTTP instead of a mere connect.
struct http_check_settings
{
    std::string method = "OPTIONS"; // HAProxy's
    std::string uri = "/";
    std::uint16_t port = 0;     // 0: the member's own
    unsigned expect_status = 0; // 0: any 2xx or 3xx, as in HAProxy

    friend bool operator==(const http_check_settings&, const http_check_settings&) = default;
};

// How often a member is checked and how many checks change a mind; words, counts and defaults are
// HAProxy's.
struct check_settings
{
    milliseconds inter{2000};
    std::optional<milliseconds> fastinter; // while it is between up and down; unset: inter
    std::optional<milliseconds> downinter; // while it is down; unset: inter
    unsigned rise = 2;                     // good checks in a row until a member that is down is up
    unsigned fall = 3;                     // bad checks in a row until one that is up is down
    std::optional<milliseconds> timeout;   // of one check, all in all; unset: inter
    std::optional<http_check_settings> http;

    friend bool operator==(const check_settings&, const check_settings&) = default;
};

// A service of any protocol: its bytes are relayed from the first one on.
struct tcp_settings
{
    std::vector<host_port> members; // named HOST:PORT
    check_settings check;

    friend bool operator==(const tcp_settings&, const tcp_settings&) = default;
};

// Streaming replication without Patroni: PostgreSQL itself is asked.
struct postgres_settings
{
    std::vector<host_port> members; // named HOST:PORT
    sql_settings sql;
    milliseconds interval{1000};
    milliseconds timeout{2000}; // one question, from connect to the answer
    unsigned rise = 1;          // good answers in a row until a silent member counts again
    unsigned fall = 2;          // failures in a row until a member counts as silent

    friend bool operator==(const postgres_settings&, const postgres_settings&) = default;
};

struct cluster_settings
{
    std::string name;
    // Exactly one kind: `patroni` (with or without `dcs`), unless one of the two below is set.
    patroni_settings patroni;
    std::optional<postgres_settings> postgres;
    std::optional<tcp_settings> tcp;
    std::optional<dcs_settings> dcs;         // beside REST: the watch and the lease
    std::optional<sql_settings> sql;         // beside REST: PostgreSQL's own word
    std::optional<check_settings> check;     // beside patroni or postgres; has `http`
    std::optional<milliseconds> stale_after; // unset: the cluster's ttl, else 10 s
    dcs_loss on_dcs_loss = dcs_loss::rest;
    stale_action on_stale = stale_action::refuse_new;
    member_settings default_member;                        // for members not named below
    std::map<std::string, member_settings> member_options; // by name

    [[nodiscard]] const member_settings& options_of(const std::string& member) const
    {
        const auto found = member_options.find(member);
        return found == member_options.end() ? default_member : found->second;
    }

    friend bool operator==(const cluster_settings&, const cluster_settings&) = default;
};

} // namespace rolegate::config
