// SPDX-License-Identifier: PostgreSQL
//
// Since when each member is open to each listener or is not, how often it ceased to be, and for how
// long it was not, all in all; the same for the listener as a whole. HAProxy's lastchg, chkdown and
// downtime. Pure: follows the beliefs, each when it changes.
#pragma once

#include "health/topology.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace rolegate::proxy
{

struct service_record
{
    bool open = false;
    health::time_point since{};
    std::uint64_t losses = 0;                // times it ceased to be open
    health::clock::duration closed_before{}; // before `since`

    [[nodiscard]] health::clock::duration closed_for(health::time_point now) const noexcept
    {
        return closed_before + (open ? health::clock::duration{} : now - since);
    }
};

// By listener and member; "" = the listener, open while one of its members is.
using service_records = std::map<std::pair<std::string, std::string>, service_record>;

class availability
{
public:
    void on_topology(const health::topology& t, health::time_point now);

    [[nodiscard]] const service_records& records() const noexcept { return records_; }

private:
    void
    note(const std::string& listener, const std::string& member, bool open, health::time_point now);

    service_records records_;
};

} // namespace rolegate::proxy
