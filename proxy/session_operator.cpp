// SPDX-License-Identifier: PostgreSQL
//
// What an operator wants of a session: that it leaves a member in maintenance, ends, or is listed.
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

namespace rolegate::proxy
{

// The member is to be left when that does no harm, until the operator changes his mind.
void session::obey_maintenance(bool must_go)
{
    const bool leaves = leaving_ == errc::maintenance;
    if (must_go && leaving_ == errc::none)
        leave_when_idle(
            errc::maintenance, std::chrono::steady_clock::now() + listener_->settings.drain_deadline
        );
    if (must_go || !leaves)
        return;
    leaving_ = errc::none;
    leave_by_ = time_point::max();
    if (deadline_ == deadline::none)
        worker_.settle(*this);
}

bool session::kill()
{
    if (why_ != errc::none || recorded_)
        return false;
    if (relay_)
        end_at_boundary(errc::killed);
    else
        end(errc::killed);
    return true;
}

const char* session::state_text() const noexcept
{
    if (why_ != errc::none || recorded_)
        return "ending";
    if (relay_ && !relay_->readable())
        return "relaying";
    if (relay_ && relay_->idle())
        return "idle";
    if (relay_)
        return relay_->busy() ? "active" : "in transaction";
    switch (phase_)
    {
    case phase::queue:
        return "held";
    case phase::connect:
        return "connecting";
    case phase::handshake:
    case phase::data:
        break;
    }
    return "handshake";
}

session_row session::describe(time_point now) const
{
    session_row row;
    row.id = id_;
    row.client = peer_.text();
    row.listener = listener_->settings.name;
    row.member = member_;
    row.user = names_.user();
    row.database = names_.database();
    row.state = state_text();
    row.age = std::chrono::duration_cast<std::chrono::milliseconds>(now - accepted_);
    row.bytes_in = opening_in_ + (relay_ ? relay_->bytes_in() : 0);
    row.bytes_out = opening_out_ + (relay_ ? relay_->bytes_out() : 0);
    return row;
}

} // namespace rolegate::proxy
