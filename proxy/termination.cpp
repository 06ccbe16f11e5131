// SPDX-License-Identifier: PostgreSQL
#include "proxy/termination.hpp"

namespace rolegate::proxy
{

namespace
{

char who(errc why)
{
    switch (why)
    {
    case errc::none:
        return '-';
    case errc::startup_malformed:
    case errc::proxy_header_bad:
    case errc::bytes_before_tls:
    case errc::tls_failed:
    case errc::client_gone:
    case errc::client_reset:
        return 'C';
    case errc::handshake_timeout:
    case errc::client_fin_timeout:
    case errc::client_idle:
        return 'c';
    case errc::server_failed:
    case errc::server_tls_failed:
    case errc::server_ended:
    case errc::server_reset:
        return 'S';
    case errc::no_routable_member:
    case errc::server_idle:
        return 's';
    case errc::not_allowed:
    case errc::too_many_handshakes:
    case errc::tls_required:
    case errc::no_match:
    case errc::too_many_sessions:
    case errc::paused:
    case errc::stale_view:
    case errc::queue_full:
        return 'P';
    case errc::role_lost:
    case errc::moved:
    case errc::view_lost:
    case errc::maintenance:
        return 'D';
    case errc::internal:
        return 'I';
    case errc::removed:
    case errc::killed:
    case errc::shutting_down:
        break;
    }
    return 'K';
}

char where_letter(phase where)
{
    switch (where)
    {
    case phase::handshake:
        return 'R';
    case phase::queue:
        return 'Q';
    case phase::connect:
        return 'C';
    case phase::data:
        break;
    }
    return 'D';
}

} // namespace

std::string termination(errc why, phase where)
{
    // HAProxy says "D-" of a session that it shut because the server went down.
    const bool shut_down = why == errc::role_lost || why == errc::moved || why == errc::view_lost ||
                           why == errc::maintenance;
    const bool finished = why == errc::none || (shut_down && where == phase::data);
    return {who(why), finished ? '-' : where_letter(where)};
}

} // namespace rolegate::proxy
