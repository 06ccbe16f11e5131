// SPDX-License-Identifier: PostgreSQL
//
// Clients were refused by a member: what it said before that counts no more. A member whose word
// then contradicts the refusal (a firewall in between, say) is not doubted again for a while, or
// its verdict would flap with every client. Pure.
#pragma once

#include "health/member.hpp"

namespace rolegate::health
{

class doubt
{
public:
    void refused(time_point now) noexcept;

    // The member has spoken, `good` when it says that all is well; it was asked at `asked`.
    void spoke(time_point asked, bool good, time_point now) noexcept;

    // When clients were last refused; what was asked for before is not to be believed.
    [[nodiscard]] time_point since() const noexcept { return since_; }

private:
    time_point since_{};
    time_point deaf_until_{};
    clock::duration pause_{};
    bool settled_ = true;
};

} // namespace rolegate::health
