// SPDX-License-Identifier: PostgreSQL
#include "proxy/role_history.hpp"

#include "proxy/admin/events_json.hpp"
#include "tests/support/sample_view.hpp"
#include "tests/support/topology_builder.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

using namespace rolegate;
using health::admission;
using health::lock_belief;
using health::topology;
using proxy::role_history;
using support::topology_builder;
using namespace std::chrono_literals;

namespace
{

constexpr health::time_point begins{1000h};
constexpr std::chrono::system_clock::time_point wall_begins{1769860800123ms}; // 2026-01-31

// One cluster as the control thread tells it, step by step.
class tale
{
public:
    explicit tale(role_history& h, const std::string& cluster = "main") : history_(h)
    {
        now_is_.cluster = cluster;
        for (const char* name : {"a", "b"})
        {
            auto& m = now_is_.members.emplace_back();
            m.name = name;
        }
        now_is_.lock.source = "etcd3";
    }

    tale& after(std::chrono::milliseconds passed)
    {
        at += passed;
        return *this;
    }

    // "" = the key is absent.
    tale& lock(const std::string& holder)
    {
        next().lock.what = holder.empty() ? lock_belief::kind::none : lock_belief::kind::held;
        next_.lock.holder = holder;
        return *this;
    }

    tale& lock_unknown()
    {
        next().lock.what = lock_belief::kind::unknown;
        next_.lock.holder.clear();
        return *this;
    }

    tale& write(const std::string& member, admission a, const std::string& reason)
    {
        for (auto& m : next().members)
            if (m.name == member)
                m.write = {a, "test", reason};
        return *this;
    }

    tale& opens(const std::string& member)
    {
        return write(member, admission::open, "is a primary");
    }
    tale& closes(const std::string& m) { return write(m, admission::closed, "has lost the lock"); }

    tale& told()
    {
        next();
        history_.on_topology(now_is_, next_, at, wall_begins + (at - begins));
        now_is_ = next_;
        pending_ = false;
        return *this;
    }

    tale& cut(const std::string& member, std::size_t n)
    {
        history_.on_sessions_cut(now_is_.cluster, member, n, at);
        return *this;
    }

    tale& session(const std::string& member)
    {
        history_.on_first_session(now_is_.cluster, member, at);
        return *this;
    }

    // The cluster as it is found: a holds the lock and is open.
    tale& begin_with(const std::string& primary)
    {
        return lock(primary).opens(primary).told().session(primary).after(1s);
    }

    health::time_point at = begins;

private:
    topology& next()
    {
        if (!pending_)
            next_ = now_is_;
        pending_ = true;
        return next_;
    }

    role_history& history_;
    topology now_is_;
    topology next_;
    bool pending_ = false;
};

// "lock_lost a +0, lock_taken b +20": the steps with their time since the first one.
std::string steps_of(const proxy::role_change& c)
{
    std::string text;
    for (const auto& s : c.steps)
    {
        const auto ms =
            std::chrono::duration_cast<std::chrono::milliseconds>(s.at - c.steps.front().at);
        text += (text.empty() ? "" : ", ") + std::string(s.step) + " " + s.member + " +" +
                std::to_string(ms.count());
    }
    return text;
}

std::string headline(const proxy::role_change& c)
{
    return std::string(c.kind()) + " " + c.from + "->" + c.to;
}

} // namespace

TEST_SUITE_BEGIN("proxy/role_history");

TEST_CASE("a switchover is told step by step, with the time of each")
{
    role_history h;
    tale t(h);
    t.begin_with("a");

    t.write("a", admission::keep, "is stopping").told();
    t.after(180ms).lock("").closes("a").told().after(1ms).cut("a", 7);
    t.after(60ms).lock("b").told();
    t.after(100ms).opens("b").told().after(4ms).session("b");

    REQUIRE(h.changes().size() == 2);
    const auto& c = h.changes().back();
    CHECK(headline(c) == "promoted a->b");
    CHECK(c.cluster == "main");
    CHECK(c.id == 2);
    CHECK(c.began == wall_begins + 1s);
    CHECK(
        steps_of(c) == "writes_stopped a +0, lock_lost a +180, sessions_cut a +181, "
                       "lock_taken b +241, out_of_recovery b +341, first_session b +345"
    );
    CHECK(c.steps[0].detail == "is stopping");
    CHECK(c.steps[1].detail == "said by etcd3");
    CHECK(c.steps[2].detail == "7");
    CHECK(c.steps[4].detail == "is a primary");
}

