// SPDX-License-Identifier: PostgreSQL
#include "health/address_trials.hpp"

#include <algorithm>

namespace rolegate::health
{

namespace
{

// A crowd that fails alike is not worth a page of the log.
constexpr std::size_t told_errors = 3;

} // namespace

address_list address_trials::begin(const address_list& known)
{
    known_ = known;
    errors_.clear();
    std::erase_if(
        failed_,
        [&known](const auto& address) { return std::ranges::find(known, address) == known.end(); }
    );
    address_list order = known;
    const auto rank = [this](const std::string& address) {
        return failed_.contains(address) ? 2 : address == answered_ ? 0 : 1;
    };
    std::ranges::stable_sort(order, {}, rank);
    return order;
}

void address_trials::good(const std::string& address)
{
    answered_ = address;
    failed_.erase(address);
    errors_.clear();
}

void address_trials::bad(const std::string& address, const std::string& error)
{
    failed_.insert(address);
    errors_.emplace_back(address, error);
}

std::string address_trials::error() const
{
    if (errors_.empty())
        return "";
    if (known_.size() == 1)
        return errors_.front().second;
    std::string all;
    const auto told = std::min(errors_.size(), told_errors);
    for (std::size_t i = 0; i < told; ++i)
        all += (i == 0 ? "" : "; ") + errors_[i].first + ": " + errors_[i].second;
    if (errors_.size() > told)
        all += "; " + std::to_string(errors_.size() - told) + " more";
    return all;
}

address_list address_trials::others() const
{
    address_list others;
    for (const auto& address : known_)
        if (address != answered_ && !failed_.contains(address))
            others.push_back(address);
    return others;
}

} // namespace rolegate::health
