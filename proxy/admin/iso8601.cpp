// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/iso8601.hpp"

#include <ctime>

namespace rolegate::proxy::admin
{

std::string iso8601(std::chrono::system_clock::time_point t)
{
    const auto whole = std::chrono::floor<std::chrono::seconds>(t);
    const auto seconds = std::chrono::system_clock::to_time_t(whole);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(t - whole).count();
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    char text[32];
    const auto n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    const auto digits = std::to_string(1000 + ms).substr(1);
    return std::string(text, n) + "." + digits + "Z";
}

} // namespace rolegate::proxy::admin
