// SPDX-License-Identifier: PostgreSQL
#include "health/patroni/config_body.hpp"

#include "health/patroni/json_fields.hpp"

namespace rolegate::health::patroni
{

decoded<std::chrono::milliseconds> decode_ttl(std::string_view body)
{
    const auto parsed = parse_object(body);
    if (!parsed)
        return parsed.error();
    if (!parsed->contains("ttl"))
        return std::string("the configuration has no 'ttl'");

    // Patroni itself takes digits in quotes for a number here.
    const auto ttl = count_or_digits_at(*parsed, "ttl");
    constexpr std::chrono::seconds day = std::chrono::hours(24);
    if (!ttl || *ttl == 0 || *ttl >= day.count())
        return std::string("'ttl' is not a number of seconds between 1 and a day");
    return std::chrono::milliseconds(std::chrono::seconds(*ttl));
}

} // namespace rolegate::health::patroni
