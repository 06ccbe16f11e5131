// SPDX-License-Identifier: PostgreSQL
//
// Which descriptors a process was started with, as its environment tells: sd_listen_fds(3), or a
// process of this program that hands its listening sockets over. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace rolegate::proxy
{

// Variables as they are; nullopt: not set.
struct listen_environment
{
    std::optional<std::string> pid;      // LISTEN_PID: for whom the others are meant
    std::optional<std::string> fds;      // LISTEN_FDS: how many, from 3 on
    std::optional<std::string> names;    // LISTEN_FDNAMES: in their order, with ":" between them
    std::optional<std::string> upgrades; // ROLEGATE_UPGRADES: the process that hands over
};

// A service manager counts in units, we by listeners: more are a mistake.
inline constexpr int most_listen_fds = 4096;

struct named_descriptor
{
    int fd = -1;
    std::string name; // "unknown" where there is none, as with systemd

    friend bool operator==(const named_descriptor&, const named_descriptor&) = default;
};

// `self`: our process id. Who hands over cannot know it beforehand, and starts nobody else with
// that environment.
[[nodiscard]] std::vector<named_descriptor> listen_fds(const listen_environment& e, long self);

} // namespace rolegate::proxy
