// SPDX-License-Identifier: PostgreSQL
//
// Follows one cluster through changes of its settings. Whoever follows by the old ones goes on
// until the one with the new settings has seen as much, so that no client is refused in between;
// what was known is handed down, so that nothing is believed twice. Control thread only.
#pragma once

#include "health/cluster_monitor.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rolegate::health
{

class succession
{
public:
    using monitor_ptr = std::shared_ptr<cluster_monitor>;

    // For so long the new one is waited for, once it has seen the cluster, when it would open less
    // than the old one does: then that is what the new settings mean.
    static constexpr std::chrono::seconds patience{10};

    // `settings`: see make_monitor(). `to` is told what is believed, by whomever.
    succession(
        boost::asio::io_context& control, const config::cluster_settings& settings, observer& to
    );
    ~succession();

    void start();
    void stop();

    // See cluster_monitor.
    void hint(const std::string& member, life_sign seen);
    void obey(const operator_orders& orders);
    void set_demands(const std::vector<demand>& demands);
    [[nodiscard]] const topology_ptr& believed() const noexcept;

    // The one to follow by other settings, which does nothing yet. Throws std::runtime_error when
    // the TLS files cannot be used.
    class heir;
    [[nodiscard]] std::shared_ptr<heir> prepare(const config::cluster_settings& settings);

    // Replaces another one that has not taken over yet.
    void appoint(std::shared_ptr<heir> next);

    // Somebody is appointed, and has not taken over yet.
    [[nodiscard]] bool pending() const noexcept { return next_ != nullptr; }

    struct wait
    {
        time_point since{};                // it was appointed
        std::chrono::milliseconds usual{}; // it takes no longer when nothing is wrong
        std::string reason;                // for people
    };
    [[nodiscard]] std::optional<wait> waiting() const; // while pending()

private:
    void hear(const heir& from, const topology_ptr& t, bool changed);
    void consider(time_point now);
    void tell_both(const std::function<void(cluster_monitor&)>& tell);
    void retire(std::shared_ptr<heir> who);

    boost::asio::io_context& control_;
    observer& to_;
    std::vector<demand> demands_;
    operator_orders orders_;
    std::shared_ptr<heir> current_;
    std::shared_ptr<heir> next_;
    bool started_ = false;
    bool telling_ = false;
};

} // namespace rolegate::health