TEST_CASE("a failover that is seen in one piece keeps the order of its steps")
{
    role_history h;
    tale t(h);
    t.begin_with("a");

    t.lock("b").closes("a").opens("b").told();

    CHECK(
        steps_of(h.changes().back()) ==
        "writes_stopped a +0, lock_lost a +0, lock_taken b +0, out_of_recovery b +0"
    );
    CHECK(headline(h.changes().back()) == "promoted a->b");
}

TEST_CASE("the same primary again has resumed; none yet is lost")
{
    role_history h;
    tale t(h);
    t.begin_with("a");

    t.lock("").closes("a").told();
    CHECK(headline(h.changes().back()) == "lost a->");
    CHECK(steps_of(h.changes().back()) == "writes_stopped a +0, lock_lost a +0");

    t.after(300ms).lock("a").told().after(20ms).opens("a").told().after(1ms).session("a");
    REQUIRE(h.changes().size() == 2);
    CHECK(headline(h.changes().back()) == "resumed a->a");
    CHECK(
        steps_of(h.changes().back()) == "writes_stopped a +0, lock_lost a +0, lock_taken a +300, "
                                        "out_of_recovery a +320, first_session a +321"
    );
}

TEST_CASE("the next change begins where the last one ended")
{
    role_history h;
    tale t(h);
    t.begin_with("a");
    t.lock("b").closes("a").opens("b").told().after(1h);
    t.lock("a").closes("b").opens("a").told();

    REQUIRE(h.changes().size() == 3);
    CHECK(headline(h.changes()[0]) == "found ->a");
    CHECK(headline(h.changes()[1]) == "promoted a->b");
    CHECK(headline(h.changes()[2]) == "promoted b->a");
    CHECK(h.changes()[2].id == 3);
    CHECK(h.changes()[2].steps.front().at == t.at);
}

TEST_CASE("the sessions that each worker has cut are one step")
{
    role_history h;
    tale t(h);
    t.begin_with("a");
    t.lock("").closes("a").told();

    t.after(1ms).cut("a", 3).after(2ms).cut("a", 4).after(1ms).cut("a", 1);

    const auto& c = h.changes().back();
    CHECK(steps_of(c) == "writes_stopped a +0, lock_lost a +0, sessions_cut a +4");
    CHECK(c.steps.back().detail == "8");
}

TEST_CASE("a worker that cuts late leaves the steps in the order of their times")
{
    role_history h;
    tale t(h);
    t.begin_with("a");
    t.lock("").closes("a").told().after(1ms).cut("a", 3);
    t.after(20ms).lock("b").told();
    t.after(5ms).cut("a", 4);

    const auto& steps = h.changes().back().steps;
    CHECK(std::ranges::is_sorted(steps, {}, &proxy::role_step::at));
}

TEST_CASE("the first session counts once, and only of the new primary")
{
    role_history h;
    tale t(h);
    t.begin_with("a");
    t.lock("b").closes("a").opens("b").told();

    t.after(1ms).session("a").after(1ms).session("b").after(1ms).session("b");

    CHECK(
        steps_of(h.changes().back()) == "writes_stopped a +0, lock_lost a +0, lock_taken b +0, "
                                        "out_of_recovery b +0, first_session b +2"
    );
}

