// SPDX-License-Identifier: PostgreSQL
//
// A monitor on a thread of its own, and all that it reports.
#pragma once

#include "health/monitor.hpp"
#include "tests/support/fake_patroni.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

namespace rolegate::support
{

// Keeps what a monitor reports; readable from any thread.
class recorder final : public health::observer
{
public:
    void on_topology(const health::topology_ptr& t, bool) override
    {
        std::size_t writers = 0;
        for (const auto& m : t->members)
            writers += m.write.verdict == health::admission::open ? 1 : 0;
        const std::lock_guard lock(mutex_);
        latest_ = t;
        most_writers_ = std::max(most_writers_, writers);
        shrank_ = shrank_ || t->generation < generation_;
        generation_ = t->generation;
    }

    void on_check(const health::check& c) override
    {
        const std::lock_guard lock(mutex_);
        checks_.push_back(c);
    }

    [[nodiscard]] health::topology_ptr latest() const
    {
        const std::lock_guard lock(mutex_);
        return latest_;
    }

    [[nodiscard]] std::vector<health::check> checks() const
    {
        const std::lock_guard lock(mutex_);
        return checks_;
    }

    [[nodiscard]] std::size_t most_writers() const
    {
        const std::lock_guard lock(mutex_);
        return most_writers_;
    }

    [[nodiscard]] bool generation_shrank() const
    {
        const std::lock_guard lock(mutex_);
        return shrank_;
    }

private:
    mutable std::mutex mutex_;
    health::topology_ptr latest_;
    std::vector<health::check> checks_;
    std::size_t most_writers_ = 0;
    std::uint64_t generation_ = 0;
    bool shrank_ = false;
};

inline config::cluster_settings following(const std::vector<const fake_patroni*>& seeds)
{
    config::cluster_settings s;
    s.name = "main";
    for (const auto* seed : seeds)
        s.patroni.members.push_back({"127.0.0.1", seed->port()});
    s.patroni.interval = std::chrono::milliseconds(60);
    s.patroni.fast_interval = std::chrono::milliseconds(10);
    s.patroni.timeout = scaled(std::chrono::milliseconds(500));
    return s;
}

class running_monitor
{
public:
    explicit running_monitor(const config::cluster_settings& settings)
        : monitor_(control_, settings, seen_)
    {
        monitor_.start();
        thread_ = std::thread(
            [this]
            {
                control_.run();
                ended_ = true;
            }
        );
    }

    ~running_monitor()
    {
        stop();
        control_.stop();
        thread_.join();
    }

    running_monitor(const running_monitor&) = delete;
    running_monitor& operator=(const running_monitor&) = delete;

    void hint(const std::string& member, health::life_sign seen)
    {
        boost::asio::post(control_, [this, member, seen] { monitor_.hint(member, seen); });
    }

    void stop()
    {
        boost::asio::post(control_, [this] { monitor_.stop(); });
    }

    // Nothing of it is under way any more.
    [[nodiscard]] bool ended() const { return ended_; }

    [[nodiscard]] const recorder& seen() const { return seen_; }

    // The member as it is believed to be now; a default one when it is not known.
    [[nodiscard]] health::member member(const std::string& name) const
    {
        const auto t = seen_.latest();
        const auto* m = t ? t->find(name) : nullptr;
        return m ? *m : health::member();
    }

    [[nodiscard]] bool leads(const std::string& name) const
    {
        const auto t = seen_.latest();
        return t && t->primary() && t->primary()->name == name;
    }

    // A check of this member or seed failed with these words.
    [[nodiscard]] bool failed(const std::string& member, const std::string& words) const
    {
        const auto checks = seen_.checks();
        return std::ranges::any_of(
            checks,
            [&](const health::check& c) {
                return c.member == member && !c.error.empty() &&
                       c.error.find(words) != c.error.npos;
            }
        );
    }

private:
    boost::asio::io_context control_{1};
    recorder seen_;
    health::monitor monitor_;
    std::atomic<bool> ended_{false};
    std::thread thread_;
};

} // namespace rolegate::support
