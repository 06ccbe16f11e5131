// SPDX-License-Identifier: PostgreSQL
#include "health/succession.hpp"
#include "tests/support/monitor_fixture.hpp"
#include "tests/support/ports.hpp"
#include "tests/support/proxy_fixture.hpp"

#include <boost/asio/post.hpp>

#include <doctest/doctest.h>

#include <future>
#include <stdexcept>
#include <thread>
#include <utility>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

// Counts the moments at which nobody was open for writes though somebody had been.
class gap_observer final : public health::observer
{
public:
    void on_topology(const health::topology_ptr& t, bool) override
    {
        if (std::exchange(fails_next, false))
            throw std::runtime_error("nothing is heard today");
        seen.on_topology(t, true);
        const std::lock_guard lock(mutex_);
        had_primary_ = had_primary_ || t->primary();
        gaps_ += had_primary_ && !t->primary() ? 1 : 0;
    }
    void on_check(const health::check& c) override { seen.on_check(c); }

    [[nodiscard]] std::size_t gaps() const
    {
        const std::lock_guard lock(mutex_);
        return gaps_;
    }
    [[nodiscard]] bool leads(const std::string& name) const
    {
        const auto t = seen.latest();
        return t && t->primary() && t->primary()->name == name;
    }

    recorder seen;
    bool fails_next = false; // on the control thread

private:
    mutable std::mutex mutex_;
    bool had_primary_ = false;
    std::size_t gaps_ = 0;
};

class running_succession
{
public:
    explicit running_succession(const config::cluster_settings& settings)
        : succession_(control_, settings, told)
    {
        succession_.set_demands(write_and_read());
        succession_.start();
        thread_ = std::thread([this] { control_.run(); });
    }
    ~running_succession()
    {
        ask(
            [](auto& s)
            {
                s.stop();
                return true;
            }
        );
        thread_.join(); // nothing of any of them is under way
    }
    running_succession(const running_succession&) = delete;
    running_succession& operator=(const running_succession&) = delete;

    void use(const config::cluster_settings& settings)
    {
        ask(
            [&settings](auto& s)
            {
                s.appoint(s.prepare(settings));
                return true;
            }
        );
    }
    void demand(const std::vector<health::demand>& d)
    {
        ask(
            [&d](auto& s)
            {
                s.set_demands(d);
                return true;
            }
        );
    }
    // Whether it throws when nobody hears the outcome.
    [[nodiscard]] bool fails_to_demand(const std::vector<health::demand>& d)
    {
        return ask(
            [this, &d](auto& s)
            {
                told.fails_next = true;
                try
                {
                    s.set_demands(d);
                }
                catch (const std::runtime_error&)
                {
                    return true;
                }
                return false;
            }
        );
    }
    void obey(const health::operator_orders& orders)
    {
        ask(
            [&orders](auto& s)
            {
                s.obey(orders);
                return true;
            }
        );
    }
    [[nodiscard]] std::optional<health::succession::wait> waiting()
    {
        std::optional<health::succession::wait> is;
        ask(
            [&is](auto& s)
            {
                is = s.waiting();
                return true;
            }
        );
        return is;
    }
    [[nodiscard]] bool pending()
    {
        return ask([](auto& s) { return s.pending(); });
    }

    gap_observer told;

private:
    template <class Question> bool ask(Question question)
    {
        std::promise<bool> answer;
        boost::asio::post(control_, [&] { answer.set_value(question(succession_)); });
        return answer.get_future().get();
    }

    boost::asio::io_context control_{1};
    health::succession succession_;
    std::thread thread_;
};

} // namespace

