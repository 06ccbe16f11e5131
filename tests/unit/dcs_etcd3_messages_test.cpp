// SPDX-License-Identifier: PostgreSQL
//
// The answers are those of a real etcd 3.4.23.
#include "health/dcs/etcd3_messages.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace rolegate::health::dcs;
using namespace rolegate::health::dcs::etcd3;

namespace
{

const std::string prefix = "/service/demo/";

// "header" as every answer has it, at this revision.
std::string header_at(int revision)
{
    return R"("header":{"cluster_id":"997359003451124628","member_id":"8722020444722966759",)"
           R"("revision":")" +
           std::to_string(revision) + R"(","raft_term":"2"})";
}

header from_at(std::int64_t revision)
{
    return {997359003451124628U, 8722020444722966759U, 2, revision};
}

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

watch_answer watched(const std::string& result)
{
    return good(decode_watch(R"({"result":{)" + result + "}}", prefix));
}

} // namespace

TEST_SUITE_BEGIN("dcs/etcd3_messages");

TEST_CASE("the path follows from the cluster's version, not the server's")
{
    const struct
    {
        const char* version;
        const char* path; // "": a failure
    } rows[] = {
        {"3.0.17", "/v3alpha"},
        {"3.2.32", "/v3alpha"},
        {"3.3.0", "/v3beta"},
        {"3.4.0", "/v3"},
        {"3.5.0", "/v3"},
        {"3.10.1", "/v3"},
        {"4.0.0", "/v3"},
        {"3.6.0-rc.1", "/v3"},
        {"2.3.8", ""},
        {"not_decided", ""},
        {"3", ""},
        {"3.", ""},
        {"", ""},
        {".4", ""},
        {"3.-4", ""},
        {"-3.4", ""},
        {"99999999999.4", ""},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.version);
        const auto path = api_prefix(
            std::string(R"({"etcdserver":"3.4.23","etcdcluster":")") + row.version + "\"}"
        );
        if (*row.path != '\0')
            CHECK(good(path) == row.path);
        else
            CHECK(bad(path).code == -1);
    }
    bad(api_prefix("404 page not found"));
    bad(api_prefix("{}"));
    bad(api_prefix(""));
}

TEST_CASE("requests are what etcd's gateway takes")
{
    CHECK(login_request("u", "p\"\\\n") == R"({"name":"u","password":"p\"\\\n"})");
    CHECK(
        range_request(prefix) ==
        R"({"key":"L3NlcnZpY2UvZGVtby8=","range_end":"L3NlcnZpY2UvZGVtbzA="})"
    );
    CHECK(key_request("/service/demo/leader") == R"({"key":"L3NlcnZpY2UvZGVtby9sZWFkZXI="})");
    CHECK(
        watch_request(prefix, 43) ==
        R"({"create_request":{"key":"L3NlcnZpY2UvZGVtby8=","range_end":"L3NlcnZpY2UvZGVtbzA=",)"
        R"("start_revision":"43","progress_notify":true}})"
    );
    CHECK(
        lease_request(std::numeric_limits<std::int64_t>::max()) == R"({"ID":"9223372036854775807"})"
    );
}

TEST_CASE("a range ends after the last key with its prefix")
{
    CHECK(range_request("a\xff") == R"({"key":"Yf8=","range_end":"Yg=="})");
    CHECK(range_request("\xff") == R"({"key":"/w==","range_end":"AA=="})");
    CHECK(range_request("\x7f") == R"({"key":"fw==","range_end":"gA=="})");
    CHECK(range_request("") == R"({"key":"AA==","range_end":"AA=="})");
}

TEST_CASE("a login brings a token that fits into a header")
{
    CHECK(
        good(decode_login("{" + header_at(9) + R"(,"token":"eJQmXdYzbbRrnIzT.1059"})")) ==
        "eJQmXdYzbbRrnIzT.1059"
    );
    const std::string jwt(2000, 'x');
    CHECK(good(decode_login(R"({"token":")" + jwt + "\"}")) == jwt);

    for (const auto* token : {R"("")", R"("a\r\nX: y")", R"("a b")", R"("\u00e4")", "1", "null"})
    {
        CAPTURE(token);
        bad(decode_login("{" + header_at(9) + R"(,"token":)" + token + "}"));
    }
    bad(decode_login("{" + header_at(9) + "}"));
    bad(decode_login(R"({"token":")" + std::string(100'000, 'x') + "\"}"));
}

TEST_CASE("a snapshot has every key below the prefix, defaults omitted")
{
    const auto range = good(decode_range(
        "{" + header_at(5) +
            R"(,"kvs":[{"key":"L3NlcnZpY2UvZGVtby9pbml0aWFsaXpl","create_revision":"4",)"
            R"("mod_revision":"4","version":"1"},{"key":"L3NlcnZpY2UvZGVtby9sZWFkZXI=",)"
            R"("create_revision":"2","mod_revision":"2","version":"1","value":"cGctMQ==",)"
            R"("lease":"3523963355495206919"},{"key":"L3NlcnZpY2UvZGVtbzIvbGVhZGVy",)"
            R"("value":"eA=="}],"count":"3"})",
        prefix
    ));
    CHECK(range.from == from_at(5));
    // The last one is /service/demo2/leader.
    const std::vector<key_value> expected{
        {"initialize", "", 0}, {"leader", "pg-1", 3523963355495206919}};
    CHECK(range.keys == expected);
}

