// SPDX-License-Identifier: PostgreSQL
//
// Lines of a haproxy.cfg that hold together with others: which of several decides, for whom, and
// how many there may be.
#include "tests/support/imported.hpp"

#include "config/network.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using config::haproxy::verdict;
using test::import_cfg;

namespace
{

const std::string primary =
    "backend p\n option httpchk /primary\n server a h:5432 check port 8008\n";
const std::string replicas =
    "backend r\n option httpchk /replica\n server a h:5432 check port 8008\n";

std::string allowed_by(const std::string& rules, const std::string& bind_words = "")
{
    const auto made = import_cfg(
        "frontend f\n bind *:1" + bind_words + "\n default_backend p\n" + rules + primary
    );
    if (made.book.has_refused())
        return "refused";
    std::string out;
    for (const auto& net : made.value.listeners.at(0).allow)
        out += config::format_network(net) + " ";
    return out.empty() ? "everybody" : out;
}

std::string repeated(int times, std::string_view before, std::string_view after)
{
    std::string out;
    for (int i = 0; i < times; ++i)
        out += std::string(before) + std::to_string(i) + std::string(after);
    return out;
}

// 10.0.0.0, 10.0.0.1, ... in lines of 256.
std::string acl_of(int lines)
{
    std::string out;
    for (int i = 0; i < lines; ++i)
        out += " acl in src" + repeated(256, " 10.0." + std::to_string(i) + ".", "") + "\n";
    return out;
}

} // namespace

TEST_SUITE_BEGIN("config/haproxy/rules");

TEST_CASE("those that a conditional reject has left may be rejected by a later rule")
{
    const std::string first = " tcp-request connection reject if !{ src 10.0.0.0/8 }\n";
    CHECK(allowed_by(first) == "10.0.0.0/8 ");
    CHECK(allowed_by(first + " tcp-request connection accept\n") == "10.0.0.0/8 ");
    // Behind that nothing is reached ...
    CHECK(
        allowed_by(
            first + " tcp-request connection accept\n tcp-request connection reject if !x\n"
        ) == "10.0.0.0/8 "
    );
    // ... but rules of another kind, whose turn comes later.
    for (const char* more :
         {" tcp-request connection reject if { src 10.0.0.66 }\n",
          " tcp-request connection reject if !{ src 10.1.0.0/16 }\n",
          " tcp-request connection accept if { src 10.1.0.0/16 }\n",
          " tcp-request connection reject\n",
          " tcp-request connection accept\n tcp-request content reject if { src 10.0.0.66 }\n",
          " tcp-request content reject\n"})
        CHECK_MESSAGE(allowed_by(first + more) == "refused", more);
}

TEST_CASE("rules of a backend are refused, whoever leads there")
{
    const std::string rules = " acl in src 10.0.0.0/8\n acl other src 10.0.0.1\n"
                              " tcp-request content reject if !in\n";
    const auto made = import_cfg("frontend f\n bind *:1\n default_backend p\n" + primary + rules);
    CHECK(made.book.of(7) == verdict::refused);
    CHECK(made.book.of(8) == verdict::ignored);
    CHECK(made.book.of(9) == verdict::refused);
    CHECK(made.says("9: refused: 'tcp-request content reject if !in': a backend judges no client"));
    CHECK(
        import_cfg(
            "frontend f\n bind *:1\n use_backend p if { nbsrv(r) lt 1 }\n default_backend r\n" +
            replicas + primary + rules
        )
            .book.of(13) == verdict::refused
    );
}

TEST_CASE("a line that is not asked for is told of, where its section is")
{
    const auto made = import_cfg("listen a\n bind *:1\n acl x src 1.2.3.4\n default_backend p\n"
                                 "listen p\n bind *:2\n server a h:1 check\n");
    CHECK(made.says("3: ignored: 'acl x src 1.2.3.4': no rule asks for it"));
    const auto used = import_cfg(
        "frontend f\n bind *:1\n default_backend p\n" + primary + " use_backend r if TRUE\n"
    );
    CHECK(used.says("7: ignored: 'use_backend': nothing that is taken over asks for it"));
    const auto page = import_cfg("listen a\n bind *:1\n server a h:1 check\n"
                                 "backend b\n stats auth a:secret\n");
    CHECK(page.remarks.find("secret") == std::string::npos);
}

TEST_CASE("use_backend without a condition goes before default_backend, the first of them")
{
    const auto role = [](const std::string& lines)
    {
        const auto made = import_cfg("frontend f\n bind *:1\n" + lines + primary + replicas);
        CHECK_FALSE(made.book.has_refused());
        return made.value.listeners.at(0).role;
    };
    using config::listener_role;
    CHECK(role(" use_backend p\n default_backend r\n") == listener_role::primary);
    CHECK(role(" default_backend r\n use_backend p\n") == listener_role::primary);
    CHECK(role(" use_backend p\n use_backend r\n") == listener_role::primary);
    const auto made = import_cfg(
        "frontend f\n bind *:1\n default_backend p\n use_backend r\n use_backend p\n"
        " use_backend p if { nbsrv(r) lt 1 }\n" +
        primary + replicas
    );
    CHECK_FALSE(made.book.has_refused());
    CHECK_FALSE(made.value.listeners.at(0).fallback_primary);
    CHECK(made.says("3: note: 'default_backend p': is never reached: line 4"));
    CHECK(made.says("5: ignored: 'use_backend p': is never reached: line 4"));
    CHECK(made.says("6: ignored: 'use_backend p if { nbsrv(r) lt 1 }': is never reached: line 4"));
}

