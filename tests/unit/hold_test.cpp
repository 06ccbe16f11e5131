// SPDX-License-Identifier: PostgreSQL
#include "proxy/hold.hpp"

#include <doctest/doctest.h>

#include <list>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace rolegate::proxy;

namespace
{

using turn = hold::turn;

// A door that notes whom it wakes, and a topology of members that are open.
struct world
{
    explicit world(door_limits limits)
        : door(limits, [this](std::size_t, ticket t) { woken.push_back(t); })
    {
    }

    // The first open member that has a place.
    hold::choose_function choose()
    {
        return [this](const hold::room& room) -> std::string_view
        {
            for (const auto& m : open)
                if (!room.is_full(m, maxconn))
                    return m;
            return {};
        };
    }

    turn enter(hold::visit& v) { return v.enter(choose()); }

    std::vector<ticket> wakes() { return std::exchange(woken, {}); }

    std::vector<std::string> open{"a"};
    std::optional<std::size_t> maxconn; // of each member
    std::vector<ticket> woken;
    hold door;
};

using tickets = std::vector<ticket>;

} // namespace

TEST_SUITE_BEGIN("proxy/hold");

TEST_CASE("without limits a visit goes straight in, and its place is free when it ends")
{
    world w({.max_held = 10, .maxconn = {}});
    {
        hold::visit v(w.door, 3);
        CHECK(v.member().empty());

        CHECK(w.enter(v) == turn::entered);

        CHECK(v.member() == "a");
        CHECK_FALSE(v.waits());
        CHECK(w.door.sessions() == 1);
        v.connected();
        CHECK(v.member() == "a");
    }
    CHECK(w.door.sessions() == 0);
    CHECK(w.door.held() == 0);
    CHECK(w.wakes().empty());
}

TEST_CASE("why a visit does not go in")
{
    const auto full = [](const hold::room& r) -> std::string_view
    { return r.is_full("b", 0) ? "" : "b"; };
    const auto nobody = [](const hold::room&) { return std::string_view(); };
    const struct
    {
        door_limits limits;
        hold::choose_function choose;
        bool paused;
        turn expected;
    } rows[] = {
        {{1, {}}, nobody, false, turn::no_member},
        {{1, {}}, full, false, turn::full},
        {{1, 0}, nobody, false, turn::full},
        {{1, {}}, full, true, turn::paused},
        {{0, {}}, nobody, false, turn::queue_full},
        {{0, {}}, full, true, turn::queue_full},
    };
    for (const auto& row : rows)
    {
        CAPTURE(static_cast<int>(row.expected));
        hold door(row.limits, [](std::size_t, ticket) {});
        if (row.paused)
            door.pause();
        hold::visit v(door, 0);

        CHECK(v.enter(row.choose) == row.expected);

        CHECK(v.waits() == (row.expected != turn::queue_full));
        CHECK(door.held() == (row.expected == turn::queue_full ? 0 : 1));
        CHECK(door.sessions() == 0);
        CHECK(v.member().empty());
    }
}

TEST_CASE("maxconn of a member: the first that waits is woken when a place is free")
{
    world w({10, {}});
    w.maxconn = 1;
    hold::visit inside(w.door, 0);
    hold::visit first(w.door, 0);
    hold::visit second(w.door, 0);
    REQUIRE(w.enter(inside) == turn::entered);
    CHECK(w.enter(first) == turn::full);
    CHECK(w.enter(second) == turn::behind);
    CHECK(w.door.held() == 2);

    inside.connected();
    CHECK(w.wakes() == tickets{first.number()});
    CHECK(w.enter(first) == turn::full);
    CHECK(w.wakes().empty()); // it stays first and does not wake itself in a circle

    inside.leave();
    CHECK(w.wakes() == tickets{first.number()});
    CHECK(w.enter(first) == turn::entered);
    CHECK(w.wakes() == tickets{second.number()});
    CHECK(w.enter(second) == turn::full);
    CHECK(w.wakes().empty());
    CHECK(w.door.sessions() == 1);
}