TEST_CASE("no keys are no failure, but an answer without a header is none of etcd's")
{
    CHECK(good(decode_range("{" + header_at(1) + "}", prefix)).keys.empty());
    CHECK(good(decode_range(R"({"header":{}})", prefix)).from == header{});
    bad(decode_range("{}", prefix));
    bad(decode_range(R"({"header":1})", prefix));
    bad(decode_range("", prefix));
    bad(decode_range("[]", prefix));
    bad(decode_range("404 page not found\n", prefix));
}

TEST_CASE("numbers come as such or as strings, and end where their type does")
{
    const auto revision = [](const std::string& said)
    { return decode_range(R"({"header":{"revision":)" + said + "}}", prefix); };
    CHECK(good(revision("42")).from.revision == 42);
    CHECK(good(revision(R"("42")")).from.revision == 42);
    CHECK(good(revision(R"("-1")")).from.revision == -1);
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    constexpr auto least = std::numeric_limits<std::int64_t>::min();
    CHECK(good(revision("9223372036854775807")).from.revision == most);
    CHECK(good(revision(R"("9223372036854775807")")).from.revision == most);
    CHECK(good(revision(R"("-9223372036854775808")")).from.revision == least);
    for (const auto* odd :
         {"9223372036854775808",
          R"("9223372036854775808")",
          R"("")",
          R"("x")",
          R"("1 ")",
          R"("1x")",
          R"("+1")",
          "1.5",
          "1e3",
          "null",
          "true",
          "{}",
          "[]",
          "1e400"})
    {
        CAPTURE(odd);
        bad(revision(odd));
    }

    const auto cluster = [](const std::string& said)
    { return decode_range(R"({"header":{"cluster_id":)" + said + "}}", prefix); };
    constexpr auto largest = std::numeric_limits<std::uint64_t>::max();
    CHECK(good(cluster("18446744073709551615")).from.cluster_id == largest);
    CHECK(good(cluster(R"("18446744073709551615")")).from.cluster_id == largest);
    for (const auto* odd : {R"("18446744073709551616")", "-1", R"("-1")"})
    {
        CAPTURE(odd);
        bad(cluster(odd));
    }
}

TEST_CASE("what is not base64, or not a list of objects, spoils the answer")
{
    for (const auto* kvs :
         {R"([{"key":"***"}])",
          R"([{"key":1}])",
          R"([{"key":"YQ==","value":"Y"}])",
          R"([{"key":"YQ==","lease":"x"}])",
          "[1]",
          "{}",
          "1",
          "null"})
    {
        CAPTURE(kvs);
        bad(decode_range("{" + header_at(1) + R"(,"kvs":)" + kvs + "}", prefix));
    }
}

TEST_CASE("a lease has time left, none, or is not there")
{
    const auto lease = [](const std::string& fields)
    {
        return good(
            decode_lease("{" + header_at(5) + R"(,"ID":"3523963355495206919")" + fields + "}")
        );
    };

    const auto held = lease(R"(,"TTL":"19","grantedTTL":"20")");
    CHECK(held.from == from_at(5));
    CHECK(held.ttl_left == 19);
    CHECK(held.granted == 20);
    CHECK(lease(R"(,"grantedTTL":"20")").ttl_left == 0);            // a 0 is omitted
    CHECK(lease(R"(,"TTL":"-1","grantedTTL":"20")").ttl_left == 0); // out, not yet revoked
    CHECK(lease(R"(,"TTL":"-1")").ttl_left == -1);                  // no such lease
    CHECK(lease(R"(,"TTL":"-1")").granted == 0);
    bad(decode_lease(R"({"TTL":"19","grantedTTL":"20"})"));
    bad(decode_lease("{" + header_at(5) + R"(,"TTL":"soon"})"));
}

TEST_CASE("a watch tells that it stands, what was put, and what was deleted")
{
    const auto created = watched(header_at(1) + R"(,"created":true)");
    CHECK(created.created);
    CHECK_FALSE(created.canceled);
    CHECK(created.from == from_at(1));
    CHECK(created.events.empty());

    const auto put = watched(
        header_at(2) +
        R"(,"events":[{"kv":{"key":"L3NlcnZpY2UvZGVtby9sZWFkZXI=","create_revision":"2",)"
        R"("mod_revision":"2","version":"1","value":"cGctMQ==","lease":"3523963355495206919"}}])"
    );
    CHECK_FALSE(put.created);
    CHECK(put.from == from_at(2));
    CHECK(put.events == std::vector<key_event>{{false, {"leader", "pg-1", 3523963355495206919}}});

    // A lease that is revoked takes both of its keys along in one answer.
    const auto revoked = watched(
        header_at(8) + R"(,"events":[{"type":"DELETE","kv":{"key":"L3NlcnZpY2UvZGVtby9sZWFkZXI=",)"
                       R"("mod_revision":"8"}},{"type":"DELETE","kv":{)"
                       R"("key":"L3NlcnZpY2UvZGVtby9tZW1iZXJzL3BnLTE=","mod_revision":"8"}}])"
    );
    CHECK(
        revoked.events ==
        std::vector<key_event>{{true, {"leader", "", 0}}, {true, {"members/pg-1", "", 0}}}
    );

    const auto progress = watched(header_at(8));
    CHECK(progress.events.empty());
    CHECK_FALSE(progress.created);

    // "PUT" spelled out, and a key of another cluster.
    const auto outside = watched(
        header_at(9) + R"(,"events":[{"type":"PUT","kv":{"key":"L3NlcnZpY2UvZGVtbzIvbGVhZGVy"}},)"
                       R"({"type":"PUT","kv":{"key":"L3NlcnZpY2UvZGVtby9h"}}])"
    );
    CHECK(outside.events == std::vector<key_event>{{false, {"a", "", 0}}});
}

