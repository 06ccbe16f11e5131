// SPDX-License-Identifier: PostgreSQL
#include "config/seeds.hpp"

#include <doctest/doctest.h>

using namespace rolegate::config;

namespace
{

std::string problems_of(const seed_options& options)
{
    std::string out;
    for (const problem& p : settings_from_seeds(options).problems)
        out += to_string(p) + "\n";
    return out;
}

} // namespace

TEST_SUITE_BEGIN("config/seeds");

TEST_CASE("seeds make one cluster and a listener for each role")
{
    seed_options options;
    options.patroni = "10.0.0.1:8008,batman:8008,[::1]:8008";

    const load_result made = settings_from_seeds(options);

    CHECK(made.problems.empty());
    settings expected;
    cluster_settings cluster;
    cluster.name = "main";
    cluster.patroni.members = {{"10.0.0.1", 8008}, {"batman", 8008}, {"::1", 8008}};
    expected.clusters.push_back(cluster);
    listener_settings listener;
    listener.name = "write";
    listener.bind = {{"*", 5432}};
    listener.cluster = "main";
    expected.listeners.push_back(listener);
    listener.name = "read";
    listener.bind = {{"*", 5433}};
    listener.role = listener_role::replica;
    expected.listeners.push_back(listener);
    CHECK(made.value == expected);
}

TEST_CASE("every option is used")
{
    const load_result made =
        settings_from_seeds({"a:1", "127.0.0.1:6432", "[::1]:6433", "0.0.0.0:7001"});

    CHECK(made.problems.empty());
    CHECK(made.value.listeners[0].bind == std::vector<host_port>{{"127.0.0.1", 6432}});
    CHECK(made.value.listeners[1].bind == std::vector<host_port>{{"::1", 6433}});
    CHECK(made.value.admin.bind == host_port{"0.0.0.0", 7001});

    const load_result on_unix = settings_from_seeds({"a:1", "unix:/w", "unix:/r:5433", "*:1"});
    CHECK(on_unix.problems.empty());
    CHECK(on_unix.value.listeners[0].bind == std::vector<host_port>{{"/w", 0}});
    CHECK(on_unix.value.listeners[1].bind == std::vector<host_port>{{"/r/.s.PGSQL.5433", 0}});
}

TEST_CASE("problems name their option, in the order of the options")
{
    CHECK(
        problems_of({"", "*:1", "*:2", "*:3"}) ==
        "--patroni: expected HOST:PORT such as 10.0.0.1:8008, got ''\n"
    );
    CHECK(
        problems_of({"a:1,,b:1", "*:1", "*:2", "*:3"}) ==
        "--patroni: expected HOST:PORT such as 10.0.0.1:8008, got ''\n"
    );
    CHECK(
        problems_of({"a:1,b:1,a:1", "localhost:1", "*", "5"}) ==
        "--patroni: duplicate member 'a:1'\n"
        "--write-bind: 'localhost' is not an IP address; a bind takes one, or *\n"
        "--read-bind: expected ADDR:PORT such as *:5432 or [::]:5432, got '*'\n"
        "--admin-bind: expected ADDR:PORT such as *:5432 or [::]:5432, got '5'\n"
    );
    CHECK(
        problems_of({"a:1", "unix:w", "*:1", "unix:/admin"}) ==
        "--write-bind: a unix socket needs an absolute path such as unix:/run/rolegate/write, got "
        "'unix:w'\n"
    );
    CHECK(
        problems_of({"a:1", "*:1", "127.0.0.1:1", "0.0.0.0:1"}) ==
        "--read-bind: listener 'read' cannot bind '127.0.0.1:1': listener 'write' binds '*:1'\n"
        "--admin-bind: admin cannot bind '0.0.0.0:1': listener 'write' binds '*:1'\n"
    );
}

TEST_SUITE_END();
