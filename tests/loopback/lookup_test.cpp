// SPDX-License-Identifier: PostgreSQL
//
// Host names whose look-ups hang beside others that do not.
#include "health/lookup.hpp"
#include "health/resolve.hpp"
#include "tests/support/scripted_names.hpp"

#include <doctest/doctest.h>

#include <boost/asio/co_spawn.hpp>

#include <optional>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;
using health::address_list;
using health::lookup_limits;
using health::lookup_pool;
using health::name_cache;

namespace
{

lookup_limits few_threads(std::size_t threads)
{
    lookup_limits l;
    l.threads = threads;
    l.slow_threads = threads;
    return l;
}

// A control thread's io_context that the test itself turns, and what its names stand for.
struct world
{
    explicit world(const lookup_limits& limits = {})
        : pool(boost::asio::make_service<lookup_pool>(control, names.how(), limits))
    {
    }

    bool until(const std::function<bool()>& predicate)
    {
        return run_until(
            [&]
            {
                control.restart();
                control.poll();
                return predicate();
            }
        );
    }

    bool knows(name_cache& cache, const std::string& host, const address_list& addresses)
    {
        return until(
            [&]
            {
                cache.want(host);
                const auto found = cache.addresses().find(host);
                return found != cache.addresses().end() && found->second == addresses;
            }
        );
    }

    // What a coroutine gets that asks for the address; nothing where it is not answered.
    std::optional<std::string>
    address_of(name_cache& cache, const std::string& host, std::chrono::milliseconds limit)
    {
        std::optional<std::string> got;
        boost::asio::co_spawn(
            control,
            cache.address_of(host, limit),
            [&got](const std::exception_ptr& e, std::string address)
            {
                if (!e)
                    got = std::move(address);
            }
        );
        static_cast<void>(until([&] { return got.has_value(); }));
        return got;
    }

    scripted_names names;
    boost::asio::io_context control{1};
    lookup_pool& pool;
};

// Asks the pool itself, and keeps the answer.
struct question
{
    question(world& w, const std::string& host)
    {
        w.pool.ask(host, [to = answer](const auto& found) { *to = found; });
    }

    [[nodiscard]] bool answered() const { return answer->has_value(); }

    std::shared_ptr<std::optional<address_list>> answer =
        std::make_shared<std::optional<address_list>>();
};

} // namespace

