// SPDX-License-Identifier: PostgreSQL
#include "proxy/listen_fds.hpp"

#include <doctest/doctest.h>

#include <utility>

using namespace rolegate::proxy;

namespace
{

constexpr long self = 4711;

std::vector<named_descriptor> found(
    std::optional<std::string> pid,
    std::optional<std::string> fds,
    std::optional<std::string> names = std::nullopt,
    std::optional<std::string> upgrades = std::nullopt
)
{
    return listen_fds(
        {std::move(pid), std::move(fds), std::move(names), std::move(upgrades)}, self
    );
}

using all = std::vector<named_descriptor>;

} // namespace

TEST_SUITE("descriptors that a process was started with")
{
    TEST_CASE("from 3 on, with their names")
    {
        CHECK(
            found("4711", "3", "write:read:admin") == all{{3, "write"}, {4, "read"}, {5, "admin"}}
        );
    }

    TEST_CASE("names are optional, and some may be missing")
    {
        CHECK(found("4711", "2") == all{{3, "unknown"}, {4, "unknown"}});
        CHECK(found("4711", "3", "write") == all{{3, "write"}, {4, "unknown"}, {5, "unknown"}});
        CHECK(found("4711", "3", "a::c") == all{{3, "a"}, {4, "unknown"}, {5, "c"}});
        CHECK(found("4711", "1", "a:b") == all{{3, "a"}});
        CHECK(found("4711", "1", "") == all{{3, "unknown"}});
    }

    TEST_CASE("they are for one process alone")
    {
        CHECK(found("4712", "2").empty());
        CHECK(found(std::nullopt, "2").empty());
        CHECK(found("", "2").empty());
        CHECK(found("4711x", "2").empty());
    }

    TEST_CASE("who hands over cannot know our process id")
    {
        CHECK(found(std::nullopt, "1", "write", "4710") == all{{3, "write"}});
    }

    TEST_CASE("a number that is none, or beyond all reason")
    {
        for (const char* fds : {"", "x", "1x", "-1", "0", "4097", "99999999999999999999"})
            CHECK(found("4711", fds).empty());
        CHECK(found("4711", std::nullopt).empty());
        CHECK(found("4711", "4096").size() == 4096);
    }
}