TEST_CASE("maxconn of the listener counts over all members")
{
    world w({10, 2});
    hold::visit a(w.door, 0);
    hold::visit b(w.door, 0);
    hold::visit c(w.door, 0);
    REQUIRE(w.enter(a) == turn::entered);
    w.open = {"b"};
    REQUIRE(w.enter(b) == turn::entered);

    CHECK(w.enter(c) == turn::full);

    a.leave();
    CHECK(w.wakes() == tickets{c.number()});
    CHECK(w.enter(c) == turn::entered);
}

TEST_CASE("only so many connect to one member at once")
{
    world w({1000, {}});
    std::list<hold::visit> visits;
    for (std::size_t i = 0; i < max_connects_per_member; ++i)
        REQUIRE(w.enter(visits.emplace_back(w.door, 0)) == turn::entered);
    hold::visit late(w.door, 0);
    CHECK(w.enter(late) == turn::full);

    visits.front().connected();

    CHECK(w.wakes() == tickets{late.number()});
    CHECK(w.enter(late) == turn::entered);
    visits.front().connected(); // a second time: nothing
    hold::visit later(w.door, 0);
    CHECK(w.enter(later) == turn::full);
    w.open.push_back("b");
    CHECK(w.enter(later) == turn::entered);
    CHECK(later.member() == "b");
}

TEST_CASE("a promotion lets everybody in one by one, in the order they came")
{
    world w({10, {}});
    w.open.clear();
    std::list<hold::visit> visits;
    for (std::size_t i = 0; i < 4; ++i)
        CHECK(w.enter(visits.emplace_back(w.door, i)) == (i == 0 ? turn::no_member : turn::behind));

    w.open = {"a"};
    w.door.wake_head();

    for (auto v = visits.begin(); v != visits.end(); ++v)
    {
        REQUIRE(w.wakes() == tickets{v->number()});
        if (const auto next = std::next(v); next != visits.end())
            CHECK(w.enter(*next) == turn::behind); // not before the first, though a place is free
        CHECK(w.enter(*v) == turn::entered);
    }
    CHECK(w.wakes().empty());
    CHECK(w.door.held() == 0);
    CHECK(w.door.sessions() == 4);
}

TEST_CASE("the first goes away before its wake has arrived: the next is woken")
{
    world w({10, {}});
    w.open.clear();
    hold::visit first(w.door, 0);
    hold::visit second(w.door, 0);
    hold::visit third(w.door, 0);
    for (auto* v : {&first, &second, &third})
        REQUIRE(w.enter(*v) != turn::entered);
    w.open = {"a"};
    w.door.wake_head();
    REQUIRE(w.wakes() == tickets{first.number()});

    third.leave();
    CHECK(w.wakes().empty()); // nobody waited for that
    first.leave();
    CHECK(w.wakes() == tickets{second.number()});
    CHECK(w.enter(second) == turn::entered);
    CHECK(w.door.held() == 0);
}

TEST_CASE("two places free at once: the second one is found by the baton")
{
    world w({10, {}});
    w.maxconn = 2;
    std::list<hold::visit> inside;
    for (int i = 0; i < 2; ++i)
        REQUIRE(w.enter(inside.emplace_back(w.door, 0)) == turn::entered);
    hold::visit first(w.door, 0);
    hold::visit second(w.door, 0);
    CHECK(w.enter(first) == turn::full);
    CHECK(w.enter(second) == turn::behind);

    inside.clear();

    CHECK(w.wakes() == tickets{first.number(), first.number()});
    CHECK(w.enter(first) == turn::entered);
    CHECK(w.wakes() == tickets{second.number()});
    CHECK(w.enter(second) == turn::entered);
}

