// SPDX-License-Identifier: PostgreSQL
//
// The answers are those of a real etcd 3.4.23 with --enable-v2.
#include "health/dcs/etcd2_messages.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health::dcs;
using namespace rolegate::health::dcs::etcd2;

namespace
{

const std::string prefix = "/service/demo/";

template <class T> T good(const answer<T>& a)
{
    const auto* failed = std::get_if<failure>(&a);
    REQUIRE_MESSAGE(failed == nullptr, (failed != nullptr ? failed->text : ""));
    return std::get<T>(a);
}

template <class T> failure bad(const answer<T>& a)
{
    REQUIRE(std::holds_alternative<failure>(a));
    CHECK_FALSE(std::get<failure>(a).text.empty());
    return std::get<failure>(a);
}

// "/service/demo/d/d/.../leaf", so many directories below the prefix.
std::string nested(int directories)
{
    std::string path = "/service/demo";
    std::string body = R"({"action":"get","node":)";
    for (int i = 0; i <= directories; ++i, path += "/d")
        body += R"({"key":")" + path + R"(","dir":true,"nodes":[)";
    body += R"({"key":")" + path + R"(/leaf","value":"x"})";
    for (int i = 0; i <= directories; ++i)
        body += "]}";
    return body + "}";
}

} // namespace

TEST_SUITE_BEGIN("dcs/etcd2_messages");

TEST_CASE("a snapshot has every leaf below the prefix")
{
    const auto nodes = good(decode_get(
        R"({"action":"get","node":{"key":"/service/demo","dir":true,"nodes":[)"
        R"({"key":"/service/demo/leader","value":"pg-1","expiration":"2026-11-21T22:42:16.782Z",)"
        R"("ttl":20,"modifiedIndex":4,"createdIndex":4},)"
        R"({"key":"/service/demo/members","dir":true,"nodes":[)"
        R"({"key":"/service/demo/members/pg-1","value":"{\"state\":\"running\"}",)"
        R"("expiration":"2026-11-21T22:42:16.817076845Z","ttl":19,"modifiedIndex":5,)"
        R"("createdIndex":5}],"modifiedIndex":5,"createdIndex":5},)"
        R"({"key":"/service/demo/initialize","value":"7660000000000000000","modifiedIndex":6,)"
        R"("createdIndex":6},{"key":"/service/demo/optime","dir":true,"nodes":[)"
        R"({"key":"/service/demo/optime/leader","value":"67395656","modifiedIndex":7,)"
        R"("createdIndex":7}],"modifiedIndex":7,"createdIndex":7}],"modifiedIndex":4,)"
        R"("createdIndex":4}})"
        "\n",
        prefix
    ));
    REQUIRE(nodes.size() == 4);
    CHECK(nodes[0].kv == key_value{"leader", "pg-1", 0});
    CHECK(nodes[0].ttl == 20);
    CHECK(nodes[0].modified_index == 4);
    CHECK(nodes[1].kv == key_value{"members/pg-1", R"({"state":"running"})", 0});
    CHECK(nodes[1].ttl == 19);
    CHECK(nodes[2].kv == key_value{"initialize", "7660000000000000000", 0});
    CHECK_FALSE(nodes[2].ttl.has_value());
    CHECK(nodes[3].kv == key_value{"optime/leader", "67395656", 0});
    CHECK(nodes[3].modified_index == 7);
}

TEST_CASE("one key alone is a snapshot of one")
{
    const auto nodes = good(decode_get(
        R"({"action":"get","node":{"key":"/service/demo/leader","value":"pg-1","ttl":20,)"
        R"("expiration":"2026-11-21T22:42:16.782235363Z","modifiedIndex":4,"createdIndex":4}})",
        prefix
    ));
    REQUIRE(nodes.size() == 1);
    CHECK(nodes[0].kv == key_value{"leader", "pg-1", 0});
}

TEST_CASE("a key that has run out but is not swept yet has no time left")
{
    const auto left = [](const std::string& fields)
    {
        return good(decode_get(
                        R"({"node":{"key":"/service/demo/leader","value":"pg-1")" + fields + "}}",
                        prefix
                    ))
            .at(0)
            .ttl;
    };
    CHECK_FALSE(left("").has_value());
    CHECK(left(R"(,"ttl":1)") == 1);
    CHECK(left(R"(,"expiration":"2026-11-21T22:42:04.390487477Z")") == 0); // 0 is omitted
    CHECK(left(R"(,"ttl":-1,"expiration":"2026-11-21T22:42:04.390487477Z")") == 0);
}

TEST_CASE("an empty directory is no failure, a directory too deep is left out")
{
    const auto* empty = R"({"action":"get","node":{"key":"/service/demo","dir":true}})";
    CHECK(good(decode_get(empty, prefix)).empty());
    CHECK(good(decode_get(nested(0), prefix)).size() == 1);
    CHECK(good(decode_get(nested(7), prefix)).size() == 1);
    CHECK(good(decode_get(nested(8), prefix)).empty());
    bad(decode_get(nested(1000), prefix));
}

