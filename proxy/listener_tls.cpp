// SPDX-License-Identifier: PostgreSQL
#include "proxy/listener_tls.hpp"

#include <stdexcept>

namespace rolegate::proxy
{

listener_tls_contexts make_tls_contexts(const config::listener_settings& listener)
{
    try
    {
        listener_tls_contexts made;
        if (listener.tls.mode == config::tls_mode::terminate)
            made.client = make_client_facing(listener.tls);
        made.server = make_server_facing(listener.server_tls);
        return made;
    }
    catch (const std::exception& e)
    {
        throw std::runtime_error("listener '" + listener.name + "': " + e.what());
    }
}

} // namespace rolegate::proxy
