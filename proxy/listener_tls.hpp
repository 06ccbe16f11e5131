// SPDX-License-Identifier: PostgreSQL
//
// TLS of one listener, from the operator's files.
#pragma once

#include "proxy/tls_context.hpp"

namespace rolegate::proxy
{

// nullptr where the listener has no TLS of ours.
struct listener_tls_contexts
{
    tls_context_ptr client;
    tls_context_ptr server;
};

// Throws std::runtime_error, which names the listener, the file and the reason.
[[nodiscard]] listener_tls_contexts make_tls_contexts(const config::listener_settings& listener);

} // namespace rolegate::proxy
