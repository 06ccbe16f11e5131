// SPDX-License-Identifier: PostgreSQL
//
// The door under workers that run at once. Nothing here waits for time to pass: a worker with
// nothing to do sleeps until it is woken, so a wake that is lost stops the test.
#include "proxy/hold.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <list>
#include <memory>
#include <random>
#include <thread>
#include <unordered_map>
#include <vector>

using namespace rolegate::proxy;

namespace
{

using namespace std::chrono_literals;
using turn = hold::turn;

// Only a wake that was lost makes a worker wait so long.
constexpr auto longest_silence = 20s;

constexpr std::size_t workers = 4;
constexpr std::size_t sessions_each = 800;
constexpr std::size_t alive_each = 60;
constexpr std::array<std::string_view, 3> names = {"a", "b", "c"};
constexpr std::size_t any_member = names.size();

// What all threads see, and the measures taken from outside.
struct shared_world
{
    explicit shared_world(door_limits limits, std::size_t member_limit, bool own_members = false)
        : member_maxconn(member_limit), each_wants_its_own(own_members),
          door(limits, [this](std::size_t worker, ticket t) { post(worker, t); })
    {
    }

    // 0 is no ticket: "look at the topology again".
    void post(std::size_t worker, ticket t)
    {
        auto& q = queues[worker];
        {
            const std::lock_guard lock(q.mutex);
            if (!q.closed)
                q.posted.push_back(t);
        }
        q.ready.notify_one();
    }

    struct queue
    {
        std::mutex mutex;
        std::condition_variable ready;
        std::deque<ticket> posted;
        bool closed = false; // its worker has ended
    };

    const std::size_t member_maxconn;
    const bool each_wants_its_own; // and waits for it alone
    std::array<queue, workers> queues;
    std::atomic<std::size_t> reads{0};
    std::array<std::atomic<bool>, names.size()> open{true, true, true};
    std::array<std::atomic<std::size_t>, names.size()> inside{};
    std::array<std::atomic<std::size_t>, names.size()> connecting{};
    std::atomic<std::size_t> all_inside{0};

    std::mutex order_mutex;
    std::map<ticket, std::size_t> certainly_wait; // a part of those that do: what for

    std::atomic<std::size_t> entered{0};
    std::atomic<std::size_t> came_behind{0};
    std::atomic<std::size_t> turned_away{0};
    std::atomic<std::size_t> overtaken{0};
    std::atomic<std::size_t> too_many{0};
    std::atomic<std::size_t> finished{0};
    std::atomic<bool> stuck{false};
    hold door;
};

class fake_worker
{
public:
    fake_worker(shared_world& w, std::size_t self)
        : world_(w), self_(self), random_(static_cast<unsigned>(self + 1))
    {
    }

    void run()
    {
        adopt();
        while (ended_ < sessions_each && !world_.stuck)
        {
            take_posted(!can_act());
            if (can_act())
                act();
        }
        world_.finished += ended_;
        auto& q = world_.queues[self_];
        const std::lock_guard lock(q.mutex);
        q.closed = true;
        q.posted.clear();
        ++world_.reads;
        world_.reads.notify_one();
    }

private:
    struct session
    {
        explicit session(hold& door, std::size_t worker) : visit(door, worker) {}

        hold::visit visit;
        std::size_t member = 0;
        std::size_t waits_for = any_member; // as of its last choice
        int tries = 0;
        bool connected = false;
        bool rests = false; // its members refused it
    };
    using session_ptr = std::unique_ptr<session>;

    [[nodiscard]] bool chance(unsigned percent) { return random_() % 100 < percent; }
    [[nodiscard]] std::size_t alive() const { return active_.size() + waiting_.size(); }
    [[nodiscard]] bool may_start() const
    {
        return alive() < alive_each && started_ < sessions_each;
    }
    [[nodiscard]] bool can_act() const { return !active_.empty() || may_start(); }

    void adopt()
    {
        for (std::size_t i = 0; i < names.size(); ++i)
            believed_[i] = world_.open[i];
        world_.door.wake_head();
    }

    void take_posted(bool may_sleep)
    {
        auto& q = world_.queues[self_];
        std::deque<ticket> now;
        {
            std::unique_lock lock(q.mutex);
            const auto something = [&] { return !q.posted.empty() || world_.stuck; };
            if (may_sleep && !q.ready.wait_for(lock, longest_silence, something))
                world_.stuck = true; // the others find out within the same time
            now.swap(q.posted);
        }
        if (!now.empty())
        {
            ++world_.reads;
            world_.reads.notify_one();
        }
        for (const auto t : now)
            if (t == 0)
                adopt();
            else if (auto w = waiting_.find(t); w != waiting_.end())
                woken(w);
    }

    void woken(std::unordered_map<ticket, session_ptr>::iterator w)
    {
        auto s = std::move(w->second);
        waiting_.erase(w);
        no_longer_certain(s->visit);
        if (chance(5))
            return end(std::move(s)); // its client has gone just now
        try_enter(std::move(s));
    }

