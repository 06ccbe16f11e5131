// SPDX-License-Identifier: PostgreSQL
//
// How the process comes and goes, as others see it: the service manager, the process that it takes
// over from, the one that takes over from it. Control thread only.
#pragma once

#include "proxy/predecessor.hpp"
#include "proxy/service_report.hpp"
#include "proxy/upgrade.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rolegate::proxy
{

class process_life
{
public:
    // Whose life it is.
    class owner
    {
    public:
        virtual void open() = 0;  // clients may come in
        virtual void leave() = 0; // another process accepts; sessions go on until they end
        virtual boost::asio::awaitable<std::size_t> sessions_left() = 0; // asks every worker
        [[nodiscard]] virtual std::vector<shared_socket> sockets() = 0;
        [[nodiscard]] virtual std::unique_ptr<standstill> stand_still() = 0;
        [[nodiscard]] virtual const standing_orders& orders() const = 0;
        [[nodiscard]] virtual role_history::memory history() const = 0;
        [[nodiscard]] virtual std::string status(std::size_t sessions) const = 0;
        virtual void obey(standing_orders orders) = 0; // and pass them on
        virtual void successor_died() = 0;             // after leave(): it is over

    protected:
        ~owner() = default;
    };

    // Before anybody binds: what was inherited is found from here on.
    process_life(boost::asio::io_context& control, owner& whose);

    // What the process before knew of the clusters' past; empty: there is none.
    [[nodiscard]] role_history::memory past() const;

    // Everything is bound. Opens at once; who takes over, when every cluster has been seen.
    void start();
    void all_seen();

    [[nodiscard]] bool is_open() const noexcept { return open_; }

    // Somebody takes over but does not accept yet, we or a successor: until then neither may
    // change, for the other would not know.
    [[nodiscard]] bool upgrading() const noexcept { return waits_ || upgrade_.under_way(); }

    void reload_begins();
    void reload_ends(bool changed);

    // Sessions and held clients of the process before are an operator's as well.
    void pass_on(const standing_orders& orders);

    void upgrade(); // SIGUSR2
    void stop();    // nobody takes over any more
    void reap() { upgrade_.reap(); }

private:
    void open();
    void leave(pid_t successor);
    void successor_died();
    void remove_left_files();
    [[nodiscard]] handed_over to_hand_over();

    owner& owner_;
    boost::asio::steady_timer first_views_;
    std::optional<predecessor> predecessor_;
    service_notify notify_;
    service_report report_;
    proxy::upgrade upgrade_;
    std::vector<std::string> unused_; // names of what was inherited for nothing
    bool waits_ = false;              // for a first view of each cluster
    bool open_ = false;
    bool stopping_ = false;
};

} // namespace rolegate::proxy
