// SPDX-License-Identifier: PostgreSQL
//
// What one listener keeps through every reload, whatever its settings are by then: who waits, who
// is inside, what was counted. Goes with the last session that has come this way.
#pragma once

#include "config/listener_settings.hpp"
#include "proxy/handshake_count.hpp"
#include "proxy/hold.hpp"
#include "proxy/stats.hpp"
#include "proxy/traffic_count.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace rolegate::proxy
{

struct doorway
{
    doorway(
        std::size_t number,
        std::size_t workers,
        const config::listener_settings& l,
        hold::wake_function wake
    )
        : id(number), door({l.queue.max, l.maxconn}, std::move(wake)), handshakes(l.handshakes),
          stats(workers)
    {
    }

    // Those inside stay where they are, even if they are too many now.
    void set_limits(const config::listener_settings& l)
    {
        door.set_limits({l.queue.max, l.maxconn});
        handshakes.set_limits(l.handshakes);
    }

    const std::size_t id; // no other listener of this process ever has it
    hold door;
    handshake_count handshakes;
    traffic_count traffic;
    std::vector<listener_stats> stats; // by worker; touched on its thread only
};

} // namespace rolegate::proxy
