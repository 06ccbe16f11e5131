// SPDX-License-Identifier: PostgreSQL
//
// How often passwords may be tried, by the address that they come from: who guesses keeps nobody at
// another address out. Who guesses from several at once may take all places but those that are kept
// for addresses from which a password has been right. Pure: the time is passed in.
#pragma once

#include "proxy/token_bucket.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>

namespace rolegate::proxy::admin
{

class login_attempts
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    // Beyond them whoever has not tried for longest is forgotten.
    static constexpr std::size_t most_sources = 1024;

    // Passwords that may be under examination, in all and of one address. A hash takes milliseconds
    // up to half a second.
    static constexpr long most_places = 16;
    static constexpr long most_places_of_one = 4;
    // Of all: only for addresses from which a password was right, of the latest so many of them.
    static constexpr long kept_places = 4;
    static constexpr std::size_t most_right = 64;

    // Of one address: so many per second in the long run, and so many at once.
    login_attempts(double per_second, double at_once) : per_second_(per_second), at_once_(at_once)
    {
    }

    // Taken while a password is examined; may outlive us.
    struct place
    {
        std::shared_ptr<const char> of_all;
        std::shared_ptr<const char> of_source;

        explicit operator bool() const noexcept { return of_all != nullptr; }
    };

    // `from` is an address without its port; IPv6 counts by /64, for one host owns that many. What
    // is no address, a unix socket's, is one source.
    //
    // False: too often.
    [[nodiscard]] bool may_try(const std::string& from, time_point now);
    // Empty: there is none, wait. Before may_try(), so that it costs no try.
    [[nodiscard]] place take_place(const std::string& from, time_point now);
    // A password from there was.
    void was_right(const std::string& from, time_point now);

    [[nodiscard]] std::size_t sources() const noexcept { return sources_.size(); }

private:
    struct source
    {
        token_bucket tries;
        time_point last;
        std::shared_ptr<const char> places = std::make_shared<const char>('\0');
    };

    source& source_of(const std::string& key, time_point now);
    void make_room(time_point now);

    double per_second_;
    double at_once_;
    std::map<std::string, source> sources_;   // by the bytes of the address
    std::map<std::string, time_point> right_; // the same; when last
    std::shared_ptr<const char> places_ = std::make_shared<const char>('\0');
};

} // namespace rolegate::proxy::admin
