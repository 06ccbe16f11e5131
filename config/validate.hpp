// SPDX-License-Identifier: PostgreSQL
//
// What is wrong between keys that are each right by themselves. Pure; knows no files, so that
// settings from the command line are judged alike.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <vector>

namespace rolegate::config
{

struct finding
{
    // The keys that contradict each other, as "clusters/main/patroni/interval"; "0" is the first
    // item of a list. The first one is the one to complain about.
    std::vector<std::string> keys;
    std::string text;

    friend bool operator==(const finding&, const finding&) = default;
};

[[nodiscard]] std::vector<finding> validate(const settings& s);

} // namespace rolegate::config