TEST_CASE("a visit that was refused keeps its place in the order, also in a queue that is full")
{
    world w({1, {}});
    w.maxconn = 1;
    hold::visit refused(w.door, 0);
    hold::visit later(w.door, 0);
    REQUIRE(w.enter(refused) == turn::entered);
    REQUIRE(w.enter(later) == turn::full);
    const auto number = refused.number();

    // Its member rests: it goes nowhere now, and the others wait behind it.
    CHECK(refused.enter([](const hold::room&) { return ""; }) == turn::no_member);

    CHECK(refused.number() == number);
    CHECK(refused.member().empty());
    CHECK(w.door.held() == 2);
    CHECK(w.door.sessions() == 0);
    CHECK(w.wakes().empty());
    CHECK(w.enter(later) == turn::behind);
    CHECK(w.enter(refused) == turn::entered); // its own timer
    CHECK(w.wakes() == tickets{later.number()});
}

TEST_CASE("a visit that tries again does not stand in its own way, and frees what it had")
{
    world w({10, {}});
    w.maxconn = 1;
    hold::visit v(w.door, 0);
    hold::visit waiting(w.door, 0);
    REQUIRE(w.enter(v) == turn::entered);
    REQUIRE(w.enter(waiting) == turn::full);

    CHECK(w.enter(v) == turn::entered);
    CHECK(w.wakes() == tickets{waiting.number()});
    CHECK(w.enter(waiting) == turn::full);
    v.connected();
    w.wakes();

    // Its member lost the role: another one is found.
    w.open = {"b"};
    CHECK(w.enter(v) == turn::entered);
    CHECK(v.member() == "b");
    CHECK(w.wakes() == tickets{waiting.number()}); // "a" is free
}

TEST_CASE("a pause holds everybody, and resume lets them in in order")
{
    world w({10, {}});
    hold::visit inside(w.door, 0);
    REQUIRE(w.enter(inside) == turn::entered);
    w.door.pause();
    CHECK(w.door.paused());
    hold::visit first(w.door, 0);
    hold::visit second(w.door, 0);
    CHECK(w.enter(first) == turn::paused);
    CHECK(w.enter(second) == turn::paused);

    inside.leave();
    w.door.wake_head();
    CHECK(w.wakes().empty());
    w.door.resume();

    CHECK_FALSE(w.door.paused());
    CHECK(w.wakes() == tickets{first.number()});
    CHECK(w.enter(first) == turn::entered);
    CHECK(w.enter(second) == turn::entered);
}

TEST_CASE("a pause between wake and try loses nothing")
{
    world w({10, {}});
    w.open.clear();
    hold::visit v(w.door, 0);
    REQUIRE(w.enter(v) == turn::no_member);
    w.open = {"a"};
    w.door.wake_head();
    w.door.pause();
    CHECK(w.enter(v) == turn::paused);
    w.wakes();

    w.door.resume();

    CHECK(w.wakes() == tickets{v.number()});
    CHECK(w.enter(v) == turn::entered);
}

TEST_CASE("a client over max_held is turned away, and may come again as a new one")
{
    world w({1, {}});
    w.open.clear();
    hold::visit first(w.door, 0);
    hold::visit second(w.door, 0);
    REQUIRE(w.enter(first) == turn::no_member);

    CHECK(w.enter(second) == turn::queue_full);

    CHECK(second.number() == 0);
    CHECK(w.door.held() == 1);
    first.leave();
    first.leave();
    CHECK(w.door.held() == 0);
    CHECK(w.enter(second) == turn::no_member);
}

TEST_CASE("a choice that throws leaves the door as it was")
{
    world w({10, {}});
    hold::visit v(w.door, 0);
    const auto bad = [](const hold::room&) -> std::string_view { throw std::bad_alloc(); };

    CHECK_THROWS_AS(static_cast<void>(v.enter(bad)), std::bad_alloc);
    CHECK(w.door.held() == 0);
    CHECK(w.enter(v) == turn::entered);
    CHECK_THROWS_AS(static_cast<void>(v.enter(bad)), std::bad_alloc);
    CHECK(w.door.sessions() == 0);
    w.open.clear();
    CHECK(w.enter(v) == turn::no_member);
    CHECK_THROWS_AS(static_cast<void>(v.enter(bad)), std::bad_alloc);
    CHECK(w.door.held() == 1);
    v.leave();
    CHECK(w.door.held() == 0);
}

