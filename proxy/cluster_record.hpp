// SPDX-License-Identifier: PostgreSQL
//
// What the control thread remembers of one cluster beside the belief itself: counts, failures and
// the log lines that go with them.
#pragma once

#include "health/observer.hpp"
#include "proxy/availability.hpp"
#include "proxy/process_view.hpp"
#include "proxy/stats.hpp"
#include "proxy/topology_log.hpp"

#include <map>
#include <string>

namespace rolegate::proxy
{

class cluster_record
{
public:
    // The belief has changed.
    void on_topology(
        const health::topology& before, const health::topology& after, health::time_point now
    );
    void on_check(const health::check& c, health::time_point now);

    // Who was the primary for another process that has followed the cluster so far; "" = nobody.
    void take_over(const std::string& primary) { last_ = {primary, std::nullopt}; }

    [[nodiscard]] cluster_view view(health::topology_ptr believed) const;

private:
    void
    forget_failures(const std::string& member, const std::string& source, health::time_point until);
    void note_primary(
        const health::topology& before, const health::topology& after, health::time_point now
    );

    check_stats checks_;
    availability services_;
    std::map<check_key, check_failure> failures_;
    std::map<std::string, std::uint64_t> role_changes_;
    histogram write_unavailable_;
    primary_memory last_; // the primary that is, or the one that was, since when it is lost
};

} // namespace rolegate::proxy
