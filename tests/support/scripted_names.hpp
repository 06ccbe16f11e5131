// SPDX-License-Identifier: PostgreSQL
//
// Host names as a test wants them: with addresses, or looked up without an end.
#pragma once

#include "health/lookup_pool.hpp"
#include "tests/support/run_until.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace rolegate::support
{

class scripted_names
{
public:
    scripted_names() = default;

    // Threads that are left behind by a pool end with the test.
    ~scripted_names()
    {
        release_all();
        static_cast<void>(run_until([this] { return under_way() == 0; }));
    }
    scripted_names(const scripted_names&) = delete;
    scripted_names& operator=(const scripted_names&) = delete;

    // From now on; nothing: there is no such name.
    void say(const std::string& host, health::address_list addresses)
    {
        const std::lock_guard lock(state_->guard);
        state_->addresses[host] = std::move(addresses);
    }

    // Whoever looks it up waits for release().
    void hang(const std::string& host)
    {
        const std::lock_guard lock(state_->guard);
        state_->hanging.insert(host);
    }

    void release(const std::string& host)
    {
        const std::lock_guard lock(state_->guard);
        state_->hanging.erase(host);
        state_->released.notify_all();
    }

    void release_all()
    {
        const std::lock_guard lock(state_->guard);
        state_->hanging.clear();
        state_->released.notify_all();
    }

    [[nodiscard]] health::lookup_function how() const
    {
        return [s = state_](const std::string& host) { return s->look_up(host); };
    }

    // How often it was asked for.
    [[nodiscard]] std::size_t asked(const std::string& host) const
    {
        const std::lock_guard lock(state_->guard);
        return static_cast<std::size_t>(std::ranges::count(state_->asked, host));
    }

    [[nodiscard]] std::size_t under_way() const
    {
        const std::lock_guard lock(state_->guard);
        return state_->under_way;
    }

    [[nodiscard]] std::size_t most_under_way() const
    {
        const std::lock_guard lock(state_->guard);
        return state_->most_under_way;
    }

private:
    struct state
    {
        health::address_list look_up(const std::string& host)
        {
            std::unique_lock lock(guard);
            asked.push_back(host);
            most_under_way = std::max(most_under_way, ++under_way);
            released.wait(lock, [&] { return !hanging.contains(host); });
            --under_way;
            const auto found = addresses.find(host);
            return found == addresses.end() ? health::address_list{} : found->second;
        }

        std::mutex guard;
        std::condition_variable released;
        std::map<std::string, health::address_list> addresses;
        std::set<std::string> hanging;
        std::vector<std::string> asked;
        std::size_t under_way = 0;
        std::size_t most_under_way = 0;
    };

    // Of the threads as well, which may live longer.
    const std::shared_ptr<state> state_ = std::make_shared<state>();
};

} // namespace rolegate::support