TEST_SUITE("succession")
{
    TEST_CASE("who follows by new settings takes over without a gap, and the old one ends")
    {
        fake_cluster cluster(2);
        auto settings = following({&cluster["a"], &cluster["b"]});
        running_succession s(settings);
        REQUIRE(run_until([&] { return s.told.leads("a"); }));

        settings.patroni.members.pop_back();
        settings.patroni.interval = 70ms;
        for (int i = 1; i <= 20; ++i)
        {
            settings.patroni.timeout += 1ms;
            s.use(settings);
            if (i % 2 == 0) // else it is replaced before it has seen anything
                REQUIRE(run_until([&] { return !s.pending(); }));
        }
        REQUIRE(run_until([&] { return !s.pending(); }));

        CHECK(s.told.gaps() == 0);
        CHECK(s.told.leads("a"));
        CHECK_FALSE(s.told.seen.generation_shrank());
        cluster.lead("b");
        CHECK(run_until([&] { return s.told.leads("b"); }));
        CHECK(s.told.seen.most_writers() == 1);
    }

    TEST_CASE("while the new settings lead nowhere the old ones hold, also through a role change")
    {
        fake_cluster cluster(2);
        const auto good = following({&cluster["a"], &cluster["b"]});
        running_succession s(good);
        REQUIRE(run_until([&] { return s.told.leads("a"); }));

        auto wrong = good;
        wrong.patroni.tls.emplace().verify = false; // they speak plain HTTP
        s.use(wrong);
        cluster.lead("b");
        REQUIRE(run_until([&] { return s.told.leads("b"); }));
        CHECK(s.pending());

        s.use(good);
        CHECK(run_until([&] { return !s.pending(); }));
        CHECK(s.told.leads("b"));
        CHECK(s.told.seen.most_writers() == 1);
    }

    TEST_CASE("settings that never come to hold say why they wait")
    {
        fake_cluster cluster(2);
        const auto good = following({&cluster["a"], &cluster["b"]});
        running_succession s(good);
        REQUIRE(run_until([&] { return s.told.leads("a"); }));
        CHECK_FALSE(s.waiting());

        auto wrong = good;
        wrong.patroni.tls.emplace().verify = false; // they speak plain HTTP
        s.use(wrong);
        const std::string refused = " over rest: ";
        REQUIRE(run_until([&] { return s.waiting()->reason.find(refused) != std::string::npos; }));
        const auto w = s.waiting();
        CHECK(w->reason.find("nobody has said yet what the cluster is; ") == 0);
        CHECK(w->usual >= 3 * wrong.patroni.interval);
        CHECK(w->since <= health::clock::now());
        CHECK(s.told.leads("a"));

        s.use(good);
        CHECK(run_until([&] { return !s.waiting(); }));
    }

    TEST_CASE("other demands are met at once, and nothing that is known is lost")
    {
        fake_cluster cluster(2);
        running_succession s(following({&cluster["a"]}));
        REQUIRE(run_until([&] { return s.told.leads("a"); }));
        const auto generation = s.told.seen.latest()->generation;

        auto demands = write_and_read();
        demands.push_back(demand_of(config::listener_role::any, "any"));
        s.demand(demands);

        const auto t = s.told.seen.latest(); // already
        CHECK(t->generation > generation);
        REQUIRE(t->find("a"));
        REQUIRE(t->find("a")->grants.size() == 3);
        CHECK(t->find("a")->grants[0].verdict == health::admission::open);
        CHECK(t->find("a")->grants[2].verdict == health::admission::open);
        CHECK(s.told.gaps() == 0);
    }

    TEST_CASE("demands that could not be told keep nobody from taking over later")
    {
        fake_cluster cluster(2);
        auto settings = following({&cluster["a"], &cluster["b"]});
        running_succession s(settings);
        REQUIRE(run_until([&] { return s.told.leads("a"); }));
        auto demands = write_and_read();
        demands.push_back(demand_of(config::listener_role::any, "any"));
        REQUIRE(s.fails_to_demand(demands));

        settings.patroni.timeout += 1ms;
        s.use(settings);

        CHECK(run_until([&] { return !s.pending(); }));
    }

    TEST_CASE("an order by which the new one can take over is heard by it as well")
    {
        fake_cluster cluster(2);
        auto settings = following({&cluster["a"], &cluster["b"]});
        running_succession s(settings);
        const auto is_open = [&](const char* name)
        {
            const auto t = s.told.seen.latest();
            const auto* m = t ? t->find(name) : nullptr;
            return m && m->grants.size() == 2 &&
                   (m->grants[0].verdict == health::admission::open ||
                    m->grants[1].verdict == health::admission::open);
        };
        REQUIRE(run_until([&] { return is_open("a") && is_open("b"); }));

        // By the new settings nobody is open.
        fake_patroni checked;
        checked.answer("/ready", reply::json("{}", 503));
        auto& check = settings.check.emplace();
        check.inter = 20ms;
        check.timeout = scaled(2000ms);
        check.http = config::http_check_settings{"GET", "/ready", checked.port(), 0};
        s.use(settings);
        REQUIRE(s.pending());
        health::operator_orders orders;
        orders["a"] = {health::operator_state::drain, "by a test"};
        orders["b"] = {health::operator_state::drain, "by a test"};
        s.obey(orders);

        CHECK(run_until([&] { return !s.pending(); }));
        const auto t = s.told.seen.latest();
        for (const char* name : {"a", "b"})
        {
            REQUIRE(t->find(name));
            CHECK(t->find(name)->order.state == health::operator_state::drain);
        }
    }

    TEST_CASE("nothing of those that were replaced is left")
    {
        fake_cluster cluster(2);
        auto settings = following({&cluster["a"]});
        const auto before = open_descriptors();
        {
            running_succession s(settings);
            REQUIRE(run_until([&] { return s.told.leads("a"); }));
            for (int i = 0; i < 100; ++i)
            {
                settings.patroni.timeout += 1ms;
                s.use(settings);
            }
            REQUIRE(run_until([&] { return !s.pending(); }));
        }
        CHECK(run_until([&] { return open_descriptors() <= before; }));
    }
}