    void no_longer_certain(const hold::visit& v)
    {
        const std::lock_guard lock(world_.order_mutex);
        world_.certainly_wait.erase(v.number());
    }

    // Nobody who came before may wait for this.
    void check_order(const hold::visit& v, std::size_t wanted)
    {
        const std::lock_guard lock(world_.order_mutex);
        for (const auto& [number, waits_for] : world_.certainly_wait)
            if (number < v.number() && waits_for == wanted)
                ++world_.overtaken;
    }

    std::string_view choose(session& s, const hold::room& room)
    {
        check_order(s.visit, any_member);
        s.waits_for = any_member;
        if (world_.each_wants_its_own)
            return s.rests ? "" : own_member(s, room);
        const auto from = random_() % names.size();
        for (std::size_t i = 0; i < names.size() && !s.rests; ++i)
        {
            const auto m = (from + i) % names.size();
            if (believed_[m] && !room.is_full(names[m], world_.member_maxconn))
            {
                s.member = m;
                return names[m];
            }
        }
        return {};
    }

    // The first open one from where its ticket says.
    std::string_view own_member(session& s, const hold::room& room)
    {
        auto m = s.visit.number() % names.size();
        for (std::size_t i = 0; i < names.size() && !believed_[m]; ++i)
            m = (m + 1) % names.size();
        if (!believed_[m])
            return {};
        if (room.is_full(names[m], world_.member_maxconn))
        {
            room.wait_for(names[m]);
            s.waits_for = m;
            return {};
        }
        check_order(s.visit, m);
        s.member = m;
        return names[m];
    }

    void try_enter(session_ptr s)
    {
        ++s->tries;
        s->waits_for = any_member;
        const auto answer = s->visit.enter([&](const hold::room& r) { return choose(*s, r); });
        if (answer == turn::entered)
        {
            ++world_.entered;
            count(*s);
            active_.push_back(std::move(s));
            return;
        }
        if (answer == turn::queue_full)
        {
            ++world_.turned_away;
            return end(std::move(s));
        }
        world_.came_behind += answer == turn::behind ? 1U : 0U;
        if (s->rests)
        {
            active_.push_back(std::move(s)); // its timer runs
            return;
        }
        {
            const std::lock_guard lock(world_.order_mutex);
            world_.certainly_wait.emplace(s->visit.number(), s->waits_for);
        }
        const auto number = s->visit.number();
        waiting_.emplace(number, std::move(s));
    }

    // Counted after it went in and uncounted before it leaves: never more than there are.
    void count(session& s)
    {
        s.connected = false;
        const auto n = ++world_.inside[s.member];
        const auto c = ++world_.connecting[s.member];
        ++world_.all_inside;
        if (n > world_.member_maxconn || c > max_connects_per_member)
            ++world_.too_many;
    }

    void uncount(session& s)
    {
        --world_.inside[s.member];
        --world_.all_inside;
        if (!s.connected)
            --world_.connecting[s.member];
    }

    void end(session_ptr s)
    {
        s.reset();
        ++ended_;
    }

    // Its client has gone; it may have been woken, and the wake is on its way.
    void give_up_waiting()
    {
        auto s = std::move(waiting_.begin()->second);
        waiting_.erase(waiting_.begin());
        no_longer_certain(s->visit);
        end(std::move(s));
    }

    void act()
    {
        if (may_start() && (active_.empty() || chance(50)))
        {
            ++started_;
            return try_enter(std::make_unique<session>(world_.door, self_));
        }
        if (!waiting_.empty() && chance(2))
            return give_up_waiting();
        std::swap(active_[random_() % active_.size()], active_.back());
        auto s = std::move(active_.back());
        active_.pop_back();
        if (s->rests) // the timer
        {
            s->rests = false;
            return try_enter(std::move(s));
        }
        if (!s->connected && chance(70))
        {
            --world_.connecting[s->member];
            s->connected = true;
            s->visit.connected();
            active_.push_back(std::move(s));
            return;
        }
        uncount(*s);
        if (s->connected || chance(30) || s->tries > 20)
            return end(std::move(s));
        s->rests = chance(60); // else it goes to another member at once
        try_enter(std::move(s));
    }

