// SPDX-License-Identifier: PostgreSQL
//
// Why a session ended or could not begin. Every value knows whose doing it was, the SQLSTATE the
// client is told (where it can be told anything) and how it is counted.
#pragma once

namespace rolegate::proxy
{

enum class errc
{
    none = 0,
    // the client
    startup_malformed,   // a first packet PostgreSQL would refuse
    proxy_header_bad,    // no PROXY header, or a malformed one, from where one is demanded
    not_allowed,         // its address is not in `allow`
    too_many_handshakes, // more half-open clients than `handshakes` allows
    bytes_before_tls,    // plaintext behind SSLRequest: someone may be injecting
    tls_failed,          // its TLS handshake with us failed
    tls_required,        // it asked for no TLS, and the listener demands it
    no_match,            // no listener of its port takes it
    handshake_timeout,   // no whole first packet in time
    client_gone,         // closed or reset before the session was established
    client_reset,        // reset in the data phase
    client_fin_timeout,  // the other side ended, and the rest did not follow in time
    client_idle,         // timeouts.client
    // the server
    server_failed,     // connects refused or reset until the hold ended
    server_tls_failed, // no TLS with it, or none that can be trusted, until the hold ended
    server_idle,       // timeouts.server
    server_ended,      // FIN from the server before one from the client
    server_reset,
    // us
    no_routable_member, // held for queue.timeout
    too_many_sessions,  // held for queue.timeout while maxconn was reached
    paused,             // held for queue.timeout while an operator held everybody
    stale_view,         // the view of the cluster is older than stale_after
    queue_full,         // queue.max clients are held already
    role_lost,          // the member lost the listener's role
    moved,              // another member should serve it: see fallback and rebalance
    view_lost,          // the view grew older than stale_after, and on_stale is shutdown_sessions
    removed,            // its listener, or its member, is not configured any more
    maintenance,        // an operator wants the member to be left
    killed,             // by an operator
    shutting_down,
    internal, // our own fault
};

enum class side
{
    client,
    server,
    proxy,
};

struct errc_info
{
    side who;
    const char* word;     // for logs and metric labels
    const char* sqlstate; // nullptr: close without a message
    const char* text;     // shown to the client: no addresses
};

[[nodiscard]] const errc_info& info(errc e) noexcept;

} // namespace rolegate::proxy
