// SPDX-License-Identifier: PostgreSQL
#include "proxy/errc.hpp"

#include <array>

namespace rolegate::proxy
{

namespace
{

// In the order of the enum. 57P03 is the one refusal after which libpq tries its next host; 57P01
// is what a server says when it ends a session.
constexpr std::array<errc_info, 32> table{{
    {side::proxy, "none", nullptr, ""},
    {side::client, "startup_malformed", nullptr, ""},
    {side::client, "proxy_header_bad", nullptr, ""},
    {side::client, "not_allowed", nullptr, ""},
    {side::client, "too_many_handshakes", nullptr, ""},
    {side::client, "bytes_before_tls", "08P01", "received unencrypted data after SSL request"},
    {side::client, "tls_failed", nullptr, ""},
    {side::client, "tls_required", "28000", "this port accepts no connection without SSL"},
    // As PostgreSQL answers whom no line of pg_hba.conf fits. Not 3D000: the database may well
    // exist.
    {side::client,
     "no_match",
     "28000",
     "no listener of this port takes a connection with this user, database and options"},
    {side::client, "handshake_timeout", nullptr, ""},
    {side::client, "client_gone", nullptr, ""},
    {side::client, "client_reset", nullptr, ""},
    {side::client, "client_fin_timeout", nullptr, ""},
    {side::client, "client_idle", "57P05", "terminating connection due to idle-session timeout"},
    {side::server,
     "server_failed",
     "57P03",
     "cannot connect now: the server does not accept connections"},
    {side::server,
     "server_tls_failed",
     "57P03",
     "cannot connect now: no trusted SSL connection to the server"},
    {side::server,
     "server_idle",
     "57P05",
     "terminating connection: the server was silent for too long"},
    {side::server, "server_ended", nullptr, ""},
    {side::server,
     "server_reset",
     "57P01",
     "terminating connection: the server closed it unexpectedly"},
    {side::proxy,
     "no_routable_member",
     "57P03",
     "cannot connect now: no member of the cluster has this role"},
    {side::proxy, "too_many_sessions", "53300", "sorry, too many clients already"},
    {side::proxy, "paused", "57P03", "cannot connect now: new clients are held by an operator"},
    {side::proxy,
     "stale_view",
     "57P03",
     "cannot connect now: the state of the cluster is not known"},
    {side::proxy, "queue_full", "57P03", "cannot connect now: too many clients are waiting"},
    {side::proxy, "role_lost", "57P01", "terminating connection: the member lost its role"},
    {side::proxy, "moved", "57P01", "terminating connection: another member is there for it"},
    {side::proxy,
     "view_lost",
     "57P01",
     "terminating connection: the state of the cluster is not known"},
    {side::proxy, "removed", "57P01", "terminating connection: it leads nowhere any more"},
    {side::proxy, "maintenance", "57P01", "terminating connection: the server is in maintenance"},
    // PostgreSQL's own words for pg_terminate_backend().
    {side::proxy, "killed", "57P01", "terminating connection due to administrator command"},
    {side::proxy, "shutting_down", "57P01", "terminating connection: the proxy is shutting down"},
    {side::proxy, "internal", nullptr, ""},
}};

static_assert(table.size() == static_cast<std::size_t>(errc::internal) + 1);

} // namespace

const errc_info& info(errc e) noexcept
{
    return table[static_cast<std::size_t>(e)];
}

} // namespace rolegate::proxy
