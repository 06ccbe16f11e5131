// SPDX-License-Identifier: PostgreSQL
//
// Where the verdicts for each listener stand among the grants of its cluster's members. A session
// is judged by what its listener demanded when it began, so a place stays what it is as long as
// anybody refers to it, and is given to the next demand only then. Pure; the control thread's.
#pragma once

#include "config/demand_settings.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace rolegate::proxy
{

struct seat
{
    std::size_t cluster = 0; // its number: no other cluster of this process ever has it
    std::size_t index = 0;   // in health::member::grants
};

using seat_ptr = std::shared_ptr<const seat>; // may be dropped on any thread

// Of one cluster.
class seating
{
public:
    struct demand
    {
        std::string listener;
        config::member_demand wants;

        friend bool operator==(const demand&, const demand&) = default;
    };

    explicit seating(std::size_t cluster) noexcept : cluster_(cluster) {}

    // The same demand has the same seat; a lower one when most have become free, so that tidy()
    // can give the high ones up.
    [[nodiscard]] seat_ptr take(const demand& d);

    // Nothing is demanded any more where nobody sits. True: then demands() are other ones.
    bool tidy();

    // By index. Where nobody sits, what was there last, or after tidy() one without a listener. Of
    // those of one listener only the one that was taken last, and is not free, has its name: what
    // former sessions are judged by is not what the listener does now.
    [[nodiscard]] std::vector<demand> demands() const;

    [[nodiscard]] bool empty() const noexcept;

private:
    struct place
    {
        demand what;
        std::weak_ptr<const seat> taken;
        std::uint64_t last = 0; // take() that gave it out
    };

    std::size_t cluster_;
    std::vector<place> places_;
    std::uint64_t takes_ = 0;
};

} // namespace rolegate::proxy