TEST_CASE("as long as the primary stays open, nothing that happens to the lock is a change")
{
    const struct
    {
        const char* name;
        void (*then)(tale&);
    } rows[] = {
        {"nothing", [](tale& t) { t.told(); }},
        {"the lock is unknown for a while: REST keeps it open",
         [](tale& t) { t.lock_unknown().told().after(1s).lock("a").told(); }},
        {"the lock is lost in failsafe mode, and taken again",
         [](tale& t) { t.lock("").told().after(5s).lock("a").told(); }},
        {"the lock is lost in pause", [](tale& t) { t.lock("").told(); }},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        role_history h;
        tale t(h);
        t.begin_with("a");

        row.then(t);
        CHECK(h.changes().size() == 1);

        // Nor does it become the beginning of the next one.
        t.after(24h).lock("b").closes("a").opens("b").told();
        CHECK(h.changes().size() == 2);
        CHECK(steps_of(h.changes().back()).find("writes_stopped a +0") == 0);
    }
}

TEST_CASE("sessions that a stale view ends long after a change are no step of it")
{
    role_history h;
    tale t(h);
    t.begin_with("a");
    t.lock("b").closes("a").opens("b").told().after(1ms).cut("a", 5).session("b");
    const auto before = steps_of(h.changes().back());

    t.after(24h).cut("b", 9);

    CHECK(steps_of(h.changes().back()) == before);
}

TEST_CASE("each cluster has its own changes")
{
    role_history h;
    tale x(h, "x");
    tale y(h, "y");
    x.begin_with("a");
    y.begin_with("b");

    x.lock("").closes("a").told();
    y.after(5ms).lock("a").closes("b").opens("a").told().cut("b", 2).session("a");
    x.after(9ms).cut("a", 1).lock("b").opens("b").told();

    REQUIRE(h.changes().size() == 4);
    CHECK(headline(h.changes()[2]) == "promoted a->b");
    CHECK(h.changes()[2].cluster == "x");
    CHECK(
        steps_of(h.changes()[2]) == "writes_stopped a +0, lock_lost a +0, sessions_cut a +9, "
                                    "lock_taken b +9, out_of_recovery b +9"
    );
    CHECK(headline(h.changes()[3]) == "promoted b->a");
    CHECK(h.changes()[3].cluster == "y");
}

TEST_CASE("the history is bounded, and so is each change in it")
{
    role_history h;
    tale t(h);
    t.begin_with("a");
    for (std::size_t i = 0; i < 2 * role_history::max_changes; ++i)
    {
        t.after(1s).lock("b").closes("a").opens("b").told();
        t.after(1s).lock("a").closes("b").opens("a").told();
    }
    CHECK(h.changes().size() == role_history::max_changes);
    CHECK(h.changes().back().id == 4 * role_history::max_changes + 1);
    CHECK(h.changes().front().id == 3 * role_history::max_changes + 2);

    // A standby cluster: its leader changes, but it never has a primary.
    role_history other;
    tale standby(other);
    for (int i = 0; i < 1000; ++i)
        standby.after(1s).lock(i % 2 == 0 ? "a" : "b").told();
    REQUIRE(other.changes().size() <= role_history::max_changes);
    for (const auto& c : other.changes())
        CHECK(c.steps.size() <= 64);
}

TEST_CASE("sessions and cuts of a cluster without any change are nobody's")
{
    role_history h;
    tale t(h);

    t.cut("a", 1).session("a");

    CHECK(h.changes().empty());
}

TEST_CASE("another process goes on where this one was, and finds nothing new in what it knew")
{
    role_history before;
    tale old(before);
    old.begin_with("a");
    old.lock("b").closes("a").opens("b").told().session("b").after(1h);

    role_history h;
    h.take_over(before.remembered());
    CHECK(h.changes() == before.changes());
    CHECK(h.remembered() == before.remembered());
    tale t(h);
    t.at = old.at;
    t.lock_unknown().told().lock("b").told(); // what it sees first
    t.opens("b").told().session("b");
    CHECK(h.changes() == before.changes());

    t.after(1min).lock("a").closes("b").opens("a").told();
    REQUIRE(h.changes().size() == 3);
    CHECK(h.changes().back().id == 3);
    CHECK(headline(h.changes().back()) == "promoted b->a");
    CHECK(
        steps_of(h.changes().back()) ==
        "writes_stopped b +0, lock_lost b +0, lock_taken a +0, out_of_recovery a +0"
    );
}

