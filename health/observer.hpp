// SPDX-License-Identifier: PostgreSQL
//
// Where a monitor reports to.
#pragma once

#include "health/topology.hpp"

#include <chrono>
#include <string>

namespace rolegate::health
{

// One request to a source, for logs and metrics.
struct check
{
    std::string cluster;
    std::string member;      // the member's name, or the address before it is known
    std::string address;     // HOST:PORT of what was asked
    const char* source = ""; // "rest", "etcd3", "etcd", "sql", "tcp", "http"
    std::string path;        // what was asked: "/patroni", "leader", ...
    std::string error;       // "" = a usable answer
    std::chrono::duration<double> took{};
    bool news = true; // false: it has said what it had said shortly before
};

// Ages reach the workers at least this often while nothing changes.
inline constexpr std::chrono::milliseconds republish_every{500};

// Called on the control thread, never from within the monitor's own constructor.
class observer
{
public:
    virtual ~observer() = default;

    // `changed`: the belief differs from the last one; else only ages have moved.
    virtual void on_topology(const topology_ptr& now_believed, bool changed) = 0;
    virtual void on_check(const check& c) = 0;
};

} // namespace rolegate::health
