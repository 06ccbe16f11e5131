// SPDX-License-Identifier: PostgreSQL
//
// How the API spells what may be missing, and ages. Pure.
#pragma once

#include "health/topology.hpp"
#include "proxy/admin/readiness.hpp"

#include <boost/json/value.hpp>

#include <optional>
#include <string>

namespace rolegate::proxy::admin
{

template <class T> boost::json::value or_null(const std::optional<T>& v)
{
    return v ? boost::json::value(*v) : boost::json::value(nullptr);
}

inline boost::json::value or_null(const std::string& text)
{
    return text.empty() ? boost::json::value(nullptr) : boost::json::value(text);
}

// Milliseconds. A default time_point means "never".
inline boost::json::value age_ms(health::time_point seen, health::time_point now)
{
    return seen == health::time_point{} ? boost::json::value(nullptr)
                                        : boost::json::value(ms_between(seen, now));
}

inline boost::json::value
age_ms(const std::optional<health::time_point>& seen, health::time_point now)
{
    return seen ? boost::json::value(ms_between(*seen, now)) : boost::json::value(nullptr);
}

} // namespace rolegate::proxy::admin