TEST_CASE("a change that neither process has seen whole is told by the second")
{
    const struct
    {
        const char* name;
        void (*then)(tale&);
        const char* steps;
    } rows[] = {
        {"all of it came in between",
         [](tale& t) { t.lock("b").opens("b").told(); },
         "writes_stopped a +0, lock_lost a +0, lock_taken b +0, out_of_recovery b +0"},
        {"the lock is free when the second one comes",
         [](tale& t)
         { t.lock("").told().after(5ms).lock("b").told().after(5ms).opens("b").told(); },
         "writes_stopped a +0, lock_lost a +0, lock_taken b +5, out_of_recovery b +10"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        role_history before;
        tale(before).begin_with("a");
        role_history h;
        h.take_over(before.remembered());
        tale t(h);
        row.then(t);
        REQUIRE(h.changes().size() == 2);
        CHECK(headline(h.changes().back()) == "promoted a->b");
        CHECK(steps_of(h.changes().back()) == row.steps);
    }
}

TEST_CASE("a change that is under way is finished by the process that takes over")
{
    role_history before;
    tale old(before);
    old.begin_with("a");
    old.lock("").closes("a").told();
    role_history h;
    h.take_over(before.remembered());
    tale t(h);
    t.at = old.at + 1s;
    t.lock("b").told().opens("b").told();
    REQUIRE(h.changes().size() == 2);
    CHECK(headline(h.changes().back()) == "promoted a->b");
    CHECK(h.changes().back().id == 2);
    CHECK(
        steps_of(h.changes().back()) ==
        "writes_stopped a +0, lock_lost a +0, lock_taken b +1000, out_of_recovery b +1000"
    );
}

TEST_CASE("the API tells the newest change first, with milliseconds since its beginning")
{
    role_history h;
    tale t(h);
    t.begin_with("a");
    t.lock("").closes("a").told().after(2ms).cut("a", 7);
    t.after(60ms).lock("b").told().after(100ms).opens("b").told().after(4ms).session("b");
    auto view = support::sample_view();
    view.changes = {h.changes().begin(), h.changes().end()};

    const auto all = boost::json::parse(proxy::admin::events_json(view));

    CHECK(all.at("version") == "1.2.3");
    REQUIRE(all.at("events").as_array().size() == 2);
    CHECK(all.at("events").at(0) == boost::json::parse(R"({
        "id": 2, "cluster": "main", "kind": "promoted", "from": "a", "to": "b",
        "at": "2026-01-31T12:00:01.123Z", "cause": "has lost the lock",
        "steps": [
            {"step": "writes_stopped", "member": "a", "ms": 0, "detail": "has lost the lock"},
            {"step": "lock_lost", "member": "a", "ms": 0, "detail": "said by etcd3"},
            {"step": "sessions_cut", "member": "a", "ms": 2, "detail": "7"},
            {"step": "lock_taken", "member": "b", "ms": 62, "detail": "said by etcd3"},
            {"step": "out_of_recovery", "member": "b", "ms": 162, "detail": "is a primary"},
            {"step": "first_session", "member": "b", "ms": 166, "detail": null}]})"));
    CHECK(all.at("events").at(1).at("from").is_null());
    CHECK(all.at("events").at(1).at("to") == "a");
    CHECK(all.at("events").at(1).at("at") == "2026-01-31T12:00:00.123Z");

    view.changes = {};
    CHECK(boost::json::parse(proxy::admin::events_json(view)).at("events").as_array().empty());
}

TEST_CASE("a change without a successor says so")
{
    role_history h;
    tale t(h);
    t.begin_with("a");
    t.lock_unknown().write("a", admission::closed, "the DCS cannot be reached").told();
    auto view = support::sample_view();
    view.changes = {h.changes().begin(), h.changes().end()};

    const auto all = boost::json::parse(proxy::admin::events_json(view));

    const auto& event = all.at("events").at(0);
    CHECK(event.at("kind") == "lost");
    CHECK(event.at("from") == "a");
    CHECK(event.at("to").is_null());
    CHECK(event.at("cause") == "the DCS cannot be reached");
    CHECK(event.at("steps").as_array().size() == 1);
}

TEST_SUITE_END();
