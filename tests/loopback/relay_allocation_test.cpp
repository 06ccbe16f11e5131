// SPDX-License-Identifier: PostgreSQL
#include "tests/support/proxy_fixture.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using namespace rolegate::support;

namespace
{

constexpr int exchanges = 1000;

// Far below one an exchange. Sweeps, ten a second, may allocate.
constexpr std::uint64_t few = exchanges / 4;

byte_vector query()
{
    return bytes_of({"Q\0\0\0\x0dSELECT 1\0", 14});
}

byte_vector answer()
{
    return bytes_of({"C\0\0\0\x0dSELECT 1\0", 14}) + ready('I');
}

// Answers query after query, as long as the client sends any.
void answer_all(stream& s)
{
    while (s.receive(query().size()).size() == query().size())
        s.send(answer());
}

int exchange(stream& c, int times)
{
    int good = 0;
    for (int i = 0; i < times; ++i)
    {
        c.send(query());
        good += c.receive(answer().size()) == answer() ? 1 : 0;
    }
    return good;
}

} // namespace

TEST_SUITE("relay: allocations")
{
    TEST_CASE("a message that is read for its boundaries allocates nothing")
    {
        fake_postgres server(
            [](stream& s)
            {
                take_startup(s);
                s.send(login_answer());
                answer_all(s);
            }
        );
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        logged_in_client c(proxy);
        REQUIRE(exchange(c, 10) == 10);

        const auto before = proxy.allocations();
        CHECK(exchange(c, exchanges) == exchanges);
        CHECK(proxy.allocations() - before < few);
    }

    TEST_CASE("nor does one that cannot be read")
    {
        fake_postgres server(
            [](stream& s)
            {
                s.receive(8);
                s.send(bytes_of("S"));
                answer_all(s);
            }
        );
        proxy_fixture proxy;
        proxy.believe({{"a", server.port()}});
        client c(proxy.port());
        c.send(ssl_request());
        REQUIRE(c.receive(1) == bytes_of("S"));
        REQUIRE(exchange(c, 10) == 10);

        const auto before = proxy.allocations();
        CHECK(exchange(c, exchanges) == exchanges);
        CHECK(proxy.allocations() - before < few);
    }
}
