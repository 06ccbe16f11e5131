// SPDX-License-Identifier: PostgreSQL
//
// What is told to those who watch: of the traffic, of the process, of the files it lives on.
#include "proxy/certificate_ends.hpp"
#include "proxy/process_usage.hpp"

#include "tests/support/certificates.hpp"
#include "tests/support/front_fixture.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

using config::listener_role;

void log_in(client& c)
{
    c.send(startup());
    REQUIRE(c.receive(login_answer().size()) == login_answer());
}

} // namespace

TEST_SUITE("monitoring")
{
    TEST_CASE("peaks are those of all workers together, and stay")
    {
        fake_postgres server;
        front_fixture proxy({quick_listener()});
        proxy.believe("main", {{"a", server.port()}});
        {
            client one(proxy.port());
            log_in(one);
            client two(proxy.port());
            log_in(two);
            client three(proxy.port());
            log_in(three);
        }
        REQUIRE(run_until([&] { return proxy.relaying(0) == 0; }));
        client again(proxy.port());
        log_in(again);

        const auto t = proxy.front().listeners()[0]->traffic.so_far();
        CHECK(t.came == 4);
        CHECK(t.all.chosen == 4);
        CHECK(t.all.most_sessions == 3);
        CHECK(t.most_here == 3);
        CHECK(t.most_held == 0);
        CHECK(t.members.at("a").most_sessions == 3);
        CHECK(t.members.at("a").last.has_value());
        CHECK(t.clients.most() >= 1);
        const auto stats = proxy.stats(0).members.at("a");
        CHECK(stats.total_seconds.count == 3);
        CHECK(stats.failed == 0);
        CHECK(stats.retries == 0);
    }

    TEST_CASE("clients that wait together are the peak of the queue")
    {
        fake_postgres server;
        front_fixture proxy({quick_listener()});
        client one(proxy.port());
        client two(proxy.port());
        one.send(startup());
        two.send(startup());
        REQUIRE(run_until([&] { return proxy.stats(0).held == 2; }));

        proxy.believe("main", {{"a", server.port()}});

        CHECK(one.receive(login_answer().size()) == login_answer());
        CHECK(two.receive(login_answer().size()) == login_answer());
        const auto t = proxy.front().listeners()[0]->traffic.so_far();
        CHECK(t.most_held == 2);
        CHECK(t.most_here == 2);
    }

    TEST_CASE("a member that refuses is counted, and so is the way to another one")
    {
        fake_postgres refusing;
        fake_postgres good;
        refusing.refuse();
        front_fixture proxy({quick_listener(listener_role::primary)});
        proxy.believe("main", {{"a", refusing.port()}, {"b", good.port()}});

        // In turn: at least one of two comes to the first at first.
        client one(proxy.port());
        log_in(one);
        client two(proxy.port());
        log_in(two);

        const auto members = proxy.stats(0).members;
        const auto failed = members.at("a").failed;
        CHECK(failed >= 1);
        CHECK(members.at("b").retries == failed);
        CHECK(members.at("b").redispatches == failed);
        CHECK(members.at("b").failed == 0);
        CHECK(proxy.front().listeners()[0]->traffic.so_far().members.at("a").chosen == failed);
    }

    TEST_CASE("the process tells what it has")
    {
        const auto before = proxy::usage_now();
        const std::ifstream one_more("/proc/self/stat");
        const auto after = proxy::usage_now();

        REQUIRE(before.open_fds);
        CHECK(*after.open_fds == *before.open_fds + 1);
        REQUIRE(after.resident_bytes);
        CHECK(*after.resident_bytes > 1'000'000);
        CHECK(after.cpu_seconds >= before.cpu_seconds);
        REQUIRE(after.started);
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const auto age = std::chrono::duration<double>(now).count() - *after.started;
        CHECK(age >= -1);
        CHECK(age < 24 * 3600);
    }

    TEST_CASE("a chain ends with its first certificate, trusted ones with the last")
    {
        const certificates files;
        const auto joined = files.path("both.crt");
        certificates::openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "
            "/CN=long -keyout " +
            files.path("long.key") + " -out " + files.path("long.crt")
        );
        std::ofstream(joined) << std::ifstream(files.path("long.crt")).rdbuf()
                              << std::ifstream(files.ca()).rdbuf();
        std::filesystem::copy_file(joined, files.path("trusted.crt"));
        config::settings s;
        auto& tls = s.listeners.emplace_back().tls;
        tls.cert = joined;
        tls.ca = files.path("trusted.crt");
        s.clusters.emplace_back().patroni.tls.emplace().ca = files.path("missing.crt");

        const auto ends = proxy::read_certificate_ends(s);

        CHECK(ends.size() == 2);
        const auto now = std::chrono::system_clock::now();
        CHECK(ends.at(joined) > now + 40h);
        CHECK(ends.at(joined) < now + 50h); // the CA of the tests lives for two days
        CHECK(ends.at(tls.ca) > now + 24h * 29);
        CHECK(ends.at(tls.ca) < now + 24h * 31);
    }
}
