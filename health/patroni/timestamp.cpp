// SPDX-License-Identifier: PostgreSQL
#include "health/patroni/timestamp.hpp"

namespace rolegate::health::patroni
{
namespace
{

// Takes text away from its front, piece by piece.
class cursor
{
public:
    explicit cursor(std::string_view text) : left_(text) {}

    [[nodiscard]] bool at_end() const noexcept { return left_.empty(); }

    bool skip(std::string_view what)
    {
        if (!left_.starts_with(what))
            return false;
        left_.remove_prefix(what.size());
        return true;
    }

    // Exactly so many digits, no more than `most`; -1: something else stands there.
    int number(std::size_t digits, int most)
    {
        if (left_.size() < digits)
            return -1;
        int value = 0;
        for (const char c : left_.substr(0, digits))
        {
            if (c < '0' || c > '9')
                return -1;
            value = value * 10 + (c - '0');
        }
        left_.remove_prefix(digits);
        return value <= most ? value : -1;
    }

    // What follows a decimal point, cut to milliseconds.
    int milliseconds()
    {
        int value = 0;
        int digits = 0;
        for (; !left_.empty() && left_.front() >= '0' && left_.front() <= '9'; ++digits)
        {
            if (digits < 3)
                value = value * 10 + (left_.front() - '0');
            left_.remove_prefix(1);
        }
        for (; digits < 3; ++digits)
            value *= 10;
        return value;
    }

private:
    std::string_view left_;
};

// "+02", "+02:00", "+0530", "Z", " UTC"; nullopt: another name.
std::optional<std::chrono::seconds> zone(cursor& in)
{
    in.skip(" ");
    if (in.skip("Z") || in.skip("UTC") || in.skip("GMT"))
        return std::chrono::seconds(0);
    const bool west = in.skip("-");
    if (!west && !in.skip("+"))
        return std::nullopt;
    const int hours = in.number(2, 15);
    int minutes = 0;
    if (in.skip(":") || !in.at_end())
        minutes = in.number(2, 59);
    if (hours < 0 || minutes < 0)
        return std::nullopt;
    const std::chrono::seconds ahead = std::chrono::hours(hours) + std::chrono::minutes(minutes);
    return west ? -ahead : ahead;
}

} // namespace

std::optional<timestamp> parse_timestamp(std::string_view text)
{
    using namespace std::chrono;
    cursor in(text);
    const int y = in.number(4, 9999);
    const bool date = in.skip("-");
    const int mo = in.number(2, 12);
    const bool day_follows = in.skip("-");
    const int d = in.number(2, 31);
    const bool time_follows = in.skip(" ") || in.skip("T");
    const int h = in.number(2, 23);
    const bool minutes_follow = in.skip(":");
    const int mi = in.number(2, 59);
    const bool seconds_follow = in.skip(":");
    const int s = in.number(2, 60);
    const int ms = in.skip(".") ? in.milliseconds() : 0;
    const auto ahead = zone(in);
    if (!date || !day_follows || !time_follows || !minutes_follow || !seconds_follow || y < 0 ||
        h < 0 || mi < 0 || s < 0 || !ahead || !in.at_end())
        return std::nullopt;
    const auto on = year(y) / month(static_cast<unsigned>(mo)) / day(static_cast<unsigned>(d));
    if (mo < 1 || d < 1 || !on.ok())
        return std::nullopt;
    return sys_days(on) + hours(h) + minutes(mi) + seconds(s) + milliseconds(ms) - *ahead;
}

} // namespace rolegate::health::patroni
