// SPDX-License-Identifier: PostgreSQL
#include "health/address.hpp"

#include "health/evidence.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using rolegate::config::address_map;
using rolegate::config::host_port;

TEST_SUITE_BEGIN("health/address");

TEST_CASE("addresses of a name keep their places, however the resolver shuffles them")
{
    CHECK(merge_addresses({}, {"10.0.0.2", "10.0.0.1"}) == address_list{"10.0.0.2", "10.0.0.1"});
    CHECK(
        merge_addresses({"10.0.0.1", "10.0.0.2"}, {"10.0.0.2", "10.0.0.3", "10.0.0.1"}) ==
        address_list{"10.0.0.1", "10.0.0.2", "10.0.0.3"}
    );
    CHECK(merge_addresses({"10.0.0.1"}, {"10.0.0.9"}) == address_list{"10.0.0.9"});
    CHECK(merge_addresses({"::1"}, {"127.0.0.1", "127.0.0.1"}) == address_list{"127.0.0.1"});

    address_list crowd;
    for (int i = 0; i < 100; ++i)
        crowd.push_back("10.0.0." + std::to_string(i));
    CHECK(merge_addresses({}, crowd).size() == max_addresses);
}

TEST_CASE("addresses are written as they are read")
{
    CHECK(host_and_port("10.0.0.1", 8008) == "10.0.0.1:8008");
    CHECK(host_and_port("fd00::1", 8008) == "[fd00::1]:8008");
    CHECK(host_and_port("db-1", 1) == "db-1:1");
}

TEST_CASE("a place is sought by host and port, then by host; a target without a port keeps it")
{
    const address_map map{
        {"172.17.0.2:5432", {"10.0.0.2", 15432}},
        {"172.17.0.2", {"10.0.0.2", 0}},
        {"[fd00::1]:5432", {"/run/postgresql", 0}},
        {"pg-3", {"/run/postgresql", 5433}},
    };
    CHECK(translate(map, {"172.17.0.2", 5432}) == host_port{"10.0.0.2", 15432});
    CHECK(translate(map, {"172.17.0.2", 8008}) == host_port{"10.0.0.2", 8008});
    CHECK(translate(map, {"fd00::1", 5432}) == host_port{"/run/postgresql", 5432});
    CHECK(translate(map, {"pg-3", 5432}) == host_port{"/run/postgresql", 5433});
    CHECK(translate(map, {"172.17.0.20", 5432}) == host_port{"172.17.0.20", 5432});
}

TEST_CASE("a listing is translated whole: PostgreSQL, the pooler and the REST API")
{
    const address_map map{
        {"172.17.0.2", {"10.0.0.2", 0}}, {"172.17.0.2:8008", {"10.0.0.2", 18008}}};
    cluster_listing listing;
    auto& m = listing.members.emplace_back();
    m.host = "172.17.0.2";
    m.port = 5432;
    m.pooler = {"172.17.0.2", 6432};
    m.api_url = "https://172.17.0.2:8008/patroni";

    translate(map, listing);

    CHECK(m.host == "10.0.0.2");
    CHECK(m.port == 5432);
    CHECK(m.pooler == host_port{"10.0.0.2", 6432});
    CHECK(m.api_url == "https://10.0.0.2:18008/patroni");
}

TEST_CASE("a REST API is not sought at a unix socket, and what is no URL stays as it is")
{
    const address_map map{{"10.0.0.1", {"/run/postgresql", 0}}};
    for (const std::string url :
         {"http://10.0.0.1:8008/patroni", "http://10.0.0.1/", "10.0.0.1", ""})
    {
        cluster_listing listing;
        listing.members.emplace_back().api_url = url;
        translate(map, listing);
        CHECK(listing.members.front().api_url == url);
    }
}

TEST_CASE("poolers are remembered until their member names none")
{
    std::map<std::string, host_port> poolers;
    cluster_listing listing;
    listing.members.resize(2);
    listing.members[0].name = "a";
    listing.members[0].pooler = {"10.0.0.1", 6432};
    listing.members[1].name = "b";

    take_poolers(listing, poolers);
    CHECK(poolers == std::map<std::string, host_port>{{"a", {"10.0.0.1", 6432}}});

    take_poolers({}, poolers);
    CHECK(poolers.size() == 1);
    listing.members[0].pooler = {};
    take_poolers(listing, poolers);
    CHECK(poolers.empty());
}

TEST_SUITE_END();
