// SPDX-License-Identifier: PostgreSQL
//
// Who asks, by name and password. The control thread decides where clients go, so it never makes a
// hash itself: one other thread does, for a few who wait, and what it has found is remembered for
// some seconds. Control thread only.
#pragma once

#include "proxy/admin/basic_auth.hpp"
#include "proxy/admin/login_attempts.hpp"
#include "proxy/login_counts.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <array>
#include <chrono>
#include <map>
#include <string>
#include <string_view>

namespace rolegate::proxy::admin
{

struct identity
{
    std::string user; // "" = nobody
    int status = 0;   // why nobody: 401 wrong, 429 tried too often, 503 too many wait; 0 = not said
    std::string why;
};

struct password_limits
{
    // Passwords tried from one address: more than people mistype, fewer than guess one.
    double per_second = 1;
    double at_once = 10;
    // A page that asks every second makes a hash every tenth time.
    std::chrono::milliseconds remember_for{10000};
};

class authenticator
{
public:
    using user_map = std::map<std::string, std::string>; // passwords or hashes by name

    explicit authenticator(user_map users, const password_limits& limits = {});
    ~authenticator();
    authenticator(const authenticator&) = delete;
    authenticator& operator=(const authenticator&) = delete;

    void use(user_map users); // from now on

    // Who is refused is told in the log, and everybody is counted. `from`: an address without its
    // port.
    [[nodiscard]] boost::asio::awaitable<identity>
    identify(std::string authorization, std::string from);

    [[nodiscard]] const login_counts& counts() const noexcept { return counts_; }

private:
    using digest = std::array<unsigned char, 32>;
    using time_point = std::chrono::steady_clock::time_point;

    [[nodiscard]] digest digest_of(const std::string& user, const std::string& password) const;
    [[nodiscard]] boost::asio::awaitable<identity> find_out(credentials said, std::string from);
    void note(const identity& who, const std::string& user, const std::string& from);
    [[nodiscard]] boost::asio::awaitable<bool> verify(std::string given, std::string kept);
    void remember(const digest& d, time_point now);

    user_map users_;
    password_limits limits_;
    std::array<unsigned char, 32> key_{}; // of this process: digests mean nothing elsewhere
    std::map<digest, time_point> known_;  // until when
    login_attempts attempts_;
    login_counts counts_;
    unsigned generation_ = 0; // of `users_`
    boost::asio::thread_pool pool_{1};
};

} // namespace rolegate::proxy::admin
