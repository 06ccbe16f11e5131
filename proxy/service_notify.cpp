// SPDX-License-Identifier: PostgreSQL
#include "proxy/service_notify.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <set>
#include <utility>

#include <systemd/sd-daemon.h>
#include <unistd.h>

namespace rolegate::proxy
{

namespace
{

// A line of its own in what is sent; names of members come from the network.
std::string one_line(std::string_view text)
{
    std::string line(text);
    for (char& c : line)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            c = ' ';
    return line;
}

// The manager must know which of two reloads we speak of: CLOCK_MONOTONIC at the begin.
std::string monotonic_usec()
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::to_string(std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000);
}

} // namespace

service_notify::service_notify() : heard_(std::getenv("NOTIFY_SOCKET") != nullptr)
{
    std::uint64_t limit = 0;
    if (::sd_watchdog_enabled(0, &limit) > 0)
        watchdog_ = std::chrono::microseconds(limit);
}

// Whether it arrives is the manager's affair: a proxy goes on without one.
void service_notify::send(const std::string& what) const
{
    if (heard_)
        static_cast<void>(::sd_notify(0, what.c_str()));
}

void service_notify::ready()
{
    send("READY=1");
}

void service_notify::status(std::string_view text)
{
    auto line = one_line(text);
    if (line == status_)
        return;
    send("STATUS=" + line);
    status_ = std::move(line);
}

void service_notify::alive()
{
    send("WATCHDOG=1");
}

void service_notify::reload_begins()
{
    send("RELOADING=1\nMONOTONIC_USEC=" + monotonic_usec());
}

void service_notify::reload_ends()
{
    send("READY=1");
}

void service_notify::stopping()
{
    send("STOPPING=1");
}

void service_notify::replaced_by(pid_t successor)
{
    send("MAINPID=" + std::to_string(successor));
    replaced_ = std::exchange(heard_, false);
}

void service_notify::takes_back()
{
    if (!std::exchange(replaced_, false))
        return;
    heard_ = true;
    send("MAINPID=" + std::to_string(::getpid()));
}

void service_notify::keep(
    const std::vector<shared_socket>& sockets, const std::vector<std::string>& stale
)
{
    if (!heard_)
        return;
    if (!kept_)
    {
        kept_.emplace();
        for (const auto& s : sockets)
            if (s.inherited && s.file.empty())
                kept_->emplace(s.fd, s.name);
    }
    std::set<std::string> gone(stale.begin(), stale.end());
    for (const auto& [fd, name] : *kept_)
        if (std::ranges::find(sockets, fd, &shared_socket::fd) == sockets.end())
            gone.insert(name);
    for (const auto& name : gone)
        send("FDSTOREREMOVE=1\nFDNAME=" + name);
    // A name may stand for several: those that stay are kept anew.
    std::erase_if(*kept_, [&gone](const auto& each) { return gone.contains(each.second); });
    for (const auto& s : sockets)
    {
        if (!s.file.empty() || !kept_->emplace(s.fd, s.name).second)
            continue;
        // Without FDPOLL=0 the manager drops a socket that refuses connects for a while.
        const auto what = "FDSTORE=1\nFDPOLL=0\nFDNAME=" + s.name;
        static_cast<void>(::sd_pid_notify_with_fds(0, 0, what.c_str(), &s.fd, 1));
    }
}

} // namespace rolegate::proxy
