// SPDX-License-Identifier: PostgreSQL
//
// Who may look, and who may operate.
#include "proxy/admin/access.hpp"

#include "proxy/admin/basic_auth.hpp"
#include "proxy/admin/password.hpp"
#include "proxy/client_names.hpp"
#include "tests/support/startup_packet.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using namespace rolegate::proxy::admin;

namespace
{

config::admin_settings bound_to(const char* host)
{
    config::admin_settings s;
    s.bind = {host, 7000};
    return s;
}

config::admin_settings with_user(const char* host = "*")
{
    auto s = bound_to(host);
    s.users["dba"] = "secret";
    return s;
}

request_facts post(std::string_view host = "127.0.0.1:7000", std::string_view origin = "")
{
    return {"POST", "/api/v1/listeners/write/pause", host, origin, false, false, ""};
}

int status(const request_facts& r, const config::admin_settings& s)
{
    const auto refused = refuse_operation(r, s);
    return refused ? refused->status : 200;
}

} // namespace

TEST_SUITE_BEGIN("proxy/admin/access");

TEST_CASE("without users whoever reaches this host's own port may operate")
{
    CHECK(status(post(), bound_to("127.0.0.1")) == 200);
    CHECK(status(post(), bound_to("127.3.2.1")) == 200);
    CHECK(status(post("[::1]:7000"), bound_to("::1")) == 200);
    CHECK(status(post("localhost:7000"), bound_to("127.0.0.1")) == 200);
    CHECK(status(post("localhost"), bound_to("/run/rolegate/admin")) == 200);
    CHECK(status(post(), bound_to("*")) == 403);
    CHECK(status(post(), bound_to("::")) == 403);
    CHECK(status(post(), bound_to("10.0.0.1")) == 403);
    auto get = post();
    get.method = "GET";
    CHECK(status(get, bound_to("127.0.0.1")) == 405);
    CHECK(refuse_operation(get, bound_to("127.0.0.1"))->allow == "POST");
}

TEST_CASE("with users one of them must ask, wherever the port is")
{
    auto r = post();
    CHECK(status(r, with_user()) == 401);
    CHECK(status(r, with_user("127.0.0.1")) == 401);
    CHECK(refuse_operation(r, with_user())->authenticate.starts_with("Basic realm=\"Rolegate\""));
    r.from_page = true; // it asks for the password itself
    CHECK(refuse_operation(r, with_user())->authenticate == "");
    r.user = "dba";
    CHECK(status(r, with_user()) == 200);
    r.host = "proxy.example:7000"; // a name that leads here does no harm then
    CHECK(status(r, with_user()) == 200);
}

TEST_CASE("a page of another site has nothing done, whatever name it has for this host")
{
    const auto local = bound_to("127.0.0.1");
    CHECK(status(post("127.0.0.1:7000", "http://evil.example"), local) == 403);
    CHECK(status(post("127.0.0.1:7000", "null"), local) == 403);
    CHECK(status(post("127.0.0.1:7000", "https://127.0.0.1:7000"), local) == 403);
    CHECK(status(post("127.0.0.1:7000", "http://127.0.0.1:8000"), local) == 403);
    CHECK(status(post("evil.example:7000", "http://evil.example:7000"), local) == 403);
    CHECK(status(post("evil.example:7000"), local) == 403);
    CHECK(status(post("127.0.0.1:7000", "http://127.0.0.1:7000"), local) == 200);

    auto r = post("proxy.example", "https://proxy.example");
    r.tls = true;
    r.user = "dba";
    CHECK(status(r, with_user()) == 200);
    r.origin = "https://evil.example";
    CHECK(status(r, with_user()) == 403);
}

TEST_CASE("require_user: all leaves only probes open")
{
    auto all = with_user();
    all.require_user = config::user_rule::all;
    const auto reading = [](std::string_view target, std::string_view user = "") {
        return request_facts{"GET", target, "x", "", false, false, user};
    };
    for (const auto* target : {"/livez", "/readyz", "/readyz/write", "/readyz?x"})
        CHECK_FALSE(refuse_reading(reading(target), all));
    for (const auto* target :
         {"/",
          "/metrics",
          "/api/v1/status",
          "/readyzz",
          "/livez/x",
          "/readyz?;csv",
          "/livez?;csv",
          "/readyz/write?stats;csv",
          "/readyz/;csv",
          "/livez;csv"})
    {
        CAPTURE(target);
        REQUIRE(refuse_reading(reading(target), all));
        CHECK(refuse_reading(reading(target), all)->status == 401);
        CHECK_FALSE(refuse_reading(reading(target, "dba"), all));
        CHECK_FALSE(refuse_reading(reading(target), with_user()));
    }
}