    shared_world& world_;
    const std::size_t self_;
    std::mt19937 random_;
    std::array<bool, names.size()> believed_{};
    std::unordered_map<ticket, session_ptr> waiting_;
    std::vector<session_ptr> active_;
    std::size_t started_ = 0;
    std::size_t ended_ = 0;
};

bool has_read_all(shared_world::queue& q)
{
    const std::lock_guard lock(q.mutex);
    return q.posted.empty();
}

// Pauses, and members that close and open, until the workers are done.
void disturb(shared_world& w, const std::atomic<bool>& done)
{
    std::mt19937 random(99);
    while (!done && !w.stuck)
    {
        const auto reads = w.reads.load();
        if (!std::ranges::all_of(w.queues, has_read_all))
        {
            w.reads.wait(reads);
            continue;
        }
        if (random() % 4 == 0)
        {
            w.door.pause();
            std::this_thread::yield();
            w.door.resume();
            continue;
        }
        const auto all = random() % 2 == 0;
        for (std::size_t i = 0; i < names.size(); ++i)
            w.open[i] = all || random() % 3 == 0;
        for (std::size_t i = 0; i < workers; ++i)
            w.post(i, 0);
    }
}

void run_all(shared_world& w, bool disturbed)
{
    std::atomic<bool> done{false};
    std::vector<std::unique_ptr<fake_worker>> all;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < workers; ++i)
        all.push_back(std::make_unique<fake_worker>(w, i));
    for (auto& one : all)
        threads.emplace_back([&one] { one->run(); });
    std::thread disturber;
    if (disturbed)
        disturber = std::thread([&] { disturb(w, done); });
    for (auto& t : threads)
        t.join();
    done = true;
    if (disturbed)
        disturber.join();
}

} // namespace

TEST_SUITE("proxy/hold")
{
    TEST_CASE("workers at once: order and limits are kept, and no wake is lost")
    {
        const struct
        {
            door_limits limits;
            std::size_t member_maxconn;
            bool disturbed; // else nothing but places that become free wakes anybody
            bool own_members;
        } rows[] = {
            {{1000, {}}, 10, true, false},
            {{1000, {}}, 10, false, false},
            {{1000, 12}, 1000, true, false},
            {{1000, 12}, 1000, false, false},
            {{1000, 1}, 1, true, false},
            {{1000, 1}, 1, false, false},
            {{40, 20}, 9, true, false},
            {{1000, {}}, 1000, true, false},
            {{1000, {}}, 10, true, true},
            {{1000, {}}, 10, false, true},
            {{1000, {}}, 1, false, true},
            {{1000, 12}, 5, true, true},
            {{1000, 12}, 5, false, true},
            {{40, 20}, 9, true, true},
        };
        for (const auto& row : rows)
        {
            CAPTURE(row.member_maxconn);
            CAPTURE(row.disturbed);
            CAPTURE(row.own_members);
            shared_world w(row.limits, row.member_maxconn, row.own_members);

            run_all(w, row.disturbed);

            CHECK_FALSE(w.stuck.load());
            CHECK(w.finished.load() == workers * sessions_each);
            CHECK(w.overtaken.load() == 0);
            CHECK(w.too_many.load() == 0);
            CHECK(w.entered.load() > 0);
            CHECK(w.door.held() == 0);
            CHECK(w.door.sessions() == 0);
            CHECK(w.came_behind.load() > 0);
            CHECK((w.turned_away.load() > 0) == (row.limits.max_held < workers * alive_each));
        }
    }

    TEST_CASE("one wake lets in everybody who waits, in the order they came, over all workers")
    {
        constexpr std::size_t each = 40; // all may connect at once: only the baton wakes
        static_assert(workers * each <= names.size() * max_connects_per_member);
        std::vector<ticket> went; // written under the door's lock
        shared_world w({workers * each, {}}, 1000);
        const auto come_in = [&](hold::visit& v)
        {
            const auto choose = [&](const hold::room& room)
            {
                went.push_back(v.number());
                return *std::ranges::find_if(
                    names, [&](auto name) { return !room.is_full(name, std::nullopt); }
                );
            };
            return v.enter(choose) == turn::entered;
        };
        const auto work = [&](std::size_t self)
        {
            std::list<hold::visit> all;
            std::unordered_map<ticket, hold::visit*> waiting;
            for (std::size_t i = 0; i < each; ++i)
            {
                auto& v = all.emplace_back(w.door, self);
                if (!come_in(v))
                    waiting.emplace(v.number(), &v);
            }
            while (!waiting.empty())
            {
                auto& q = w.queues[self];
                std::unique_lock lock(q.mutex);
                if (!q.ready.wait_for(lock, longest_silence, [&] { return !q.posted.empty(); }))
                    break;
                const auto t = q.posted.front();
                q.posted.pop_front();
                lock.unlock();
                if (waiting.contains(t) && come_in(*waiting[t]))
                    waiting.erase(t);
            }
            ++w.finished; // nobody leaves before all are in: a place that becomes free wakes
            w.finished.notify_all();
            for (auto n = w.finished.load(); n < workers; n = w.finished.load())
                w.finished.wait(n);
        };
        w.door.pause();
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < workers; ++i)
            threads.emplace_back(work, i);
        while (w.door.held() < workers * each)
            std::this_thread::yield();

        w.door.resume();

        for (auto& t : threads)
            t.join();
        CHECK(went.size() == workers * each);
        CHECK(std::ranges::is_sorted(went));
        CHECK(w.door.sessions() == 0);
    }
}
