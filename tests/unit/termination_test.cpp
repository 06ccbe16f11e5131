// SPDX-License-Identifier: PostgreSQL
#include "proxy/termination.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string_view>

using namespace rolegate::proxy;

TEST_SUITE_BEGIN("proxy/termination");

TEST_CASE("each end of a session has its two letters")
{
    const struct
    {
        errc why;
        phase where;
        const char* letters;
    } rows[] = {
        {errc::none, phase::data, "--"},
        {errc::none, phase::handshake, "--"},
        {errc::startup_malformed, phase::handshake, "CR"},
        {errc::bytes_before_tls, phase::handshake, "CR"},
        {errc::handshake_timeout, phase::handshake, "cR"},
        {errc::client_gone, phase::handshake, "CR"},
        {errc::client_gone, phase::queue, "CQ"},
        {errc::client_gone, phase::connect, "CC"},
        {errc::client_reset, phase::data, "CD"},
        {errc::client_fin_timeout, phase::data, "cD"},
        {errc::proxy_header_bad, phase::handshake, "CR"},
        {errc::not_allowed, phase::handshake, "PR"},
        {errc::too_many_handshakes, phase::handshake, "PR"},
        {errc::tls_failed, phase::handshake, "CR"},
        {errc::tls_required, phase::handshake, "PR"},
        {errc::no_match, phase::handshake, "PR"},
        {errc::client_idle, phase::data, "cD"},
        {errc::server_idle, phase::data, "sD"},
        {errc::server_tls_failed, phase::queue, "SQ"},
        {errc::too_many_sessions, phase::queue, "PQ"},
        {errc::paused, phase::queue, "PQ"},
        {errc::server_failed, phase::connect, "SC"},
        {errc::server_failed, phase::queue, "SQ"},
        {errc::server_ended, phase::data, "SD"},
        {errc::server_reset, phase::data, "SD"},
        {errc::no_routable_member, phase::queue, "sQ"},
        {errc::stale_view, phase::queue, "PQ"},
        {errc::stale_view, phase::handshake, "PR"},
        {errc::queue_full, phase::queue, "PQ"},
        {errc::role_lost, phase::data, "D-"},
        {errc::moved, phase::data, "D-"},
        {errc::role_lost, phase::connect, "DC"},
        {errc::removed, phase::data, "KD"},
        {errc::shutting_down, phase::data, "KD"},
        {errc::shutting_down, phase::handshake, "KR"},
        {errc::shutting_down, phase::queue, "KQ"},
        {errc::shutting_down, phase::connect, "KC"},
        {errc::view_lost, phase::data, "D-"},
        {errc::maintenance, phase::data, "D-"},
        {errc::killed, phase::data, "KD"},
        {errc::killed, phase::queue, "KQ"},
        {errc::internal, phase::data, "ID"},
    };
    std::set<errc> told;
    for (const auto& row : rows)
    {
        CAPTURE(static_cast<int>(row.why));
        CAPTURE(static_cast<int>(row.where));
        CHECK(termination(row.why, row.where) == row.letters);
        told.insert(row.why);
    }
    CHECK(told.size() == static_cast<std::size_t>(errc::internal) + 1);
}

TEST_CASE("the letters are of the documented alphabet")
{
    for (int why = 0; why <= static_cast<int>(errc::internal); ++why)
        for (const auto where : {phase::handshake, phase::queue, phase::connect, phase::data})
        {
            const auto letters = termination(static_cast<errc>(why), where);
            CAPTURE(letters);
            REQUIRE(letters.size() == 2);
            CHECK(std::string_view("CSPDKIcs-").find(letters[0]) != std::string_view::npos);
            CHECK(std::string_view("RQCD-").find(letters[1]) != std::string_view::npos);
        }
}
