// SPDX-License-Identifier: PostgreSQL
//
// What the operator wrote of a listener: whom it leads where, and within which limits.
#pragma once

#include "config/demand_settings.hpp"
#include "config/places.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace rolegate::config
{

// How the members of a listener share new sessions; the words are HAProxy's.
enum class balance_algorithm
{
    roundrobin, // in turn, by weight
    leastconn,  // fewest sessions for its weight
    random,     // the less loaded of two that are drawn by weight
    first,      // the first that has a place, in the order of names
    source,     // the same for the same client address
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
    milliseconds client{0};         // without a byte from the client; 0 = never
    milliseconds server{0};         // without a byte from the server; 0 = never
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

enum class tls_mode
{
    passthrough, // between client and server, end to end
    terminate,   // ended here
};

enum class tls_version
{
    tls_1_2,
    tls_1_3,
};

// TLS of clients. Paths are PEM files.
struct listener_tls
{
    tls_mode mode = tls_mode::passthrough;
    std::string cert; // with its chain; required by terminate
    std::string key;
    std::string ca; // set: a client must show a certificate that this signs
    tls_version min_version = tls_version::tls_1_2;
    bool required = false; // terminate only: a client that asks for no TLS is refused

    friend bool operator==(const listener_tls&, const listener_tls&) = default;
};

// libpq's, in the order of their strictness.
enum class sslmode
{
    disable,
    allow,
    prefer,
    require,
    verify_ca,
    verify_full,
};

// TLS to servers, of sessions that come in clear text or whose TLS is ended here. Paths are PEM
// files; an empty `ca` means the system's store.
struct server_tls_settings
{
    config::sslmode sslmode = config::sslmode::disable;
    std::string ca;
    std::string cert; // both or neither
    std::string key;

    friend bool operator==(const server_tls_settings&, const server_tls_settings&) = default;
};

// What happens to the sessions of a member that has lost the listener's role.
enum class marked_down_action
{
    shutdown_sessions, // they end at once
    drain,             // ... when they are idle, at the end of a transaction, at drain_deadline
    none,              // they go on
};

// Clients that have not sent a whole first packet yet.
struct handshake_limits
{
    std::size_t max = 4000;         // of one listener
    std::size_t per_address = 1000; // of one source address

    friend bool operator==(const handshake_limits&, const handshake_limits&) = default;
};

// What a client must say of itself in its first packet. A word that ends with * is the beginning of
// what it says.
struct startup_condition
{
    std::string parameter;          // "database", "user", "application_name", ...
    std::vector<std::string> words; // any of them; never empty

    friend bool operator==(const startup_condition&, const startup_condition&) = default;
};

struct listener_settings : member_demand
{
    std::string name;
    std::vector<host_port> bind;
    std::vector<startup_condition> match; // all of them; empty: every client
    std::string cluster;
    balance_algorithm balance = balance_algorithm::roundrobin;
    queue_settings queue;
    listener_timeouts timeouts;
    keepalive_settings keepalive;
    milliseconds tcp_user_timeout{30000};
    listener_tls tls;
    server_tls_settings server_tls;
    std::optional<std::size_t> maxconn; // sessions on servers at once; unset: any number
    handshake_limits handshakes;
    marked_down_action on_marked_down = marked_down_action::shutdown_sessions;
    milliseconds drain_deadline{30000}; // drain.deadline
    unsigned rebalance = 0; // idle sessions to move, per cent of a member's a second; 0 = off
    milliseconds withdraw_after{60000}; // nobody routable so long: connects are refused; 0 = never
    std::vector<network> allow;         // empty: everybody
    std::vector<network> accept_proxy;  // who must send a PROXY header; empty: nobody may
    bool application_name_add_host = false;

    friend bool operator==(const listener_settings&, const listener_settings&) = default;
};

} // namespace rolegate::config