TEST_CASE("the least used member can be chosen")
{
    world w({10, {}});
    std::list<hold::visit> visits;
    const auto least = [](const hold::room& r) -> std::string_view
    { return r.sessions("a") <= r.sessions("b") ? "a" : "b"; };
    std::string went;

    for (int i = 0; i < 4; ++i)
    {
        auto& v = visits.emplace_back(w.door, 0);
        REQUIRE(v.enter(least) == turn::entered);
        went += v.member();
        v.connected();
    }

    CHECK(went == "abab");
}

// --- one member only ---------------------------------------------------------------------------

namespace
{

// Wants this member and no other.
hold::choose_function wants(std::string_view member, std::size_t maxconn = 1)
{
    return [=](const hold::room& r) -> std::string_view
    {
        if (!r.is_full(member, maxconn))
            return member;
        r.wait_for(member);
        return {};
    };
}

} // namespace

TEST_CASE("who waits for one member is passed by those who want another, and by no one else")
{
    world w({10, {}});
    hold::visit a(w.door, 0);
    hold::visit a2(w.door, 0);
    hold::visit a3(w.door, 0);
    hold::visit b(w.door, 0);
    REQUIRE(a.enter(wants("a")) == turn::entered);
    CHECK(a2.enter(wants("a")) == turn::full);
    CHECK(a3.enter(wants("a")) == turn::full);
    CHECK(b.enter(wants("b")) == turn::entered);
    CHECK(w.door.held() == 2);
    CHECK(a2.waits_for() == turn::full);

    b.leave();
    CHECK(w.wakes().empty()); // nobody wants that one
    a.leave();
    CHECK(w.wakes() == tickets{a2.number()});
    hold::visit late(w.door, 0);
    CHECK(late.enter(wants("a")) == turn::full); // a place is free, but not for it
    CHECK(w.wakes().empty());
    CHECK(a2.enter(wants("a")) == turn::entered);
    CHECK(w.wakes() == tickets{a3.number()});
    CHECK(a3.enter(wants("a")) == turn::full);
    CHECK(w.wakes().empty());
    CHECK(late.number() > a3.number());
}

TEST_CASE("so many may wait for a member alone, and who does so may not wait for another")
{
    world w({10, {}});
    hold::visit inside(w.door, 0);
    REQUIRE(inside.enter(wants("a")) == turn::entered);
    bool a = false;
    bool b = false;
    const hold::choose_function look = [&](const hold::room& r) -> std::string_view
    {
        a = r.may_wait_for("a", 2);
        b = r.may_wait_for("b", 1);
        if (a)
            r.wait_for("a");
        return {};
    };
    std::list<hold::visit> visits;
    for (int i = 0; i < 2; ++i)
    {
        CHECK(visits.emplace_back(w.door, 0).enter(look) == turn::full);
        CHECK(a);
        CHECK(b);
    }
    hold::visit late(w.door, 0);
    CHECK(late.enter(look) == turn::no_member);
    CHECK_FALSE(a);
    CHECK(b);

    late.leave();
    CHECK(visits.front().enter(look) == turn::full);
    CHECK(a); // itself apart there is one
    CHECK_FALSE(b);
    w.door.wake_head();
    CHECK(visits.front().enter(look) == turn::full);
    CHECK(b);
}

TEST_CASE("a topology lets those who wait for a member choose again, in the order they came")
{
    world w({10, {}});
    hold::visit inside(w.door, 0);
    hold::visit first(w.door, 0);
    hold::visit second(w.door, 0);
    REQUIRE(inside.enter(wants("a")) == turn::entered);
    REQUIRE(first.enter(wants("a")) == turn::full);
    REQUIRE(second.enter(wants("a")) == turn::full);

    w.door.wake_head(); // "a" is closed, say

    CHECK(w.wakes() == tickets{first.number()});
    CHECK(second.enter(wants("b")) == turn::behind);
    CHECK(first.enter(wants("b")) == turn::entered);
    CHECK(w.wakes() == tickets{second.number()});
    CHECK(second.enter(wants("a")) == turn::full);
    inside.leave();
    CHECK(w.wakes() == tickets{second.number()});
}

