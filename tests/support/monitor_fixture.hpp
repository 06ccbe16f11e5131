// SPDX-License-Identifier: PostgreSQL
//
// A monitor on a thread of its own, and all that it reports.
#pragma once

#include "config/settings.hpp"
#include "health/lookup_pool.hpp"
#include "health/observer.hpp"
#include "tests/support/fake_patroni.hpp"
#include "tests/support/ports.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace rolegate::support
{

// Keeps what a monitor reports; readable from any thread.
class recorder final : public health::observer
{
public:
    void on_topology(const health::topology_ptr& t, bool) override;
    void on_check(const health::check& c) override;

    [[nodiscard]] health::topology_ptr latest() const;
    [[nodiscard]] std::vector<health::check> checks() const;
    [[nodiscard]] std::size_t most_writers() const;
    [[nodiscard]] bool generation_shrank() const;

private:
    mutable std::mutex mutex_;
    health::topology_ptr latest_;
    std::vector<health::check> checks_;
    std::size_t most_writers_ = 0;
    std::uint64_t generation_ = 0;
    bool shrank_ = false;
};

[[nodiscard]] config::cluster_settings following(const std::vector<const fake_patroni*>& seeds);

// Only makes a monitor, for what its constructor throws.
void make_monitor(const config::cluster_settings& settings);

class running_monitor
{
public:
    // Host names are looked up by `how`, where that is given.
    explicit running_monitor(
        const config::cluster_settings& settings,
        std::vector<health::demand> demands = write_and_read(),
        const health::lookup_function& how = {}
    );
    ~running_monitor();
    running_monitor(const running_monitor&) = delete;
    running_monitor& operator=(const running_monitor&) = delete;

    void hint(const std::string& member, health::life_sign seen);
    void obey(const health::operator_orders& orders);
    void stop();

    // Nothing of it is under way any more.
    [[nodiscard]] bool ended() const;

    [[nodiscard]] const recorder& seen() const { return seen_; }

    // The member as it is believed to be now; a default one when it is not known.
    [[nodiscard]] health::member member(const std::string& name) const;
    [[nodiscard]] bool leads(const std::string& name) const;

    // A check of this member or seed failed with these words.
    [[nodiscard]] bool failed(const std::string& member, const std::string& words) const;

private:
    struct engine;

    recorder seen_;
    std::unique_ptr<engine> engine_;
};

} // namespace rolegate::support
