// SPDX-License-Identifier: PostgreSQL
//
// How attempts to change the configuration went.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace rolegate::proxy
{

// One reload.
struct reload_report
{
    std::vector<std::string> changes;  // that hold now
    std::vector<std::string> waiting;  // for a restart
    std::vector<std::string> problems; // if there are any nothing has changed
    // Clusters whose new settings do not hold yet, and why.
    std::vector<std::string> followed_as_before{};
};

// All of them, as the API and the metrics have it.
struct config_state
{
    std::chrono::system_clock::time_point loaded{}; // when it last worked
    std::uint64_t reloads = 0;                      // that worked
    std::uint64_t failed = 0;                       // that changed nothing
    std::string error;                              // of the last attempt; "" = it worked
};

} // namespace rolegate::proxy
