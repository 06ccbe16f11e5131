// SPDX-License-Identifier: PostgreSQL
#include "proxy/errc.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>

using namespace rolegate::proxy;

namespace
{

std::string text(const char* t)
{
    return t ? t : "(close without a message)";
}

constexpr auto last = static_cast<int>(errc::internal);

} // namespace

TEST_SUITE_BEGIN("proxy/errc");

TEST_CASE("every errc knows its word, whose doing it was and the SQLSTATE that is told")
{
    const std::string silent = text(nullptr);
    const struct
    {
        errc e;
        const char* word;
        side who;
        std::string sqlstate;
    } rows[] = {
        {errc::none, "none", side::proxy, silent},
        {errc::startup_malformed, "startup_malformed", side::client, silent},
        {errc::proxy_header_bad, "proxy_header_bad", side::client, silent},
        {errc::not_allowed, "not_allowed", side::client, silent},
        {errc::too_many_handshakes, "too_many_handshakes", side::client, silent},
        {errc::bytes_before_tls, "bytes_before_tls", side::client, "08P01"},
        {errc::tls_failed, "tls_failed", side::client, silent},
        {errc::tls_required, "tls_required", side::client, "28000"},
        {errc::no_match, "no_match", side::client, "28000"},
        {errc::handshake_timeout, "handshake_timeout", side::client, silent},
        {errc::client_gone, "client_gone", side::client, silent},
        {errc::client_reset, "client_reset", side::client, silent},
        {errc::client_fin_timeout, "client_fin_timeout", side::client, silent},
        {errc::client_idle, "client_idle", side::client, "57P05"},
        {errc::server_failed, "server_failed", side::server, "57P03"},
        {errc::server_tls_failed, "server_tls_failed", side::server, "57P03"},
        {errc::server_idle, "server_idle", side::server, "57P05"},
        {errc::server_ended, "server_ended", side::server, silent},
        {errc::server_reset, "server_reset", side::server, "57P01"},
        {errc::no_routable_member, "no_routable_member", side::proxy, "57P03"},
        {errc::too_many_sessions, "too_many_sessions", side::proxy, "53300"},
        {errc::paused, "paused", side::proxy, "57P03"},
        {errc::stale_view, "stale_view", side::proxy, "57P03"},
        {errc::queue_full, "queue_full", side::proxy, "57P03"},
        {errc::role_lost, "role_lost", side::proxy, "57P01"},
        {errc::moved, "moved", side::proxy, "57P01"},
        {errc::view_lost, "view_lost", side::proxy, "57P01"},
        {errc::removed, "removed", side::proxy, "57P01"},
        {errc::maintenance, "maintenance", side::proxy, "57P01"},
        {errc::killed, "killed", side::proxy, "57P01"},
        {errc::shutting_down, "shutting_down", side::proxy, "57P01"},
        {errc::internal, "internal", side::proxy, silent},
    };
    REQUIRE(std::size(rows) == static_cast<std::size_t>(last) + 1);
    for (const auto& row : rows)
    {
        CAPTURE(row.word);
        const auto& i = info(row.e);
        CHECK(std::string(i.word) == row.word);
        CHECK(i.who == row.who);
        CHECK(text(i.sqlstate) == row.sqlstate);
    }
}

TEST_CASE("what is told has a sentence; what is not told has none")
{
    for (int e = 0; e <= last; ++e)
    {
        const auto& i = info(static_cast<errc>(e));
        CAPTURE(i.word);
        REQUIRE(i.text != nullptr);
        CHECK((i.sqlstate == nullptr) == (i.text[0] == '\0'));
        if (i.sqlstate != nullptr)
            CHECK(std::string(i.sqlstate).size() == 5);
        // No addresses, no ports: the client's user need not know what is behind the proxy.
        CHECK(std::ranges::none_of(
            std::string(i.text), [](unsigned char c) { return std::isdigit(c) != 0; }
        ));
    }
}

TEST_CASE("words are label values: lower case, and each used once")
{
    std::set<std::string> words;
    for (int e = 0; e <= last; ++e)
    {
        const std::string word = info(static_cast<errc>(e)).word;
        CAPTURE(word);
        CHECK(words.insert(word).second);
        CHECK(std::ranges::all_of(word, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; }));
    }
}
