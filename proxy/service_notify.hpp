// SPDX-License-Identifier: PostgreSQL
//
// What the service manager that has started us is told (sd_notify(3)), if there is one. The only
// room that knows libsystemd. Control thread only.
#pragma once

#include "proxy/shared_socket.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace rolegate::proxy
{

class service_notify
{
public:
    // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
    service_notify();

    // False: whatever is said here goes nowhere.
    [[nodiscard]] bool is_heard() const noexcept { return heard_; }

    // So long without alive(), and we are taken for dead. nullopt: nobody watches.
    [[nodiscard]] std::optional<std::chrono::microseconds> watchdog() const noexcept
    {
        return heard_ ? watchdog_ : std::nullopt;
    }

    void ready();
    void status(std::string_view text); // one line; sent when it differs from the last
    void alive();
    void reload_begins();
    void reload_ends(); // whatever came of it
    void stopping();

    // It speaks from now on, and we are silent.
    void replaced_by(pid_t successor);

    // It has died: we speak again.
    void takes_back();

    // Listening sockets that are to outlive us, where the unit has room for them
    // (FileDescriptorStoreMax): the next start gets them back with LISTEN_FDS. Unix sockets are
    // left out, for we remove their files, and inherited ones, for it has them. What was kept under
    // one of the names in `stale` is dropped first, and what is not among `sockets` any more. To be
    // called after each change: descriptors are told apart by their numbers, and those of one
    // change are made before others are closed.
    void keep(const std::vector<shared_socket>& sockets, const std::vector<std::string>& stale);

private:
    void send(const std::string& what) const;

    bool heard_ = false;
    std::optional<std::chrono::microseconds> watchdog_;
    std::string status_; // sent last
    bool replaced_ = false;
    std::optional<std::map<int, std::string>> kept_; // by descriptor, under which name
};

} // namespace rolegate::proxy