TEST_SUITE("lookup")
{
    TEST_CASE("a name that hangs delays no other one")
    {
        world w;
        w.names.hang("dead.test");
        w.names.say("db.test", {"fd00::1", "10.0.0.1"});
        name_cache cache(w.control, [] {});
        cache.want("dead.test");
        REQUIRE(w.until([&] { return w.names.under_way() == 1; }));

        CHECK(w.address_of(cache, "db.test", scaled(10s)) == "fd00::1");
        CHECK(cache.addresses().at("db.test") == address_list{"fd00::1", "10.0.0.1"});
        CHECK(w.address_of(cache, "dead.test", 30ms) == "");
        CHECK(w.names.under_way() == 1);
        CHECK(w.names.asked("dead.test") == 1);

        w.names.say("dead.test", {"10.0.0.2"});
        w.names.release("dead.test");
        CHECK(w.knows(cache, "dead.test", {"10.0.0.2"}));
    }

    TEST_CASE("whoever asks for a name that is being looked up shares the answer")
    {
        world w;
        w.names.hang("db.test");
        w.names.say("db.test", {"10.0.0.1"});
        name_cache one(w.control, [] {});
        name_cache other(w.control, [] {});
        one.want("db.test");
        REQUIRE(w.until([&] { return w.names.under_way() == 1; }));
        other.want("db.test");
        other.want("db.test");

        w.names.release("db.test");

        CHECK(w.knows(one, "db.test", {"10.0.0.1"}));
        CHECK(w.knows(other, "db.test", {"10.0.0.1"}));
        CHECK(w.names.asked("db.test") == 1);
    }

    TEST_CASE("the last good answer is kept as long as a new one does not come")
    {
        world w;
        w.names.say("db.test", {"10.0.0.1"});
        int changes = 0;
        name_cache cache(w.control, [&changes] { ++changes; });
        REQUIRE(w.knows(cache, "db.test", {"10.0.0.1"}));
        w.names.hang("db.test");
        w.names.say("db.test", {"10.0.0.2"});
        cache.avoid("db.test", "10.0.0.1");
        const auto asked_again = [&]
        {
            cache.want("db.test");
            return w.names.under_way() == 1;
        };
        REQUIRE(w.until(asked_again));

        CHECK(w.address_of(cache, "db.test", 0ms) == "10.0.0.1");
        CHECK(changes == 1);

        w.names.release("db.test");
        CHECK(w.knows(cache, "db.test", {"10.0.0.2"}));
        CHECK(changes == 2);
    }

    TEST_CASE("names that hang hold every thread: no more are started, others wait with a limit")
    {
        world w(few_threads(3));
        w.names.say("known.test", {"10.0.0.1"});
        w.names.say("new.test", {"10.0.0.2"});
        name_cache cache(w.control, [] {});
        REQUIRE(w.knows(cache, "known.test", {"10.0.0.1"}));
        for (int i = 0; i < 20; ++i)
        {
            const auto host = "dead" + std::to_string(i) + ".test";
            w.names.hang(host);
            cache.want(host);
        }
        REQUIRE(w.until([&] { return w.names.under_way() == 3; }));

        CHECK(w.address_of(cache, "new.test", 50ms) == "");
        CHECK(w.address_of(cache, "known.test", 0ms) == "10.0.0.1");
        CHECK(w.names.asked("new.test") == 0);

        w.names.release_all();
        CHECK(w.knows(cache, "new.test", {"10.0.0.2"}));
        CHECK(w.names.most_under_way() == 3);
    }

    TEST_CASE("names that were slow before leave threads to the others")
    {
        lookup_limits limits;
        limits.threads = 2;
        limits.slow_threads = 1;
        limits.slow = 20ms;
        world w(limits);
        w.names.say("db.test", {"10.0.0.1"});
        for (const auto* host : {"dead1.test", "dead2.test"})
            w.names.hang(host);
        const question first(w, "dead1.test");
        const question second(w, "dead2.test");
        REQUIRE(w.until([&] { return w.names.under_way() == 2; }));
        const auto began = health::clock::now();
        REQUIRE(w.until([&] { return health::clock::now() - began > limits.slow; }));
        w.names.release_all();
        REQUIRE(w.until([&] { return first.answered() && second.answered(); }));

        for (const auto* host : {"dead1.test", "dead2.test"})
            w.names.hang(host);
        const question again(w, "dead1.test");
        const question waits(w, "dead2.test");
        REQUIRE(w.until([&] { return w.names.under_way() == 1; }));
        const question quick(w, "db.test");

        CHECK(w.until([&] { return quick.answered(); }));
        CHECK(**quick.answer == address_list{"10.0.0.1"});
        CHECK(w.names.asked("dead1.test") == 2);
        CHECK(w.names.asked("dead2.test") == 1);
        w.names.release("dead1.test");
        CHECK(w.until([&] { return w.names.asked("dead2.test") == 2; }));
        CHECK(again.answered());
        w.names.release_all();
        CHECK(w.until([&] { return waits.answered(); }));
    }

    TEST_CASE("only so many names wait; one more is told at once that there is no answer")
    {
        auto limits = few_threads(1);
        limits.names = 2;
        world w(limits);
        w.names.hang("dead.test");
        w.names.say("b.test", {"10.0.0.2"});
        w.names.say("c.test", {"10.0.0.3"});
        const question a(w, "dead.test");
        const question b(w, "b.test");
        REQUIRE(w.until([&] { return w.names.under_way() == 1; }));

        const question c(w, "c.test");
        const question b_again(w, "b.test");

        CHECK(w.until([&] { return c.answered(); }));
        CHECK((*c.answer)->empty());
        CHECK_FALSE(a.answered());
        CHECK_FALSE(b.answered());
        w.names.release_all();
        CHECK(w.until([&] { return b.answered() && b_again.answered(); }));
        CHECK(**b_again.answer == address_list{"10.0.0.2"});
        const question c_again(w, "c.test");
        CHECK(w.until([&] { return c_again.answered(); }));
        CHECK(**c_again.answer == address_list{"10.0.0.3"});
    }

    TEST_CASE("nobody is called who has gone while his look-up hangs")
    {
        auto w = std::make_unique<world>();
        w->names.hang("dead.test");
        auto cache = std::make_unique<name_cache>(w->control, [] {});
        cache->want("dead.test");
        REQUIRE(w->until([&] { return w->names.under_way() == 1; }));
        cache.reset();
        const question other(*w, "other.test");
        REQUIRE(w->until([&] { return other.answered(); }));

        w->names.release_all();
        const question last(*w, "dead.test");
        CHECK(w->until([&] { return last.answered(); }));
    }

    TEST_CASE("the end waits for no look-up that hangs, nor for those behind it")
    {
        scripted_names names;
        names.hang("dead.test");
        auto control = std::make_unique<boost::asio::io_context>(1);
        auto& pool = boost::asio::make_service<lookup_pool>(*control, names.how(), few_threads(1));
        const auto heard = std::make_shared<int>(0);
        for (const auto* host : {"dead.test", "waits.test"})
            pool.ask(host, [heard](const auto&) { ++*heard; });
        REQUIRE(run_until([&] { return names.under_way() == 1; }));

        control.reset(); // would never end

        CHECK(names.under_way() == 1);
        CHECK(heard.use_count() == 1);
        names.release_all();
        CHECK(run_until([&] { return names.under_way() == 0; }));
        CHECK(names.asked("waits.test") == 0);
        CHECK(*heard == 0);
    }

    TEST_CASE("the system's own answers")
    {
        const auto localhost = health::look_up("localhost");
        REQUIRE(!localhost.empty());
        CHECK(std::ranges::all_of(
            localhost, [](const auto& a) { return a == "127.0.0.1" || a == "::1"; }
        ));
        CHECK(health::look_up("no.such.host.invalid").empty());
        CHECK(health::look_up("10.0.0.1") == address_list{"10.0.0.1"});
    }
}
