// SPDX-License-Identifier: PostgreSQL
//
// A listening socket as others are given it: the process that takes over, or the service manager
// that keeps it while we are restarted.
#pragma once

#include <string>

namespace rolegate::proxy
{

struct shared_socket
{
    std::string name;       // of the listener, or "admin"
    int fd = -1;            // still its owner's
    std::string file;       // of a unix socket that is ours to remove at the end; "" = none
    bool inherited = false; // whoever started us had it before
};

} // namespace rolegate::proxy
