// SPDX-License-Identifier: PostgreSQL
//
// What the additional HTTP checks of a cluster's members have brought. Pure.
#pragma once

#include <map>
#include <string>

namespace rolegate::health
{

struct check_report
{
    bool passed = false; // enough of them in a row
    std::string text;    // in HAProxy's words: "UP", "DOWN 1/2"; "" = not checked yet
    std::string reason;  // a sentence for people
};

using check_reports = std::map<std::string, check_report>; // by member name

} // namespace rolegate::health
