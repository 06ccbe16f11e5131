// SPDX-License-Identifier: PostgreSQL
//
// One listener's door, for all workers: who waits, in which order, and how many may go where.
//
// A client that wants a server makes a visit. Visits go in in the order they came, whichever worker
// they are on: of those that wait only the first may try (and the first of those that wait for one
// member alone), and each that goes in wakes the next. So a promotion lets everybody in one by one,
// and while a server refuses there is one that tries.
//
//   hold::visit v(door, my_worker);
//   v.enter(choose):  entered: connect to v.member(), then v.connected()
//                     queue_full: turn the client away
//                     else: it waits; try again when woken, or by a timer of one's own
//   connect refused, or the server said "not now": v.enter(choose) again; it keeps its ticket
//   v.leave(), or its end: whatever it had is free, and the next is woken
//
// To try and to join the queue is one step, so no wake falls between them. A place that becomes
// free wakes the first itself; of what only `choose` knows the door must be told by wake_head().
// Whoever stays first although there is a place has chosen nothing; nobody passes it. If it waits
// for time to pass (a member rests after a refusal) it must try again by a timer of its own.
// Who waits for one member alone (room::wait_for) keeps nobody but those who want the same.
#pragma once

#include "proxy/member_places.hpp"
#include "proxy/waiting_line.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace rolegate::proxy
{

struct door_limits
{
    std::size_t max_held = 0;           // visits that wait at once
    std::optional<std::size_t> maxconn; // visits inside at once, connecting or connected
};

// PostgreSQL forks a process for every connection: more at once only make all of them slow.
inline constexpr std::size_t max_connects_per_member = 64;

// Thread-safe. Outlives its visits.
class hold
{
    struct step;

public:
    class visit;

    // Posts to `worker` that the visit with this ticket, if it still waits there, should try
    // again. Called on any thread, without the lock; must not throw. It may come for a visit that
    // does not wait any more, or in vain.
    using wake_function = std::function<void(std::size_t worker, ticket)>;

    // What a visit may ask while it chooses.
    class room
    {
    public:
        // No place on this member: `maxconn` sessions, too many connects under way, or others who
        // came before wait for it alone.
        [[nodiscard]] bool
        is_full(std::string_view member, std::optional<std::size_t> maxconn) const;

        // Through this door, those that are connecting included.
        [[nodiscard]] std::size_t sessions(std::string_view member) const;

        // Fewer than `most` others wait for this member alone (0: any number may), and the visit
        // does not wait for another one, which would be to change its place for a worse one.
        [[nodiscard]] bool may_wait_for(std::string_view member, std::size_t most) const;

        // Whoever chooses "" waits for this member alone, which must be full; until the next
        // wake_head(), for it may be open to nobody then.
        void wait_for(std::string_view member) const;

    private:
        friend class hold;
        room(const hold& door, step& s) : door_(door), step_(s) {}
        [[nodiscard]] taken_places on(std::string_view member) const;

        const hold& door_;
        step& step_;
    };

    // The name of the member to go to, or "" for none. Runs under the lock: it must be short and
    // must not call the door. The name need not outlive the call of enter().
    using choose_function = std::function<std::string_view(const room&)>;

    hold(door_limits limits, wake_function wake);
    hold(const hold&) = delete;
    hold& operator=(const hold&) = delete;

    // Something that `choose` looks at has changed. Every worker calls this when it has adopted a
    // topology: before, its visits could not know, and a wake from elsewhere came too early.
    void wake_head();

    void set_limits(door_limits limits); // see wake_head()
    void pause();                        // nobody goes in until resume()
    void resume();
    [[nodiscard]] bool paused() const;

    // Visits that wait, and visits inside; never blocks.
    [[nodiscard]] std::size_t held() const noexcept { return held_; }
    [[nodiscard]] std::size_t sessions() const noexcept { return sessions_; }

    // Those inside by member of this cluster; members without any are missing.
    [[nodiscard]] std::map<std::string, std::size_t, std::less<>>
    sessions_by_member(std::size_t cluster = 0) const;

    enum class turn
    {
        entered,
        no_member,  // waits: `choose` found nobody, though nobody was full
        full,       // waits: for a place on a member, or within the listener's maxconn
        behind,     // waits: others came before
        paused,     // waits
        queue_full, // does not wait
    };

private:
    using lock = std::unique_lock<std::mutex>;

    [[nodiscard]] turn try_enter(visit& v, const choose_function& choose, step& s);
    void take_places(visit& v, std::string_view member, step& s);
    bool free_places(visit& v, step& s) noexcept;
    void forget_waiting(visit& v, step& s) noexcept;
    void wake(lock held_lock, step& s, ticket except = 0);

    const wake_function wake_;
    mutable std::mutex mutex_; // of everything below
    door_limits limits_;
    ticket drawn_ = 0;
    bool paused_ = false;
    turn waits_for_ = turn::no_member;
    waiting_line waiting_;
    member_places members_;
    std::atomic<std::size_t> held_{0}; // written under the lock
    std::atomic<std::size_t> sessions_{0};
};

// One session's way through the door. Used by one thread at a time: its worker's.
class hold::visit
{
public:
    visit(hold& door, std::size_t worker) noexcept;
    ~visit() { leave(); }
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;

    void move_to(hold& door) noexcept; // leaves, and begins anew at another one

    // Tries to go in. What it may have had inside is free first, and unless it enters it waits
    // where its ticket says. The queue's limit is for those that come for the first time: a visit
    // that was inside is not turned away, so a few more than max_held may wait.
    // `choose` may throw; the visit then has no place, but waits if it did before. It names members
    // of the cluster with this number.
    [[nodiscard]] turn enter(const choose_function& choose, std::size_t cluster = 0);

    // The connect is over: one more may connect to this member.
    void connected();

    // Ends the visit wherever it is; harmless when it has not begun. A later enter() is a new one.
    void leave() noexcept;

    [[nodiscard]] ticket number() const noexcept { return ticket_; }
    [[nodiscard]] bool waits() const noexcept { return where_ == where::waiting; }

    // What for: for its own member, or what the first of all waits for.
    [[nodiscard]] turn waits_for() const;

    // Whose places it has; "" outside. Valid until the next enter() or leave().
    [[nodiscard]] std::string_view member() const noexcept;

private:
    friend class hold;

    enum class where : std::uint8_t
    {
        outside,
        waiting,
        connecting,
        connected,
    };

    hold* door_;
    member_places::iterator member_{}; // when inside
    ticket ticket_ = 0;
    const std::uint32_t worker_;
    where where_ = where::outside;
};

} // namespace rolegate::proxy
