// SPDX-License-Identifier: PostgreSQL
//
// The process that we take over from: what it has left us, and what it is told.
#pragma once

#include "proxy/handed_over.hpp"
#include "proxy/unique_fd.hpp"

#include <optional>
#include <string>

namespace rolegate::proxy
{

class predecessor
{
public:
    // Among the inherited descriptors. nullopt: we have been started by somebody else.
    [[nodiscard]] static std::optional<predecessor> find();

    [[nodiscard]] const handed_over& left() const noexcept { return left_; }

    // A line; it may have ended long ago. See successor.hpp.
    void tell(std::string line) const;

private:
    handed_over left_;
    unique_fd word_;
};

} // namespace rolegate::proxy
