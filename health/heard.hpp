// SPDX-License-Identifier: PostgreSQL
//
// What the members say of themselves now: Patroni's word over REST and PostgreSQL's own over SQL,
// put together. Pure.
#pragma once

#include "health/evidence.hpp"

#include <map>
#include <string>

namespace rolegate::health
{

struct heard
{
    member_word word;
    time_point asked{};   // of the newer of the two
    time_point seen{};    // of the newer of the two
    bool patroni = false; // Patroni answers; else only PostgreSQL does
};

// By member name; those that have said nothing within `fresh_for`, or do not answer, are absent.
// PostgreSQL's word on whether it is in recovery wins over an older one of Patroni's.
[[nodiscard]] std::map<std::string, heard>
hear(const evidence& seen, std::chrono::milliseconds fresh_for, time_point now);

// The answer behind `after` says what the one behind `before` had said, not longer ago than
// `within`, and nothing has cast doubt on that: no verdict can follow from it that would not have
// followed before. Bytes of WAL do not count: they move with every answer.
[[nodiscard]] bool
repeats(const word_report& before, const word_report& after, clock::duration within);
[[nodiscard]] bool
repeats(const sql_report& before, const sql_report& after, clock::duration within);

} // namespace rolegate::health
