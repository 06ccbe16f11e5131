// SPDX-License-Identifier: PostgreSQL
//
// What the members of a plain streaming replication have said over SQL so far, and whether their
// word counts. Pure.
#pragma once

#include "health/doubt.hpp"
#include "health/evidence.hpp"

#include <map>
#include <string>
#include <vector>

namespace rolegate::health::postgres
{

enum class hearing
{
    unheard, // has neither answered nor failed `fall` times since it is asked
    heard,   // answers; a failure or two do not change that
    silent,  // has failed `fall` times in a row, and not answered `rise` times in a row since
};

// HAProxy's words; both at least 1.
struct counts
{
    unsigned rise = 1; // answers in a row until a silent member is heard again
    unsigned fall = 2; // failures in a row until it is silent
};

struct testimony
{
    std::string name; // HOST:PORT as configured
    std::string host;
    std::uint16_t port = 0;
    sql_report said;
    hearing state = hearing::unheard;
    unsigned in_row = 0;      // answers while it is silent, else failures
    time_point tried{};       // when the last attempt to ask it ended
    time_point heard_since{}; // while it is heard
    doubt refusals;           // clients that it has refused

    // An attempt to ask it has ended so.
    void take(const sql_report& report, const counts& limits, time_point now);

    // It is somewhere else now: nothing is known of whoever is there.
    void forget();

    [[nodiscard]] bool answers() const noexcept { return said.word && said.error.empty(); }

    // Something can be held against it: what it said is true of now, as far as anybody can know.
    [[nodiscard]] bool speaks() const noexcept
    {
        return said.word && (state == hearing::heard || answers());
    }

    [[nodiscard]] bool claims() const noexcept { return speaks() && !said.word->in_recovery; }

    [[nodiscard]] std::uint32_t timeline() const noexcept
    {
        return said.word ? said.word->timeline.value_or(0) : 0;
    }

    // It has refused clients since it was asked for what it said.
    [[nodiscard]] bool doubted() const noexcept
    {
        return refusals.since() != time_point{} && said.asked <= refusals.since();
    }
};

struct evidence
{
    std::vector<testimony> members;                // every configured one
    std::map<std::string, address_list> addresses; // by host, name or address
    check_reports checks;                          // of `check`, if it is configured

    [[nodiscard]] const testimony* find(const std::string& name) const noexcept
    {
        for (const auto& m : members)
            if (m.name == name)
                return &m;
        return nullptr;
    }
};

} // namespace rolegate::health::postgres
