// SPDX-License-Identifier: PostgreSQL
#include "health/lag.hpp"

#include "config/units.hpp"

#include <string>

namespace rolegate::health
{

namespace
{

using config::member_demand;
using std::chrono::milliseconds;

// Of every limit that is set: `holds(lag, limit)`.
template <class Holds> bool all_of_limits(const member_demand& d, const member& m, Holds holds)
{
    return (!d.lag || holds(m.lag_bytes, *d.lag)) &&
           (!d.lag_time || holds(m.lag_time, *d.lag_time));
}

bool is_known(const member_demand& d, const member& m)
{
    return all_of_limits(d, m, [](const auto& lag, const auto&) { return lag.has_value(); });
}

// Three digits or more, for people.
std::string text_of(std::int64_t bytes)
{
    constexpr std::int64_t kilo = 1024;
    if (bytes >= 1000 * kilo * kilo)
        return std::to_string(bytes / (kilo * kilo)) + "MB";
    return bytes >= 1000 * kilo ? std::to_string(bytes / kilo) + "kB" : config::format_size(bytes);
}

std::string text_of(milliseconds age)
{
    return age >= std::chrono::seconds(10)
               ? config::format_duration(std::chrono::floor<std::chrono::seconds>(age))
               : config::format_duration(age);
}

std::string limit_text(std::int64_t bytes)
{
    return config::format_size(bytes);
}

std::string limit_text(milliseconds age)
{
    return config::format_duration(age);
}

// "is 12MB behind (limit 10MB, to come back 5MB)"
template <class T>
void tell(
    std::string& text,
    const std::optional<T>& lag,
    const std::optional<config::lag_limit<T>>& limit,
    const char* unit
)
{
    if (!limit || !lag)
        return;
    text += (text.empty() ? "is " : ", ") + text_of(*lag) + unit + " (limit " +
            limit_text(limit->leave) + ", to come back " + limit_text(limit->enter) + ")";
}

} // namespace

lag_watch watch_lag(const member_demand& d, const member& m, lag_watch was, time_point now)
{
    if (!limits_lag(d))
        return {};
    const bool within =
        all_of_limits(d, m, [](const auto& lag, const auto& l) { return !lag || *lag <= l.leave; });
    const bool below =
        all_of_limits(d, m, [](const auto& lag, const auto& l) { return lag && *lag <= l.enter; });
    if (!within)
        return {true, std::nullopt};
    if (!was.lagging || !below)
        return {was.lagging, std::nullopt};
    const auto since = was.below_since.value_or(now);
    if (now - since >= d.lag_dwell)
        return {};
    return {true, since};
}

std::optional<grant>
lag_refusal(const member_demand& d, const member& m, const lag_watch& w, time_point now)
{
    if (!limits_lag(d))
        return std::nullopt;
    if (!is_known(d, m))
        return grant{admission::keep, "lag-unknown", "how far it is behind is not known"};
    if (!w.lagging)
        return std::nullopt;
    std::string text;
    tell(text, m.lag_bytes, d.lag, " behind");
    tell(text, m.lag_time, d.lag_time, " old");
    if (w.below_since)
    {
        const auto left =
            std::chrono::ceil<std::chrono::seconds>(*w.below_since + d.lag_dwell - now);
        text += "; comes back in " + std::to_string(left.count()) + " s if that lasts";
    }
    return grant{admission::keep, "lag", text};
}

} // namespace rolegate::health
