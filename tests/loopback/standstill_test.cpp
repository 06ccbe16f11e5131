// SPDX-License-Identifier: PostgreSQL
#include "proxy/standstill.hpp"

#include "tests/support/run_until.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <thread>

using namespace rolegate;
using namespace std::chrono_literals;
using proxy::event_loop;
using proxy::standstill;

namespace
{

class running_loop
{
public:
    running_loop() : thread_([this] { loop.run(); }) {}
    ~running_loop()
    {
        loop.stop();
        thread_.join();
    }
    running_loop(const running_loop&) = delete;
    running_loop& operator=(const running_loop&) = delete;

    event_loop loop;

private:
    std::thread thread_;
};

} // namespace

TEST_SUITE("standstill")
{
    TEST_CASE("while it lives no loop turns; then all go on")
    {
        running_loop a;
        running_loop b;
        std::atomic<int> done = 0;
        {
            const standstill still({&a.loop, &b.loop}, support::scaled(10s));
            for (auto* l : {&a, &b})
                l->loop.post([&done] { ++done; });
            CHECK(done == 0);
        }
        CHECK(support::run_until([&done] { return done == 2; }));
    }

    TEST_CASE("one that does not turn is told of, and the others go on")
    {
        running_loop a;
        event_loop hangs;
        std::atomic<bool> done = false;
        CHECK_THROWS_AS(standstill({&a.loop, &hangs}, 1ms), std::runtime_error);
        a.loop.post([&done] { done = true; });
        CHECK(support::run_until([&done] { return done.load(); }));
        // Whoever comes too late is not kept.
        hangs.post([&hangs] { hangs.stop(); });
        hangs.run();
    }
}
