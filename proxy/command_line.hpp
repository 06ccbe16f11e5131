// SPDX-License-Identifier: PostgreSQL
//
// How this process was started, so that its successor can be started alike.
#pragma once

#include <string>
#include <vector>

namespace rolegate::proxy
{

struct command_line
{
    std::string program;                // absolute path, links not followed: they may be turned
    std::vector<std::string> arguments; // argv, from argv[0] on
};

// To be asked at the start: later the working directory may be another one. `program` is empty when
// the kernel does not tell.
[[nodiscard]] command_line own_command_line();

} // namespace rolegate::proxy
