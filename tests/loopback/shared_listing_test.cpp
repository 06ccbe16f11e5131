// SPDX-License-Identifier: PostgreSQL
//
// What many who want to see the sessions cost the workers.
#include "proxy/admin/shared_listing.hpp"

#include "tests/support/run_until.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>
#include <string>

using namespace rolegate;
using namespace rolegate::support;
using proxy::session_query;
using proxy::admin::shared_listing;

namespace
{

namespace asio = boost::asio;
using lists = std::vector<proxy::session_list>;

// Those who ask, and a walk that goes on when the test lets it. The number of a walk stands in its
// answers.
class listing_fixture
{
public:
    void ask(session_query q)
    {
        ++asked;
        asio::co_spawn(
            ctx,
            listings.get(std::move(q)),
            [this](const std::exception_ptr& e, const proxy::admin::response& r)
            { e ? void(++failed) : answers.push_back(r.body); }
        );
        ctx.restart();
        ctx.poll();
    }

    // Until everybody has his answer.
    void run_open()
    {
        gate.expires_at(asio::steady_timer::time_point::min());
        ctx.restart();
        ctx.run_for(scaled(patience));
        CHECK(answers.size() + failed == asked);
    }

    [[nodiscard]] std::size_t answered_by(std::size_t walk) const
    {
        const auto total = "{\"total\":" + std::to_string(walk) + ",";
        return static_cast<std::size_t>(
            std::ranges::count_if(answers, [&](const auto& a) { return a.starts_with(total); })
        );
    }

    asio::awaitable<lists> walk(std::vector<session_query> queries)
    {
        walks.push_back(queries);
        const auto number = walks.size();
        co_await gate.async_wait(asio::as_tuple(asio::use_awaitable));
        if (number == failing_walk)
            throw std::runtime_error("no walk today");
        lists out(queries.size());
        for (auto& list : out)
            list.total = number;
        co_return out;
    }

    asio::io_context ctx{1};
    asio::steady_timer gate{ctx, asio::steady_timer::time_point::max()};
    std::vector<std::vector<session_query>> walks; // what was asked in each
    std::size_t failing_walk = 0;
    std::size_t asked = 0;
    std::size_t failed = 0;
    std::vector<std::string> answers;
    shared_listing listings{ctx, [this](auto queries) { return walk(std::move(queries)); }};
};

} // namespace

TEST_SUITE("admin/shared_listing")
{
    TEST_CASE("whoever asks while a walk is under way shares the next one with the others")
    {
        listing_fixture f;
        for (int i = 0; i < 1001; ++i)
            f.ask({});
        CHECK(f.walks.size() == 1);

        f.run_open();

        CHECK(f.walks.size() == 2);
        CHECK(f.answered_by(1) == 1);
        CHECK(f.answered_by(2) == 1000);
    }

    TEST_CASE("different queries share a walk, as many as the workers can bear")
    {
        listing_fixture f;
        f.ask({});
        for (int i = 0; i < 12; ++i)
            f.ask({"listener" + std::to_string(i), "", 1});
        f.ask({"", "", 4000});
        f.ask({"", "", 6000});
        f.ask({"", "", 6000});
        f.ask({"", "", 1});

        f.run_open();

        REQUIRE(f.walks.size() == 4);
        CHECK(f.walks[1].size() == shared_listing::most_queries);
        CHECK(f.walks[1].front().listener == "listener0"); // who came first
        CHECK(f.walks[2].size() == 5);                     // of 4000 rows and four
        CHECK(f.walks[3].size() == 2);
        CHECK(f.answered_by(4) == 3);
    }

    TEST_CASE("no more different queries wait than some walks can answer")
    {
        listing_fixture f;
        f.ask({});
        for (std::size_t i = 0; i < shared_listing::most_waiting; ++i)
            f.ask({"listener" + std::to_string(i), "", 1});
        CHECK(f.answers.empty());

        f.ask({"one more", "", 1});
        REQUIRE(f.answers.size() == 1);
        CHECK(f.answers.front().find("too many different lists") != std::string::npos);
        f.ask({"listener3", "", 1}); // somebody waits for that already
        CHECK(f.answers.size() == 1);

        f.run_open();
        CHECK(f.failed == 0);
        CHECK(f.answered_by(1) == 1);
        CHECK(f.answered_by(2) + f.answered_by(3) == shared_listing::most_waiting + 1);
    }

    TEST_CASE("a walk that fails is an error of those who shared it, and of no others")
    {
        listing_fixture f;
        f.failing_walk = 2;
        f.ask({});
        f.ask({});
        f.ask({});
        f.gate.expires_at(asio::steady_timer::time_point::min());
        f.run_open();
        CHECK(f.failed == 2);
        CHECK(f.answered_by(1) == 1);

        f.ask({});
        f.run_open();
        CHECK(f.answered_by(3) == 1);
    }
}
