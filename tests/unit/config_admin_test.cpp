// SPDX-License-Identifier: PostgreSQL
//
// `admin`: users, TLS, and where it is reached.
#include "config/load.hpp"
#include "config/print.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <fstream>

using namespace rolegate::config;

namespace
{

std::optional<std::string> no_environment(const std::string&)
{
    return std::nullopt;
}

load_result load_with(const std::string& admin)
{
    const std::string text = "clusters: {main: {patroni: {members: ['10.0.0.1:8008']}}}\n"
                             "listeners: {w: {bind: '*:5432', cluster: main, role: primary}}\n"
                             "admin: " +
                             admin + "\n";
    return load_text(text, "f", no_environment);
}

std::string problems(const std::string& admin)
{
    std::string out;
    for (const auto& p : load_with(admin).problems)
        out += to_string(p) + "\n";
    return out;
}

} // namespace

TEST_SUITE_BEGIN("config/admin");

TEST_CASE("users have a password, a hash, or a file with either")
{
    const std::string path = "/tmp/rolegate-admin-password-test";
    std::ofstream(path) << "$6$salt$hash\n";

    const auto loaded = load_with(
        "{users: {a: secret, b: {password: \"$y$x\"}, c: {password_file: " + path +
        "}}, require_user: all}"
    );
    std::remove(path.c_str());

    REQUIRE(loaded.problems.empty());
    const auto& admin = loaded.value.admin;
    CHECK(admin.users.at("a") == "secret");
    CHECK(admin.users.at("b") == "$y$x");
    CHECK(admin.users.at("c") == "$6$salt$hash");
    CHECK(admin.require_user == user_rule::all);
    const auto shown = print(loaded.value);
    CHECK(shown.find("secret") == std::string::npos);
    CHECK(shown.find("hash") == std::string::npos);
    CHECK(shown.find("a: \"*****\"") != std::string::npos);
}

TEST_CASE("a unix socket and TLS")
{
    const auto loaded =
        load_with("{bind: 'unix:/run/rolegate/admin', mode: 660, tls: {cert: /c, key: /k, ca: /a}}"
        );

    REQUIRE(loaded.problems.empty());
    CHECK(loaded.value.admin.bind == host_port{"/run/rolegate/admin", 0});
    CHECK(loaded.value.admin.mode == 0660);
    CHECK(loaded.value.admin.tls == admin_tls{"/c", "/k", "/a"});
    CHECK(load_with("{}").value.admin.mode == 0600);
}

TEST_CASE("what cannot be meant is said")
{
    const struct
    {
        const char* admin;
        const char* said;
    } rows[] = {
        {"{users: {a: ''}}", "a user needs a password"},
        {"{users: {a: {}}}", "a user needs a password"},
        {"{users: {a: '$1$x$y'}}", "a hash of a password begins with $5$, $6$ or $y$"},
        {"{users: {a: {password: x, password_file: /proc/version}}}", "password_file"},
        {"{require_user: all}", "'require_user: all' needs 'users'"},
        {"{require_user: some}", "expected one of actions, all"},
        {"{mode: 888}", "expected permissions such as"},
        {"{mode: '0066'}", "expected permissions such as"},
        {"{tls: {cert: /c}}", "key"},
        {"{bind: 'unix:x'}", "absolute path"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.admin);
        const auto said = problems(row.admin);
        CAPTURE(said);
        CHECK(said.find(row.said) != said.npos);
        CHECK(said.find("*****") == said.npos);
    }
}

TEST_CASE("passwords that cross the network in clear text are warned of")
{
    const auto warnings = [](const std::string& admin)
    {
        const auto loaded = load_with(admin);
        CHECK(loaded.problems.empty());
        std::string out;
        for (const auto& w : loaded.warnings)
            out += to_string(w) + "\n";
        return out;
    };
    const std::string users = ", users: {dba: secret}";
    const std::string text = "passwords of 'users' cross the network in clear text: add 'tls', or "
                             "bind a loopback address or a unix socket\n";

    CHECK(warnings("{bind: '*:7000'" + users + "}") == "f:3:15: " + text);
    CHECK(warnings("{bind: 10.0.0.1:7000" + users + "}") == "f:3:15: " + text);
    CHECK(warnings("{bind: '[::]:7000'" + users + "}") == "f:3:15: " + text);
    for (const std::string bind :
         {"127.0.0.1:7000", "127.9.9.9:7000", "'[::1]:7000'", "unix:/run/rolegate/admin"})
        CHECK(warnings("{bind: " + bind + users + "}") == "");
    CHECK(warnings("{users: {dba: secret}}") == "");
    CHECK(warnings("{bind: '*:7000'}") == "");
    CHECK(warnings("{bind: '*:7000', tls: {cert: a, key: b}" + users + "}") == "");
}

TEST_SUITE_END();
