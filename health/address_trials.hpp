// SPDX-License-Identifier: PostgreSQL
//
// What checks find at the addresses of one member's host name. Pure.
//
//   for (const auto& address : trials.begin(known))   until one is good
//       trials.good(address) or trials.bad(address, why)
//   trials.error(), trials.answered(), trials.others() what follows
#pragma once

#include "health/address.hpp"

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace rolegate::health
{

class address_trials
{
public:
    // In which order the next check tries what the name stands for now: first the address that has
    // answered last, at the end those that have failed. What is not among them is forgotten.
    [[nodiscard]] address_list begin(const address_list& known);

    void good(const std::string& address);
    void bad(const std::string& address, const std::string& error);

    // What was wrong since begin(), where nothing was good; of several addresses each with its own.
    [[nodiscard]] std::string error() const;

    // Which has answered last; "" = none yet.
    [[nodiscard]] const std::string& answered() const noexcept { return answered_; }

    // The others that have not failed since they were good, or were never tried.
    [[nodiscard]] address_list others() const;

private:
    address_list known_;
    std::set<std::string> failed_; // of `known_`
    std::string answered_;
    std::vector<std::pair<std::string, std::string>> errors_; // of this check, by address
};

} // namespace rolegate::health
