// SPDX-License-Identifier: PostgreSQL
#include "tests/support/monitor_fixture.hpp"

#include "health/cluster_monitor.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

namespace rolegate::support
{

void recorder::on_topology(const health::topology_ptr& t, bool)
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

void recorder::on_check(const health::check& c)
{
    const std::lock_guard lock(mutex_);
    checks_.push_back(c);
}

health::topology_ptr recorder::latest() const
{
    const std::lock_guard lock(mutex_);
    return latest_;
}

std::vector<health::check> recorder::checks() const
{
    const std::lock_guard lock(mutex_);
    return checks_;
}

std::size_t recorder::most_writers() const
{
    const std::lock_guard lock(mutex_);
    return most_writers_;
}

bool recorder::generation_shrank() const
{
    const std::lock_guard lock(mutex_);
    return shrank_;
}

config::cluster_settings following(const std::vector<const fake_patroni*>& seeds)
{
    config::cluster_settings s;
    s.name = "main";
    for (const auto* seed : seeds)
        s.patroni.members.push_back({"127.0.0.1", seed->port()});
    s.patroni.interval = std::chrono::milliseconds(60);
    s.patroni.fast_interval = std::chrono::milliseconds(10);
    s.patroni.timeout = scaled(std::chrono::milliseconds(2000));
    return s;
}

void make_monitor(const config::cluster_settings& settings)
{
    boost::asio::io_context control;
    recorder seen;
    const auto made = health::make_monitor(control, settings, write_and_read(), seen);
}

struct running_monitor::engine
{
    engine(
        const config::cluster_settings& settings,
        std::vector<health::demand> demands,
        recorder& to,
        const health::lookup_function& how
    )
    {
        if (how)
            boost::asio::make_service<health::lookup_pool>(control, how);
        monitor = health::make_monitor(control, settings, std::move(demands), to);
    }

    boost::asio::io_context control{1};
    std::shared_ptr<health::cluster_monitor> monitor;
    std::atomic<bool> ended{false};
    std::thread thread;
};

running_monitor::running_monitor(
    const config::cluster_settings& settings,
    std::vector<health::demand> demands,
    const health::lookup_function& how
)
    : engine_(std::make_unique<engine>(settings, std::move(demands), seen_, how))
{
    engine_->monitor->start();
    engine_->thread = std::thread(
        [&e = *engine_]
        {
            e.control.run();
            e.ended = true;
        }
    );
}

running_monitor::~running_monitor()
{
    stop();
    engine_->control.stop();
    engine_->thread.join();
}

void running_monitor::hint(const std::string& member, health::life_sign seen)
{
    boost::asio::post(
        engine_->control, [&m = *engine_->monitor, member, seen] { m.hint(member, seen); }
    );
}

void running_monitor::obey(const health::operator_orders& orders)
{
    boost::asio::post(engine_->control, [&m = *engine_->monitor, orders] { m.obey(orders); });
}

void running_monitor::stop()
{
    boost::asio::post(engine_->control, [&m = *engine_->monitor] { m.stop(); });
}

bool running_monitor::ended() const
{
    return engine_->ended;
}

health::member running_monitor::member(const std::string& name) const
{
    const auto t = seen_.latest();
    const auto* m = t ? t->find(name) : nullptr;
    return m ? *m : health::member();
}

bool running_monitor::leads(const std::string& name) const
{
    const auto t = seen_.latest();
    return t && t->primary() && t->primary()->name == name;
}

bool running_monitor::failed(const std::string& member, const std::string& words) const
{
    const auto checks = seen_.checks();
    return std::ranges::any_of(
        checks,
        [&](const health::check& c)
        { return c.member == member && !c.error.empty() && c.error.find(words) != c.error.npos; }
    );
}

} // namespace rolegate::support
