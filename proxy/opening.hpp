// SPDX-License-Identifier: PostgreSQL
//
// What a session needs until its client and its server are connected, and not afterwards: most
// sessions are past that, and should cost little.
#pragma once

#include "proxy/errc.hpp"
#include "proxy/event_loop.hpp"
#include "proxy/handshake.hpp"
#include "proxy/handshake_count.hpp"

#include <boost/intrusive/list.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace rolegate::proxy
{

class session;

// A member that has refused, or said "not now".
struct refusal
{
    std::string member;
    std::chrono::steady_clock::time_point until{}; // not to be tried again before
    std::chrono::milliseconds pause{0};
};

// Listed by the worker until the first packet is whole.
struct opening
    : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>
{
    using time_point = std::chrono::steady_clock::time_point;

    session& owner;
    handshake hands;
    handshake_count::token counted;       // until the first packet is whole
    std::vector<std::byte> startup;       // the StartupMessage as the server gets it
    std::vector<std::byte> answer;        // the server's first words
    event_loop::alarm timer;              // holds
    bool waiting = false;                 // the timer runs
    std::optional<time_point> hold_until; // set when a server is first wanted
    std::vector<std::string> resting;     // members that refused and are not to be tried now
    std::vector<refusal> refusals;        // by member; as many as the listener leads to
    errc refused_why = errc::server_failed;
    std::vector<std::string> flipped; // sslmode allow and prefer: members to be tried the other way
    bool client_left = false;         // it has closed its side while a server was sought
    bool server_silent = false;       // the server was closed because it said nothing in time
    bool role_gone = false;           // the server was closed because its member lost the role
    bool said_no = false;             // answered an encryption request with N
    bool cancel_sent = false;         // a CancelRequest had somewhere to go
    const char* cancel_result = nullptr; // set by a CancelRequest; see listener_stats

    opening(session& whose, event_loop& loop) : owner(whose), timer(loop) {}
};

} // namespace rolegate::proxy
