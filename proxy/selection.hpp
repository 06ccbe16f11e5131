// SPDX-License-Identifier: PostgreSQL
//
// Which member a client of one listener goes to, for all workers: who is open, who has a place, who
// has just refused, shared by the listener's `balance`. One for each listener, so that all workers
// count and choose as one.
#pragma once

#include "proxy/balance.hpp"
#include "proxy/hold.hpp"
#include "proxy/recent.hpp"
#include "proxy/route.hpp"
#include "proxy/slowstart.hpp"

#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::proxy
{

// What a choice depends on beside what all share.
struct asker
{
    const client_address& from;
    std::span<const std::string> resting; // members that have just refused this client
    const recent& silent;                 // those that come last, by cluster
    std::size_t cluster = 0;
};

// Thread-safe.
class selection
{
public:
    using time_point = health::time_point;

    // `cluster` must outlive it. `before`: what is replaced, or nullptr; members that start slowly
    // go on doing so.
    selection(
        destination to,
        config::balance_algorithm how,
        const config::cluster_settings& cluster,
        const selection* before = nullptr
    );

    // The places in the list of `cluster`, as it was when this was made.
    [[nodiscard]] const listed_places& listed() const noexcept { return listed_; }

    // What is believed from now on; before any worker acts on it.
    void adopt(const health::topology& t, time_point now);

    // For hold::visit::enter(): the member to go to, or "". The name is one of `t`'s.
    [[nodiscard]] std::string_view
    choose(const hold::room& room, const health::topology& t, time_point now, const asker& who);

    // When a member that has opened lately takes more; max(): none does.
    [[nodiscard]] time_point next_step(time_point now) const;

    // Members that have more than their share, and how many each may give up within this second;
    // see rebalance.hpp.
    using session_counts = std::map<std::string, std::size_t, std::less<>>; // by member
    [[nodiscard]] session_counts surplus_members(
        const health::topology& t, time_point now, const session_counts& sessions, unsigned percent
    );

    // A client could not have it: nobody is sent there for the next minute.
    void note_failed(const std::string& member, time_point now);

    // So many were sent away, and are expected to come again.
    void note_moved(std::size_t sessions, time_point now);

    // Of the members of `t` that are open.
    [[nodiscard]] std::map<std::string, member_share>
    shares(const health::topology& t, time_point now) const;

private:
    // Whom a choice is made from: `others` = those that are not preferred, too.
    struct circle
    {
        bool others;
        bool silent_too;
    };

    void gather(const hold::room& room, time_point now, const asker& who, circle from);

    const destination to_;
    const config::balance_algorithm how_;
    const config::cluster_settings& cluster_;
    const listed_places listed_; // of `cluster_`, to be looked up under the lock
    mutable std::mutex mutex_;   // of everything below; never held while a door is entered
    slowstart slowstart_;
    balance balance_;
    recent failed_;                               // members, in scope 0
    std::size_t away_ = 0;                        // moved, and not chosen for again
    time_point moved_{};                          // when the last was
    std::vector<const health::member*> eligible_; // these two are reused by every choice
    std::vector<candidate> candidates_;
};

} // namespace rolegate::proxy
