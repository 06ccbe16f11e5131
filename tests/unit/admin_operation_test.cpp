// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/operation.hpp"

#include "proxy/admin/sessions_json.hpp"

#include <doctest/doctest.h>

using namespace rolegate::proxy::admin;
using rolegate::health::operator_state;
using rolegate::proxy::session_list;
using rolegate::proxy::session_query;

TEST_SUITE_BEGIN("proxy/admin/operation");

TEST_CASE("an operation is named by its path")
{
    const auto pause = find_operation("/api/v1/listeners/write/pause");
    REQUIRE(pause);
    CHECK(pause->kind == operation::what::pause);
    CHECK(pause->listener == "write");
    const auto resume = find_operation("/api/v1/listeners/read-2/resume?x=1");
    REQUIRE(resume);
    CHECK(resume->kind == operation::what::resume);
    CHECK(resume->listener == "read-2");
    const auto state = find_operation("/api/v1/members/main/a%2Fb:5432/state");
    REQUIRE(state);
    CHECK(state->kind == operation::what::set_state);
    CHECK(state->cluster == "main");
    CHECK(state->member == "a/b:5432");
    const auto kill = find_operation("/api/v1/sessions/18446744073709551615/kill");
    REQUIRE(kill);
    CHECK(kill->kind == operation::what::kill);
    CHECK(kill->session == 18446744073709551615U);

    const auto reload = find_operation("/api/v1/reload");
    REQUIRE(reload);
    CHECK(reload->kind == operation::what::reload);

    for (const auto* path :
         {"/",
          "/api/v1/listeners/",
          "/api/v1/listeners/write",
          "/api/v1/listeners/write/",
          "/api/v1/listeners//pause",
          "/api/v1/listeners/write/pause/",
          "/api/v1/listeners/write/paused",
          "/api/v1/listeners/%zz/pause",
          "/api/v1/members/main/state",
          "/api/v1/members/main/a/b/state",
          "/api/v1/sessions/1x/kill",
          "/api/v1/sessions/-1/kill",
          "/api/v1/sessions/18446744073709551616/kill",
          "/api/v1/status"})
    {
        CAPTURE(path);
        CHECK_FALSE(find_operation(path));
    }
}

TEST_CASE("during an upgrade an order is refused, to be tried again")
{
    const auto r = upgrade_under_way();
    CHECK(r.status == 409);
    CHECK(
        r.body.find("an upgrade is under way, and the new process would not know") != r.body.npos
    );
}

TEST_CASE("the body says which state a member is to have")
{
    auto o = *find_operation("/api/v1/members/main/pg-1/state");
    CHECK_FALSE(read_body(o, R"({"state": "drain"})"));
    CHECK(o.state == operator_state::drain);
    CHECK_FALSE(read_body(o, R"({"state":"maint","more":1})"));
    CHECK(o.state == operator_state::maint);
    CHECK_FALSE(read_body(o, R"({"state": "ready"})"));
    CHECK(o.state == operator_state::ready);

    for (const auto* body : {"", "drain", "{}", R"({"state": 1})", "[", R"({"state": "drian"})"})
    {
        CAPTURE(body);
        const auto wrong = read_body(o, body);
        REQUIRE(wrong);
        CHECK(wrong->status == 400);
    }
    CHECK(
        read_body(o, R"({"state": "drian"})")->body.find("did you mean 'drain'") !=
        std::string::npos
    );

    auto pause = *find_operation("/api/v1/listeners/write/pause");
    CHECK_FALSE(read_body(pause, "anything"));
}

TEST_CASE("what was done is said in JSON")
{
    operation o;
    o.listener = "write";
    CHECK(done(o).body == "{\"listener\":\"write\",\"paused\":true}\n");
    o.kind = operation::what::resume;
    CHECK(done(o).body == "{\"listener\":\"write\",\"paused\":false}\n");
    o = {};
    o.kind = operation::what::set_state;
    o.cluster = "main";
    o.member = "pg-1";
    o.state = operator_state::drain;
    CHECK(
        done(o, {"listener write has no member now"}).body ==
        R"({"cluster":"main","member":"pg-1","state":"drain",)"
        R"("warnings":["listener write has no member now"]})"
        "\n"
    );
    o.kind = operation::what::kill;
    o.session = 7;
    CHECK(done(o).body == "{\"session\":7,\"killed\":true,\"result\":\"killed\"}\n");
    CHECK(ending_already(o).status == 200);
    CHECK(ending_already(o).body == "{\"session\":7,\"killed\":false,\"result\":\"ending\"}\n");
}

