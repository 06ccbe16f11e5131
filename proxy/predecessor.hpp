// SPDX-License-Identifier: PostgreSQL
//
// The process that we take over from: what it has left us, and how it is told that we accept.
#pragma once

#include "proxy/handed_over.hpp"
#include "proxy/unique_fd.hpp"

#include <optional>

namespace rolegate::proxy
{

class predecessor
{
public:
    // Among the inherited descriptors. nullopt: we have been started by somebody else.
    [[nodiscard]] static std::optional<predecessor> find();

    [[nodiscard]] const handed_over& left() const noexcept { return left_; }

    // It stops accepting.
    void tell_ready() noexcept;

private:
    handed_over left_;
    unique_fd ready_;
};

} // namespace rolegate::proxy
