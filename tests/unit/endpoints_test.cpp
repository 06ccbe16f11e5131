// SPDX-License-Identifier: PostgreSQL
#include "health/endpoints.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using health::endpoint_book;

namespace
{

health::cluster_listing listing_of(const std::string& name, const std::string& api_url)
{
    health::listed_member m;
    m.name = name;
    m.api_url = api_url;
    health::cluster_listing listing;
    listing.members.push_back(m);
    return listing;
}

} // namespace

TEST_SUITE("endpoints")
{
    TEST_CASE("a listing tells whose a seed is, but not how to speak to it")
    {
        endpoint_book book(false);
        book.add_seed("10.0.0.1", 8008, false);

        book.adopt(listing_of("a", "https://10.0.0.1:8008/patroni"));

        REQUIRE(book.all().size() == 1);
        auto* e = book.find("10.0.0.1:8008");
        REQUIRE(e != nullptr);
        CHECK(e->member == "a");
        CHECK_FALSE(book.place_of(*e).tls);
    }

    TEST_CASE("where the operator asked for HTTPS no listing leads back to clear text")
    {
        endpoint_book book(true);

        book.adopt(listing_of("a", "http://10.0.0.1:8008/patroni"));

        REQUIRE(book.all().size() == 1);
        CHECK(book.place_of(book.all().front()).tls);
    }

    TEST_CASE("without that a discovered member is spoken to as it says, also when it changes")
    {
        endpoint_book book(false);

        book.adopt(listing_of("a", "https://[2001:db8::1]:8008/patroni"));
        REQUIRE(book.find("[2001:db8::1]:8008") != nullptr);
        CHECK(book.place_of(*book.find("[2001:db8::1]:8008")).tls);

        book.adopt(listing_of("a", "http://[2001:db8::1]:8008/patroni"));
        CHECK(book.all().size() == 1);
        CHECK_FALSE(book.place_of(*book.find("[2001:db8::1]:8008")).tls);
    }

    TEST_CASE("a member that moved leaves its old endpoint nameless, and that is forgotten")
    {
        endpoint_book book(false);
        book.add_seed("10.0.0.9", 8008, false);
        book.adopt(listing_of("a", "http://10.0.0.1:8008/patroni"));
        book.adopt(listing_of("a", "http://10.0.0.2:8008/patroni"));

        const auto forgotten = book.forget([](const std::string& name) { return name.empty(); });

        CHECK(forgotten == std::vector<std::string>{"10.0.0.1:8008"});
        CHECK(book.find("10.0.0.9:8008") != nullptr); // a seed stays
        CHECK(book.find("10.0.0.2:8008")->member == "a");
    }

    TEST_CASE("an api_url that is none is left out")
    {
        endpoint_book book(false);
        for (const char* url : {"", "nonsense", "http://", "http://:8008/patroni"})
            book.adopt(listing_of("a", url));
        CHECK(book.all().empty());
    }
}
