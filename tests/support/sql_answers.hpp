// SPDX-License-Identifier: PostgreSQL
//
// What PostgreSQL answers to the probe's question, byte by byte, for a fake one.
#pragma once

#include "tests/support/fake_postgres.hpp"

#include <string>

namespace rolegate::support
{

// A field of a DataRow as text; the length stands before it.
inline std::string sql_field(const std::string& text)
{
    const auto n = static_cast<char>(text.size());
    return std::string{'\0', '\0', '\0', n} + text;
}

// Without the ReadyForQuery. Timelines have one digit.
inline byte_vector
sql_answer(bool in_recovery, int timeline = 1, const std::string& system = "7000000000000000001")
{
    std::string description{'\0', 7};
    // Name, table, column number, type text, size, modifier, format.
    for (const char* name : {"recovery", "timeline", "lsn", "system", "follows", "received", "age"})
        description +=
            name + std::string(10, '\0') + '\x19' + std::string(6, '\xff') + std::string(2, '\0');
    const std::string none{-1, -1, -1, -1};
    const auto digit = std::to_string(timeline);
    const auto row = std::string{'\0', 7} + sql_field(in_recovery ? "t" : "f") +
                     (in_recovery ? none : sql_field("0000000" + digit)) + sql_field("67108864") +
                     sql_field(system) + (in_recovery ? sql_field(digit) : none) +
                     (in_recovery ? sql_field("67108864") + sql_field("250") : none + none);
    return message('T', description) + message('D', row) +
           message('C', std::string("SELECT 1") + '\0');
}

// Lets the probe in and gives this answer to whatever it asks.
inline script answering(const byte_vector& answer)
{
    return [answer](stream& s)
    {
        if (take_startup(s).empty())
            return;
        s.send(login_answer());
        for (auto m = s.receive_message(); !m.empty() && m != terminate(); m = s.receive_message())
            s.send(answer);
    };
}

} // namespace rolegate::support
