// SPDX-License-Identifier: PostgreSQL
//
// The two letters at the end of a session_end record, HAProxy's where they fit. Pure.
//   who:   C client, S server, P limit of ours, D member lost its role or is in maintenance,
//          K ended by us or by an operator, c / s time-out, I our own fault, - nobody
//   where: R reading the first packet, Q held, C connecting, D data, - finished
#pragma once

#include "proxy/errc.hpp"

#include <string>

namespace rolegate::proxy
{

enum class phase
{
    handshake,
    queue,
    connect,
    data,
};

[[nodiscard]] std::string termination(errc why, phase where);

} // namespace rolegate::proxy
