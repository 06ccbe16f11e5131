// SPDX-License-Identifier: PostgreSQL
#include "proxy/event_loop.hpp"

#include <boost/asio/co_spawn.hpp>
#include <doctest/doctest.h>

#include <functional>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>
#include <vector>

using namespace rolegate;
using namespace std::chrono_literals;
using proxy::event_loop;
using clock_type = std::chrono::steady_clock;

namespace
{

// One end of a pair; what comes to the other is seen here.
struct watched final : event_loop::descriptor
{
    explicit watched(event_loop& l) : loop(l)
    {
        int pair[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
        ours.reset(pair[0]);
        theirs.reset(pair[1]);
    }
    ~watched() { loop.forget(*this, ours.get()); }

    void on_ready(std::uint32_t events) override
    {
        told.push_back(events);
        if (then)
            then();
    }

    bool ask(std::uint32_t events) { return loop.want(*this, ours.get(), events); }
    void write() { REQUIRE(::send(theirs.get(), "x", 1, 0) == 1); }

    event_loop& loop;
    proxy::unique_fd ours;
    proxy::unique_fd theirs;
    std::vector<std::uint32_t> told;
    std::function<void()> then;
};

void no_exception(const std::exception_ptr& e)
{
    CHECK(!e);
}

struct later final : event_loop::deferred
{
    void on_turn() override { act(); }
    std::function<void()> act;
};

} // namespace

TEST_SUITE("event_loop")
{
    TEST_CASE("a descriptor is told of what it has asked for, as long as it lasts")
    {
        event_loop loop;
        watched w(loop);
        REQUIRE(w.ask(EPOLLIN));
        w.write();
        w.then = [&]
        {
            if (w.told.size() == 3)
                loop.stop();
        };
        loop.run();
        CHECK(w.told == std::vector<std::uint32_t>{EPOLLIN, EPOLLIN, EPOLLIN});
    }

    TEST_CASE("one that has asked for nothing is not told of a hangup")
    {
        event_loop loop;
        watched w(loop);
        REQUIRE(w.ask(EPOLLIN));
        REQUIRE(w.ask(0));
        w.theirs.reset();
        event_loop::alarm end(loop);
        end.call_at(clock_type::now() + 20ms, proxy::completion([&](auto) { loop.stop(); }));
        loop.run();
        CHECK(w.told.empty());
    }

    TEST_CASE("who is forgotten is not told of what has been reported already")
    {
        event_loop loop;
        watched a(loop);
        watched b(loop);
        for (auto* w : {&a, &b})
        {
            REQUIRE(w->ask(EPOLLIN));
            w->write();
        }
        // Both are in one report; whoever comes first silences the other.
        a.then = [&]
        {
            loop.forget(b, b.ours.get());
            loop.stop();
        };
        b.then = [&]
        {
            loop.forget(a, a.ours.get());
            loop.stop();
        };
        loop.run();
        CHECK(a.told.size() + b.told.size() == 1);
    }

    TEST_CASE("what others post comes before the bytes that came behind it")
    {
        event_loop loop;
        watched w(loop);
        REQUIRE(w.ask(EPOLLIN));
        std::vector<char> order;
        w.then = [&]
        {
            order.push_back('b');
            loop.stop();
        };
        std::thread other(
            [&]
            {
                loop.post([&] { order.push_back('p'); });
                w.write();
            }
        );
        other.join();
        loop.run();
        CHECK(order == std::vector<char>{'p', 'b'});
    }

    TEST_CASE("alarms ring in their order, and not before their time")
    {
        event_loop loop;
        event_loop::alarm second(loop);
        event_loop::alarm first(loop);
        event_loop::alarm past(loop);
        const auto begin = clock_type::now();
        std::vector<int> rang;
        second.call_at(
            begin + 40ms,
            proxy::completion(
                [&](auto)
                {
                    rang.push_back(2);
                    CHECK(clock_type::now() >= begin + 40ms);
                    loop.stop();
                }
            )
        );
        first.call_at(begin + 20ms, proxy::completion([&](auto) { rang.push_back(1); }));
        past.call_at({}, proxy::completion([&](auto) { rang.push_back(0); }));
        loop.run();
        CHECK(rang == std::vector<int>{0, 1, 2});
    }

    TEST_CASE("a cancelled alarm lets its coroutine go on, one that is destroyed never does")
    {
        event_loop loop;
        auto dropped = std::make_unique<event_loop::alarm>(loop);
        event_loop::alarm waited(loop);
        std::vector<int> went_on;
        const auto wait =
            [&went_on](event_loop::alarm& on, int name) -> boost::asio::awaitable<void>
        {
            co_await on.wait_until(clock_type::time_point::max());
            went_on.push_back(name);
        };
        boost::asio::co_spawn(loop.get_executor(), wait(*dropped, 1), no_exception);
        boost::asio::co_spawn(loop.get_executor(), wait(waited, 2), no_exception);
        loop.post(
            [&]
            {
                dropped.reset();
                waited.cancel();
                waited.cancel();
                loop.post([&] { loop.stop(); });
            }
        );
        loop.run();
        CHECK(went_on == std::vector<int>{2});
    }

    TEST_CASE("one that defers itself lets the others have their turn")
    {
        event_loop loop;
        watched w(loop);
        REQUIRE(w.ask(EPOLLIN));
        w.write();
        later again;
        again.act = [&]
        {
            if (w.told.empty())
                loop.defer(again);
            else
                loop.stop();
        };
        loop.defer(again);
        loop.run();
        CHECK(!w.told.empty());
    }

    TEST_CASE("what one throws costs the others nothing")
    {
        event_loop loop;
        watched a(loop);
        watched b(loop);
        later c;
        std::vector<char> told;
        const auto tell = [&](watched& w, char name)
        {
            REQUIRE(w.ask(EPOLLIN));
            w.write();
            w.then = [&told, &w, name]
            {
                told.push_back(name);
                w.loop.forget(w, w.ours.get());
                throw std::runtime_error("out of luck");
            };
        };
        tell(a, 'a');
        tell(b, 'b');
        c.act = [&]
        {
            told.push_back('c');
            loop.stop();
        };
        loop.defer(c);
        loop.post([] { throw std::runtime_error("posted"); });
        int thrown = 0;
        for (bool more = true; more;)
            try
            {
                loop.run();
                more = false;
            }
            catch (const std::runtime_error&)
            {
                ++thrown;
            }
        CHECK(thrown == 3);
        CHECK(told == std::vector<char>{'a', 'b', 'c'});
    }
}
