// SPDX-License-Identifier: PostgreSQL
//
// What a worker tells the control thread. Called on the worker's thread; rarely.
#pragma once

#include "health/member.hpp"

#include <cstddef>
#include <string>

namespace rolegate::proxy
{

class worker_observer
{
public:
    virtual ~worker_observer() = default;

    // A member should be looked at. The same hint in a row comes at most every 10 ms from a worker.
    virtual void hint(std::size_t cluster, const std::string& member, health::life_sign seen) = 0;

    // So many sessions of the write port were ended because this member lost its role.
    virtual void sessions_cut(std::size_t cluster, const std::string& member, std::size_t n) = 0;

    // The first session this worker leads to a new primary.
    virtual void first_session(std::size_t cluster, const std::string& member) = 0;
};

} // namespace rolegate::proxy
