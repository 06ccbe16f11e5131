// SPDX-License-Identifier: PostgreSQL
//
// What the operator wrote, as plain values with every default filled in. Names are those of the
// configuration file (config/reference.yaml says what each means). Includes nothing of ours and
// no YAML, Asio or TLS type, so that every room may use it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rolegate::config
{

using milliseconds = std::chrono::milliseconds;

// A place to listen or to connect to. `host` is a name, an IPv4 address, an IPv6 address without
// brackets, or "*" (listeners only: every IPv4 address).
struct host_port
{
    std::string host;
    std::uint16_t port = 0;

    friend bool operator==(const host_port&, const host_port&) = default;
};

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
    std::vector<host_port> members; // REST seeds; the others are discovered
    std::string scope;              // when set, a seed of another cluster is refused
    milliseconds interval{1000};    // steady polling
    milliseconds fast_interval{50}; // while a role change is in the air
    milliseconds timeout{2000};     // one REST request, from connect to the last byte
    std::optional<client_tls> tls;  // set: the seeds are asked over HTTPS

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

struct cluster_settings
{
    std::string name;
    patroni_settings patroni;
    std::optional<dcs_settings> dcs;         // beside REST: the watch and the lease
    std::optional<sql_settings> sql;         // beside REST: PostgreSQL's own word
    std::optional<milliseconds> stale_after; // unset: the cluster's ttl, else 10 s
    dcs_loss on_dcs_loss = dcs_loss::rest;
    stale_action on_stale = stale_action::refuse_new;

    friend bool operator==(const cluster_settings&, const cluster_settings&) = default;
};

// Which members a listener leads to; the words are Patroni's endpoint names.
enum class listener_role
{
    primary,
    replica,
};

struct queue_settings
{
    milliseconds timeout{10000}; // how long one client is held while nobody is routable
    std::size_t max = 1000;      // how many clients one listener holds

    friend bool operator==(const queue_settings&, const queue_settings&) = default;
};

struct listener_timeouts
{
    milliseconds handshake{15000};  // accept to the whole first packet
    milliseconds connect{4000};     // one TCP connect to a member
    milliseconds client_fin{30000}; // after one side has sent FIN, until the other ends too

    friend bool operator==(const listener_timeouts&, const listener_timeouts&) = default;
};

// TCP keepalive of both legs, in the kernel's terms.
struct keepalive_settings
{
    milliseconds idle{15000};
    milliseconds interval{5000};
    int count = 3;

    friend bool operator==(const keepalive_settings&, const keepalive_settings&) = default;
};

struct listener_settings
{
    std::string name;
    std::vector<host_port> bind;
    std::string cluster;
    listener_role role = listener_role::primary;
    queue_settings queue;
    listener_timeouts timeouts;
    keepalive_settings keepalive;
    milliseconds tcp_user_timeout{30000};

    friend bool operator==(const listener_settings&, const listener_settings&) = default;
};

struct admin_settings
{
    host_port bind{"127.0.0.1", 7000};

    friend bool operator==(const admin_settings&, const admin_settings&) = default;
};

enum class log_level
{
    debug,
    info,
    warning,
    error,
};

struct settings
{
    std::vector<cluster_settings> clusters;
    std::vector<listener_settings> listeners;
    admin_settings admin;
    log_level level = log_level::info;    // log.level
    std::optional<unsigned> workers;      // unset: auto, one per CPU
    milliseconds shutdown_timeout{30000}; // SIGTERM to cutting what is left

    friend bool operator==(const settings&, const settings&) = default;
};

} // namespace rolegate::config