TEST_CASE("rules for connections look at the sender of a PROXY header")
{
    const std::string rule = " tcp-request connection reject if !{ src 10.0.0.0/8 }\n";
    CHECK(allowed_by(rule, " accept-proxy") == "refused");
    CHECK(allowed_by(" tcp-request connection accept\n", " accept-proxy") == "everybody");
    const auto made = import_cfg(
        "listen x\n bind *:1\n bind *:2 accept-proxy\n" + rule + " server a h:1 check\n"
    );
    CHECK(made.says("looks at who connects"));
    CHECK(made.book.of(4) == verdict::refused);
}

TEST_CASE("members of kind tcp keep the order of the file")
{
    const auto made =
        import_cfg("listen x\n bind *:1\n balance first\n server b h2:1 check backup\n"
                   " server a h1:1 check backup\n server c h0:1 check\n");
    CHECK_FALSE(made.book.has_refused());
    CHECK_FALSE(made.says("backup"));
    CHECK(
        made.value.clusters.at(0).tcp->members ==
        std::vector<config::host_port>{{"h2", 1}, {"h1", 1}, {"h0", 1}}
    );
    CHECK(
        import_cfg("listen x\n bind *:1\n balance first\n server b h2:1 check id 2\n").book.of(4) ==
        verdict::refused
    );
    const auto two =
        import_cfg("listen x\n bind *:1\n server a h1:1 check\n server b h2:1 check\n"
                   "listen y\n bind *:2\n server b h2:1 check\n server a h1:1 check\n"
                   "listen z\n bind *:3\n server a h1:1 check\n server b h2:1 check\n");
    CHECK(two.value.clusters.size() == 2);
    CHECK(two.value.listeners.at(1).cluster == "y");
    CHECK(two.value.listeners.at(2).cluster == "x");
    CHECK(
        import_cfg("listen x\n bind *:1\n option allbackups\n server a h1:1 check backup\n"
                   " server b h2:1 check backup\n")
            .book.of(3) == verdict::refused
    );
}

TEST_CASE("maxconn of servers that several listeners lead to")
{
    const std::string back = "backend p\n option httpchk /primary\n"
                             " server a h:5432 check port 8008 maxconn 10\n";
    const std::string one = "frontend f\n bind *:1\n default_backend p\n";
    const std::string two = "frontend g\n bind *:2\n default_backend p\n";
    const std::string_view note = "note: 'backend p': the `maxconn` of its servers";
    CHECK_FALSE(import_cfg(one + back).says(note));
    CHECK(import_cfg(one + two + back).says(note));
    CHECK_FALSE(import_cfg(one + two + primary).says(note));
    CHECK(import_cfg("frontend f\n bind *:1\n bind *:2 accept-proxy\n default_backend p\n" + back)
              .says(note));
}

TEST_CASE("a cluster that no listener leads to is left out")
{
    const auto made = import_cfg(
        "frontend f\n bind *:1\n use_backend t if { nbsrv(r) lt 1 }\n"
        " default_backend r\nbackend t\n server a x:1 check\n" +
        replicas
    );
    CHECK(made.book.of(3) == verdict::refused);
    REQUIRE(made.value.clusters.size() == 1);
    CHECK(made.value.clusters[0].name == "main");
}

TEST_CASE("more than a person writes is refused")
{
    const std::string rule = " tcp-request connection reject if !in\n";
    CHECK(allowed_by(acl_of(16) + rule) != "refused");
    CHECK(allowed_by(acl_of(18) + rule) == "refused");
    // Few lines that name a long list again and again.
    CHECK(
        allowed_by(acl_of(16) + " tcp-request connection reject unless in or in or in\n") ==
        "refused"
    );
    const auto listen = [](const std::string& lines)
    { return import_cfg("listen x\n bind *:1\n server a h:1 check\n" + lines); };
    const auto servers = listen(repeated(1000, " server s", " g:1 check\n"));
    CHECK(servers.says("1003: refused: 's999': more servers than 1000"));
    CHECK(listen(repeated(1001, " acl s", " src 10.0.0.1\n"))
              .says("more lines of that kind than 1000"));
    CHECK(import_cfg("defaults\n" + repeated(1001, " log s", "\n") + "listen x\n bind *:1\n")
              .says("'listen x': its defaults have more lines than 1000"));
    CHECK_FALSE(import_cfg(
                    "defaults\n" + repeated(1000, " log s", "\n") +
                    "listen x\n bind *:1\n server a h:1 check\n"
    )
                    .book.has_refused());
}

TEST_SUITE_END();