TEST_CASE("whoever steps aside lets the next one try")
{
    world w({10, {}});
    hold::visit inside(w.door, 0);
    hold::visit first(w.door, 0);
    hold::visit second(w.door, 0);
    w.open.clear();
    REQUIRE(inside.enter(wants("a")) == turn::entered);
    REQUIRE(w.enter(first) == turn::no_member);
    REQUIRE(w.enter(second) == turn::behind);

    CHECK(first.enter(wants("a")) == turn::full);

    CHECK(w.wakes() == tickets{second.number()});
    CHECK(second.enter(wants("b")) == turn::entered);
}

TEST_CASE("when the first that waits for a member goes away, the next one is woken")
{
    world w({10, {}});
    hold::visit inside(w.door, 0);
    hold::visit first(w.door, 0);
    hold::visit second(w.door, 0);
    hold::visit third(w.door, 0);
    REQUIRE(inside.enter(wants("a")) == turn::entered);
    for (auto* v : {&first, &second, &third})
        REQUIRE(v->enter(wants("a")) == turn::full);
    inside.leave();
    REQUIRE(w.wakes() == tickets{first.number()});

    third.leave();
    CHECK(w.wakes().empty());
    first.leave(); // its wake was in vain
    CHECK(w.wakes() == tickets{second.number()});
    CHECK(second.enter(wants("a")) == turn::entered);
    CHECK(w.door.held() == 0);
}

TEST_CASE("who waited for a member and finds the listener full waits for any place")
{
    world w({10, 2});
    hold::visit a(w.door, 0);
    hold::visit b(w.door, 0);
    hold::visit waiting(w.door, 0);
    REQUIRE(a.enter(wants("a")) == turn::entered);
    REQUIRE(waiting.enter(wants("a")) == turn::full);
    REQUIRE(b.enter(wants("b")) == turn::entered);
    a.leave();
    REQUIRE(w.wakes() == tickets{waiting.number()});
    hold::visit quicker(w.door, 0);
    REQUIRE(quicker.enter(wants("c")) == turn::entered);

    CHECK(waiting.enter(wants("a")) == turn::full);
    b.leave();

    CHECK(w.wakes() == tickets{waiting.number()});
    CHECK(waiting.enter(wants("a")) == turn::entered);
}

TEST_CASE("who is woken for a member but must stand behind others passes the wake on")
{
    world w({10, {}});
    w.open.clear();
    hold::visit inside(w.door, 0);
    hold::visit rests(w.door, 0);
    hold::visit first(w.door, 0);
    hold::visit second(w.door, 0);
    REQUIRE(rests.enter(wants("b")) == turn::entered);
    REQUIRE(inside.enter(wants("a")) == turn::entered);
    REQUIRE(first.enter(wants("a")) == turn::full);
    REQUIRE(second.enter(wants("a")) == turn::full);
    CHECK(w.enter(rests) == turn::no_member); // refused by "b"
    inside.leave();
    REQUIRE(w.wakes() == tickets{first.number(), rests.number()});

    CHECK(first.enter(wants("a")) == turn::behind);
    CHECK(w.wakes() == tickets{second.number(), rests.number()});
    first.leave(); // or the place would be lost with it
    CHECK(second.enter(wants("a")) == turn::behind);
    w.wakes();
    rests.leave();
    CHECK(w.wakes() == tickets{second.number()});
    CHECK(second.enter(wants("a")) == turn::entered);
}

TEST_CASE("a pause calls those who wait for a member back, and resume lets them try")
{
    world w({10, {}});
    hold::visit inside(w.door, 0);
    hold::visit waiting(w.door, 0);
    REQUIRE(inside.enter(wants("a")) == turn::entered);
    REQUIRE(waiting.enter(wants("a")) == turn::full);
    w.door.pause();
    CHECK(waiting.waits_for() == turn::paused);
    inside.leave();
    CHECK(w.wakes().empty());

    w.door.resume();

    CHECK(w.wakes() == tickets{waiting.number()});
    CHECK(waiting.enter(wants("a")) == turn::entered);
}

TEST_SUITE_END();
