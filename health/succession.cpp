// SPDX-License-Identifier: PostgreSQL
#include "health/succession.hpp"

#include "health/inherit.hpp"

#include <boost/asio/post.hpp>

#include <optional>
#include <utility>

namespace rolegate::health
{

namespace
{

// Every source has been asked some times by then, and has answered or failed.
std::chrono::milliseconds usual_wait(const config::cluster_settings& s)
{
    constexpr int rounds = 3;
    if (s.tcp)
        return rounds * s.tcp->check.inter + s.tcp->check.timeout.value_or(s.tcp->check.inter);
    if (s.postgres)
        return rounds * s.postgres->interval + s.postgres->timeout;
    return rounds * s.patroni.interval + s.patroni.timeout;
}

} // namespace

// A monitor, and whose word it is that it tells.
class succession::heir final : public observer
{
public:
    heir(succession& of, const config::cluster_settings& settings)
        : of_(of), monitor(make_monitor(of.control_, settings, {}, *this)),
          usual(usual_wait(settings))
    {
    }

    void on_topology(const topology_ptr& t, bool changed) override { of_.hear(*this, t, changed); }

    void on_check(const check& c) override
    {
        failure = c.error.empty() ? "" : c.address + " over " + c.source + ": " + c.error;
        of_.to_.on_check(c);
    }

private:
    succession& of_;

public:
    const monitor_ptr monitor;
    const std::chrono::milliseconds usual;
    time_point appointed{};
    std::optional<time_point> first_seen; // the cluster, by its own eyes
    std::string failure;                  // of the last request; "" = it was answered
};

succession::succession(
    boost::asio::io_context& control, const config::cluster_settings& settings, observer& to
)
    : control_(control), to_(to), current_(prepare(settings))
{
}

succession::~succession() = default;

void succession::start()
{
    started_ = true;
    current_->monitor->start();
}

void succession::stop()
{
    current_->monitor->stop();
    if (next_)
        next_->monitor->stop();
}

void succession::hint(const std::string& member, life_sign seen)
{
    current_->monitor->hint(member, seen);
    if (next_)
        next_->monitor->hint(member, seen);
}

void succession::obey(const operator_orders& orders)
{
    orders_ = orders;
    tell_both([&orders](cluster_monitor& m) { m.obey(orders); });
}

void succession::set_demands(const std::vector<demand>& demands)
{
    demands_ = demands;
    tell_both([&demands](cluster_monitor& m) { m.set_demands(demands); });
}

// Neither takes over from the other while only one of them has been told.
void succession::tell_both(const std::function<void(cluster_monitor&)>& tell)
{
    // Whoever is told publishes at once, and whoever hears that may throw.
    struct until_told
    {
        bool& telling;
        ~until_told() { telling = false; }
    };
    {
        telling_ = true;
        const until_told scope{telling_};
        tell(*current_->monitor);
        if (next_)
            tell(*next_->monitor);
    }
    consider(clock::now());
}

const topology_ptr& succession::believed() const noexcept
{
    return current_->monitor->believed();
}

std::shared_ptr<succession::heir> succession::prepare(const config::cluster_settings& settings)
{
    return std::make_shared<heir>(*this, settings);
}

void succession::appoint(std::shared_ptr<heir> next)
{
    if (auto forgotten = std::exchange(next_, std::move(next)))
        retire(std::move(forgotten));
    auto& m = *next_->monitor;
    next_->appointed = clock::now();
    m.inherit(*believed());
    m.obey(orders_);
    m.set_demands(demands_);
    if (started_)
        m.start();
}

std::optional<succession::wait> succession::waiting() const
{
    if (!next_)
        return std::nullopt;
    const auto& heirs = *next_->monitor->believed();
    wait w{next_->appointed, next_->usual, what_it_waits_for(heirs, *believed(), next_->appointed)};
    if (!next_->first_seen && !next_->failure.empty())
        w.reason += (w.reason.empty() ? "" : "; ") + next_->failure;
    return w;
}

// Both are heard; only one is believed.
void succession::hear(const heir& from, const topology_ptr& t, bool changed)
{
    if (&from == current_.get())
        to_.on_topology(t, changed);
    consider(clock::now());
}

void succession::consider(time_point now)
{
    if (!next_ || telling_)
        return;
    const auto& heirs = *next_->monitor->believed();
    const auto since = next_->appointed;
    if (!next_->first_seen && heirs.confirmed && *heirs.confirmed > since)
        next_->first_seen = now;
    const bool waited = next_->first_seen && now - *next_->first_seen >= patience;
    if (!waited && !may_take_over(heirs, *believed(), since))
        return;
    auto old = std::exchange(current_, std::move(next_));
    next_.reset();
    current_->monitor->inherit(*old->monitor->believed());
    retire(std::move(old));
    to_.on_topology(believed(), true);
}

// It may be the one that is just telling something.
void succession::retire(std::shared_ptr<heir> who)
{
    who->monitor->stop();
    boost::asio::post(control_, [who = std::move(who)] {});
}

} // namespace rolegate::health