TEST_CASE("a watch is canceled because its history is gone, or for want of a token")
{
    const auto compacted =
        watched(R"("header":{"cluster_id":"997359003451124628","member_id":"8722020444722966759",)"
                R"("raft_term":"2"},"canceled":true,"compact_revision":"8")");
    CHECK(compacted.canceled);
    CHECK_FALSE(compacted.created);
    CHECK(compacted.compact_revision == 8);
    CHECK(compacted.from == from_at(0));
    CHECK_FALSE(failure{-1, compacted.cancel_reason}.wants_login());

    for (const auto* reason :
         {"rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
          "rpc error: code = InvalidArgument desc = etcdserver: user name is empty",
          "rpc error: code = PermissionDenied desc = etcdserver: permission denied"})
    {
        CAPTURE(reason);
        const auto refused = watched(
            header_at(9) + R"(,"watch_id":"-1","created":true,"canceled":true,"cancel_reason":")" +
            reason + "\""
        );
        CHECK(refused.canceled);
        CHECK(refused.cancel_reason == reason);
        CHECK(failure{-1, refused.cancel_reason}.wants_login());
    }
}

TEST_CASE("errors are told in the words of answers, of streams, and of etcd 3.6")
{
    const struct
    {
        const char* body;
        int code;
        const char* text;
        bool wants_login;
    } rows[] = {
        {R"({"error":"etcdserver: invalid auth token","message":"etcdserver: invalid auth token",)"
         R"("code":16})",
         16,
         "etcdserver: invalid auth token",
         true},
        {R"({"error":"etcdserver: user name is empty","message":"etcdserver: user name is empty",)"
         R"("code":3})",
         3,
         "etcdserver: user name is empty",
         true},
        {R"({"error":"etcdserver: permission denied","message":"etcdserver: permission denied",)"
         R"("code":7})",
         7,
         "etcdserver: permission denied",
         true},
        {R"({"error":"etcdserver: revision of auth store is old","code":3})",
         3,
         "etcdserver: revision of auth store is old",
         true},
        {R"({"error":"etcdserver: authentication is not enabled",)"
         R"("message":"etcdserver: authentication is not enabled","code":9})",
         9,
         "etcdserver: authentication is not enabled",
         false},
        {R"({"error":"etcdserver: mvcc: required revision has been compacted",)"
         R"("message":"etcdserver: mvcc: required revision has been compacted","code":11})",
         11,
         "etcdserver: mvcc: required revision has been compacted",
         false},
        {R"({"error":{"grpc_code":1,"http_code":408,)"
         R"("message":"grpc: the client connection is closing","http_status":"Request Timeout"}})",
         1,
         "grpc: the client connection is closing",
         false},
        {R"({"error":{"code":14,"message":"etcdserver: no leader","details":[]}})",
         14,
         "etcdserver: no leader",
         false},
        {R"({"code":16,"message":"x","details":[]})", 16, "x", true},
        {R"({"error":{}})", -1, "an error without a message", false},
        {R"({"error":null})", -1, "an error without a message", false},
        {R"({"error":"x","code":"y"})", -1, "x", false},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.body);
        const failure expected{row.code, row.text};
        CHECK(bad(decode_range(row.body, prefix)) == expected);
        CHECK(bad(decode_watch(row.body, prefix)) == expected);
        CHECK(bad(decode_lease(row.body)) == expected);
        CHECK(bad(decode_login(row.body)) == expected);
        CHECK(bad(api_prefix(row.body)) == expected);
        CHECK(expected.wants_login() == row.wants_login);
    }
}

TEST_CASE("what is no answer to a watch is a failure")
{
    for (const auto* body :
         {"",
          "{",
          "{}",
          "[]",
          R"({"result":1})",
          R"({"result":{}})",
          R"({"result":{"header":{},"events":1}})",
          R"({"result":{"header":{},"events":[1]}})",
          R"({"result":{"header":{},"events":[{"kv":{"key":"="}}]}})",
          R"({"result":{"header":{},"compact_revision":"x"}})"})
    {
        CAPTURE(body);
        CHECK(bad(decode_watch(body, prefix)).code == -1);
    }
}