TEST_CASE("the page learns who asks and what he may do")
{
    const auto told = [](const request_facts& r, const config::admin_settings& s)
    { return about_user(r, s).body; };
    auto r = post();
    r.method = "GET";

    CHECK(
        told(r, bound_to("127.0.0.1")) ==
        "{\"user\":null,\"may_operate\":true,\"needs_user\":false,\"why\":\"\"}\n"
    );
    CHECK(
        told(r, bound_to("*")).find(R"("may_operate":false,"needs_user":false)") !=
        std::string::npos
    );
    CHECK(
        told(r, with_user()).find(R"("may_operate":false,"needs_user":true)") != std::string::npos
    );
    r.user = "dba";
    CHECK(
        told(r, with_user()) ==
        "{\"user\":\"dba\",\"may_operate\":true,\"needs_user\":true,\"why\":\"\"}\n"
    );
}

TEST_CASE("a password is compared with itself or with its hash")
{
    // "secret", by crypt(3).
    const std::string sha256 = "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA";
    const std::string sha512 =
        "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq."
        "H91p5hVO1";
    const std::string yescrypt =
        "$y$j75$V7qMYJaNbVKOeh4PhtqPk/$aiP0zlKso6cH6kly/ZO/0yHQl1H1qu3MiYgcCY8Upk0";
    for (const auto& kept : {std::string("secret"), sha256, sha512, yescrypt})
    {
        CAPTURE(kept);
        CHECK(is_password("secret", kept));
        CHECK_FALSE(is_password("Secret", kept));
        CHECK_FALSE(is_password("", kept));
        CHECK_FALSE(is_password("secretsecret", kept));
        CHECK_FALSE(is_password(std::string("secret\0x", 8), kept));
        CHECK_FALSE(is_password(kept + "x", kept));
    }
    CHECK_FALSE(is_password(sha512, sha512)); // a hash that leaked is no password
    CHECK_FALSE(is_password("", ""));
    CHECK_FALSE(is_password("secret", "$6$saltsalt$"));
}

TEST_CASE("a name that nobody has is examined like that of somebody")
{
    const std::map<std::string, std::string> users{{"a", "plain"}, {"b", "$6$salt$hash"}};

    CHECK(kept_for(users, "a", 1) == "plain");
    CHECK(kept_for(users, "b", 0) == "$6$salt$hash");
    CHECK(kept_for(users, "nobody", 0) == "plain");
    CHECK(kept_for(users, "nobody", 1) == "$6$salt$hash");
    CHECK(kept_for(users, "nobody", 254) == "plain");
}

TEST_CASE("credentials come in base64, with a name before the colon")
{
    const auto said = parse_basic(basic_header({"dba", "se:cret"}));
    REQUIRE(said);
    CHECK(said->user == "dba");
    CHECK(said->password == "se:cret");
    CHECK(parse_basic("bAsIc ZGJhOg==")->password == "");
    for (const auto* text :
         {"", "Basic", "Basic ", "Basic !", "Bearer ZGJhOg==", "Basic ZGJh", "Basic OmE="})
    {
        CAPTURE(text);
        CHECK_FALSE(parse_basic(text));
    }
}

TEST_CASE("a session keeps its client's names in a form that anybody can read")
{
    using support::startup_with;
    proxy::client_names names;
    CHECK(names.user() == "");
    CHECK(names.database() == "");
    names.remember(startup_with("user=app,database=orders"));
    CHECK(names.user() == "app");
    CHECK(names.database() == "orders");
    names.remember(startup_with("user=app"));
    CHECK(names.database() == "app");
    names.remember(startup_with("user=app,database="));
    CHECK(names.database() == "app");
    names.remember(startup_with("user=a\x1b[1m\xc3\xa9\xff\xc3,database=" + std::string(70, 'd')));
    CHECK(names.user() == "a?[1m\xc3\xa9??");
    CHECK(names.database() == std::string(63, 'd'));
    names.remember(startup_with("database=orders"));
    CHECK(names.user() == "");
}

TEST_SUITE_END();