TEST_CASE("a key outside of the prefix is left out")
{
    const auto nodes = good(decode_get(
        R"({"node":{"key":"/service","dir":true,"nodes":[{"key":"/service/demo2","value":"x"},)"
        R"({"key":"/service/demo","value":"x"},{"key":"/service/demo/a","value":""},)"
        R"({"value":"x"},1,{"key":1}]}})",
        prefix
    ));
    REQUIRE(nodes.size() == 1);
    CHECK(nodes[0].kv == key_value{"a", "", 0});
}

TEST_CASE("what a watch reports is a value or an end")
{
    const struct
    {
        const char* action;
        bool deleted;
    } rows[] = {
        {"create", false},
        {"set", false},
        {"update", false},
        {"compareAndSwap", false},
        {"delete", true},
        {"expire", true},
        {"compareAndDelete", true},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.action);
        const auto e = good(decode_event(
            std::string(R"({"action":")") + row.action +
                R"(","node":{"key":"/service/demo/leader","value":"pg-1","ttl":2,)"
                R"("modifiedIndex":8,"createdIndex":4},"prevNode":{"key":"/service/demo/leader",)"
                R"("value":"pg-0","ttl":20,"modifiedIndex":4,"createdIndex":4}})",
            prefix
        ));
        CHECK(e.deleted == row.deleted);
        CHECK_FALSE(e.directory);
        CHECK(e.modified_index == 8);
        CHECK(e.kv == key_value{"leader", "pg-1", 0});
        CHECK(e.ttl == 2);
    }
}

TEST_CASE("a key that expires is told without its value")
{
    const auto e = good(decode_event(
        R"({"action":"expire","node":{"key":"/service/demo/leader","modifiedIndex":16,)"
        R"("createdIndex":15},"prevNode":{"key":"/service/demo/leader","value":"pg-2",)"
        R"("expiration":"2026-11-21T22:42:04.390487477Z","modifiedIndex":15,"createdIndex":15}})",
        prefix
    ));
    CHECK(e.deleted);
    CHECK(e.modified_index == 16);
    CHECK(e.kv == key_value{"leader", "", 0});
    CHECK_FALSE(e.ttl.has_value());
}

TEST_CASE("directories come and go, the prefix and those above it among them")
{
    const auto directory_event = [](const std::string& action, const std::string& key)
    {
        return decode_event(
            R"({"action":")" + action + R"(","node":{"key":")" + key +
                R"(","dir":true,"modifiedIndex":13,"createdIndex":5}})",
            prefix
        );
    };
    const struct
    {
        const char* key;
        const char* name;
    } rows[] = {
        {"/service/demo/members", "members"}, {"/service/demo", ""}, {"/service", ""}, {"", ""}};
    for (const auto& row : rows)
    {
        CAPTURE(row.key);
        const auto gone = good(directory_event("delete", row.key));
        CHECK(gone.deleted);
        CHECK(gone.directory);
        CHECK(gone.kv.key == row.name);
    }
    const auto made = good(directory_event("set", "/service/demo/newdir"));
    CHECK_FALSE(made.deleted);
    CHECK(made.directory);
    bad(directory_event("delete", "/service/demo2"));
    bad(directory_event("delete", "/serv"));
}

TEST_CASE("errors are told in etcd's words")
{
    const auto missing = bad(decode_get(
        R"({"errorCode":100,"message":"Key not found","cause":"/service","index":3})", prefix
    ));
    CHECK(missing == failure{100, "Key not found"});
    CHECK(missing.key_not_found());

    const auto cleared = bad(decode_event(
        R"({"errorCode":401,"message":"The event in requested index is outdated and cleared",)"
        R"("cause":"the requested history has been cleared [23/2]","index":1022})",
        prefix
    ));
    CHECK(cleared.code == 401);
    CHECK(cleared.index_cleared());

    CHECK(
        bad(decode_get(R"({"message":"Insufficient credentials"})", prefix)) ==
        failure{-1, "Insufficient credentials"}
    );
    CHECK(bad(decode_event("", prefix)) == failure{-1, "empty answer"});
    CHECK(bad(decode_get("", prefix)) == failure{-1, "empty answer"});
    CHECK(bad(decode_get(R"({"errorCode":99999999999,"message":"x"})", prefix)).code == -1);
}

TEST_CASE("what is no answer of etcd's is a failure")
{
    for (const auto* body :
         {"404 page not found\n", "{", "[]", "{}", R"({"node":1})", R"({"action":"set"})"})
    {
        CAPTURE(body);
        CHECK(bad(decode_get(body, prefix)).code == -1);
        CHECK(bad(decode_event(body, prefix)).code == -1);
    }
    for (const auto* body :
         {R"({"node":{"key":"/service/demo/a","modifiedIndex":1}})",
          R"({"action":"get","node":{"key":"/service/demo/a","modifiedIndex":1}})",
          R"({"action":"set","node":{"key":"/service/demo/a"}})",
          R"({"action":"set","node":{"key":"/service/demo/a","modifiedIndex":"1"}})",
          R"({"action":"set","node":{"key":"/other/a","modifiedIndex":1}})"})
    {
        CAPTURE(body);
        CHECK(bad(decode_event(body, prefix)).code == -1);
    }
}