TEST_CASE("sessions are asked for by listener and member, and not without a limit")
{
    const auto query = [](const char* target)
    { return std::get<session_query>(*find_session_query("GET", target)); };
    const auto status = [](const char* method, const char* target)
    { return std::get<response>(*find_session_query(method, target)).status; };

    CHECK(query("/api/v1/sessions") == session_query{"", "", 1000});
    CHECK(
        query("/api/v1/sessions?listener=write&member=a%2Fb&limit=5") ==
        session_query{"write", "a/b", 5}
    );
    CHECK(query("/api/v1/sessions?limit=10000").limit == 10'000);
    CHECK_FALSE(find_session_query("GET", "/api/v1/session"));
    CHECK(status("POST", "/api/v1/sessions") == 405);
    for (const auto* target :
         {"/api/v1/sessions?limit=x",
          "/api/v1/sessions?limit=-1",
          "/api/v1/sessions?limit=10001",
          "/api/v1/sessions?lisener=write",
          "/api/v1/sessions?listener=%zz"})
    {
        CAPTURE(target);
        CHECK(status("GET", target) == 400);
    }
}

TEST_CASE("of the sessions of several workers the oldest are shown, and all are counted")
{
    using std::chrono::milliseconds;
    const auto with = [](std::uint64_t id, int age)
    {
        rolegate::proxy::session_row row;
        row.id = id;
        row.age = milliseconds(age);
        row.state = "idle";
        return row;
    };
    const std::vector<session_list> parts{
        {4, {with(4, 30), with(2, 10)}}, {}, {3, {with(3, 40), with(1, 20), with(5, 10)}}, {1, {}}};
    const auto ids = [&parts](std::size_t limit)
    {
        std::vector<std::uint64_t> out;
        for (const auto& row : rolegate::proxy::merged(parts, limit).rows)
            out.push_back(row.id);
        return out;
    };
    CHECK(ids(9) == std::vector<std::uint64_t>{3, 4, 1, 2, 5});
    CHECK(ids(3) == std::vector<std::uint64_t>{3, 4, 1});
    CHECK(ids(0).empty());
    CHECK(rolegate::proxy::merged({}, 9).total == 0);

    const auto all = rolegate::proxy::merged(parts, 3);
    CHECK(all.total == 8);
    const auto body = sessions_answer(all).body;
    CHECK(body.starts_with(R"({"total":8,"sessions":[{"id":3,"client":"")"));
    CHECK(body.find(R"("member":null,"user":null,"database":null,"state":"idle")") != body.npos);
}

TEST_CASE("a reload is answered with what has changed, or with everything that is wrong")
{
    rolegate::proxy::reload_report r;
    r.changes = {"log: level info -> debug"};
    r.waiting = {"workers 1 -> 2"};
    CHECK(reload_answer(r).status == 200);
    CHECK(
        reload_answer(r).body ==
        R"({"changes":["log: level info -> debug"],"needs_restart":["workers 1 -> 2"],"waiting":[]})"
        "\n"
    );
    r.followed_as_before = {"cluster main: so it is"};
    CHECK(
        reload_answer(r).body.find(R"("waiting":["cluster main: so it is"])") != std::string::npos
    );
    r = {};
    r.problems = {"f:1:1: no", "f:2:1: nor this"};
    CHECK(reload_answer(r).status == 422);
    CHECK(
        reload_answer(r).body ==
        R"({"error":"nothing has changed: f:1:1: no","problems":["f:1:1: no","f:2:1: nor this"]})"
        "\n"
    );
}

TEST_SUITE_END();
