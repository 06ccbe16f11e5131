// SPDX-License-Identifier: PostgreSQL
#include "proxy/clusters.hpp"

#include "config/diff.hpp"
#include "proxy/log.hpp"
#include "proxy/settings_wait.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

namespace rolegate::proxy
{

namespace
{

// What a monitor goes by: nothing of how members share sessions.
config::cluster_settings without_members_options(config::cluster_settings s)
{
    s.default_member = {};
    s.member_options.clear();
    return s;
}

// Files are read again with every reload.
bool has_files(const config::cluster_settings& s)
{
    return s.patroni.tls || (s.dcs && s.dcs->tls);
}

bool goes_on(const config::cluster_settings& before, const config::cluster_settings& after)
{
    return !has_files(after) && without_members_options(before) == without_members_options(after);
}

std::int64_t in_ms(health::clock::duration d)
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

} // namespace

// One of them, and what is remembered beside the belief.
struct clusters::followed final : private health::observer
{
    followed(clusters& home, std::size_t n, config::cluster_settings s)
        : of(home), number(n), settings(std::move(s)), monitor(home.control_, settings, *this),
          told(monitor.believed())
    {
    }

    void on_topology(const health::topology_ptr& t, bool changed) override
    {
        of.publish_(number, t);
        if (!changed)
            return;
        const auto now = health::clock::now();
        record.on_topology(*told, *t, now);
        of.history_.on_topology(*told, *t, now, std::chrono::system_clock::now());
        told = t;
    }

    void on_check(const health::check& c) override { record.on_check(c, health::clock::now()); }

    void tell_waiting(health::time_point at)
    {
        const auto w = monitor.waiting();
        const auto usual = w ? w->usual : std::chrono::milliseconds{};
        const auto is = waiting.look(w ? std::optional(w->since) : std::nullopt, usual, at);
        if (is == settings_wait::news::waits)
            log::line(config::log_level::warning, "settings_waiting")
                .add("cluster", settings.name)
                .add("since_ms", in_ms(at - waiting.since()))
                .text("reason", w->reason);
        if (is == settings_wait::news::over)
            log::line(config::log_level::info, "settings_hold")
                .add("cluster", settings.name)
                .add("since_ms", in_ms(at - waiting.since()));
    }

    clusters& of;
    const std::size_t number;
    config::cluster_settings settings;
    health::succession monitor;
    cluster_record record;
    settings_wait waiting;
    health::topology_ptr told; // as of its last change
};

clusters::plan::plan() = default;
clusters::plan::plan(plan&&) noexcept = default;
clusters::plan::~plan() = default;

clusters::clusters(boost::asio::io_context& control, publisher publish)
    : control_(control), publish_(std::move(publish))
{
}

clusters::~clusters() = default;

// --- reload ------------------------------------------------------------------------------------

clusters::plan clusters::prepare(const std::vector<config::cluster_settings>& wanted)
{
    plan next;
    for (const auto& c : wanted)
    {
        const auto known = names_.find(c.name);
        auto* f = known == names_.end() ? nullptr : all_.at(known->second).get();
        if (f && !config::is_same_cluster(f->settings, c))
            f = nullptr;
        const auto number = f ? f->number : made_++;
        next.names[c.name] = number;
        next.settings.emplace_back(number, c);
        try
        {
            if (!f)
                next.made.emplace(number, std::make_unique<followed>(*this, number, c));
            else if (!goes_on(f->settings, c))
                next.heirs.emplace(number, f->monitor.prepare(c));
        }
        catch (const std::exception& e)
        {
            next.problems.push_back("cluster '" + c.name + "': " + e.what());
        }
    }
    return next;
}

void clusters::commit(plan next, const demand_source& demands)
{
    names_ = std::move(next.names);
    order_.clear();
    for (auto& [number, made] : next.made)
        all_.emplace(number, std::move(made));
    for (auto& [number, settings] : next.settings)
    {
        order_.push_back(number);
        all_.at(number)->settings = std::move(settings);
    }
    set_demands(demands);
    for (const auto& [number, f] : all_)
        publish_(number, f->monitor.believed());
    for (auto& [number, heir] : next.heirs)
        all_.at(number)->monitor.appoint(std::move(heir));
    if (started_)
        for (const auto& [number, made] : next.made)
            all_.at(number)->monitor.start();
}

void clusters::set_demands(const demand_source& demands)
{
    for (const auto& [number, f] : all_)
    {
        std::vector<health::demand> wants;
        for (auto& d : demands(number))
            wants.push_back({std::move(d.listener), std::move(d.wants)});
        f->monitor.set_demands(wants);
    }
}

void clusters::tell_waiting(health::time_point now)
{
    for (const auto& [number, f] : all_)
        f->tell_waiting(now);
}

std::vector<std::string> clusters::waiting() const
{
    std::vector<std::string> all;
    for (const auto number : order_)
        if (const auto w = all_.at(number)->monitor.waiting())
            all.push_back(
                "cluster " + all_.at(number)->settings.name +
                ": the new settings wait until the cluster has been seen by them, the old ones "
                "hold: " +
                w->reason
            );
    return all;
}

std::vector<std::size_t> clusters::retire(const std::function<bool(std::size_t)>& is_used)
{
    std::vector<std::size_t> gone;
    for (const auto& [number, f] : all_)
    {
        const auto known = names_.find(f->settings.name);
        const bool configured = known != names_.end() && known->second == number;
        if (!configured && !is_used(number))
            gone.push_back(number);
    }
    for (const auto number : gone)
    {
        all_.at(number)->monitor.stop();
        all_.erase(number);
    }
    return gone;
}

// --- the running -------------------------------------------------------------------------------

void clusters::take_over(role_history::memory past)
{
    for (const auto& [number, f] : all_)
        if (const auto p = past.primaries.find(f->settings.name); p != past.primaries.end())
            f->record.take_over(p->second);
    history_.take_over(std::move(past));
}

void clusters::start()
{
    started_ = true;
    for (const auto& [number, f] : all_)
        f->monitor.start();
}

void clusters::stop()
{
    for (const auto& [number, f] : all_)
        f->monitor.stop();
}

void clusters::hint(std::size_t number, const std::string& member, health::life_sign seen)
{
    if (const auto f = all_.find(number); f != all_.end())
        f->second->monitor.hint(member, seen);
}

void clusters::obey(const std::string& name, const health::operator_orders& orders)
{
    if (const auto number = names_.find(name); number != names_.end())
        all_.at(number->second)->monitor.obey(orders);
}

void clusters::note_cut(
    std::size_t number, const std::string& member, std::size_t n, health::time_point at
)
{
    if (const auto f = all_.find(number); f != all_.end())
        history_.on_sessions_cut(f->second->settings.name, member, n, at);
}

void clusters::note_session(std::size_t number, const std::string& member, health::time_point at)
{
    if (const auto f = all_.find(number); f != all_.end())
        history_.on_first_session(f->second->settings.name, member, at);
}

std::vector<cluster_view> clusters::views() const
{
    std::vector<cluster_view> all;
    for (const auto number : order_)
    {
        const auto& f = *all_.at(number);
        auto& shown = all.emplace_back(f.record.view(f.monitor.believed()));
        for (const auto& m : shown.topology->members)
            shown.options[m.name] = f.settings.options_of(m.name);
        if (f.settings.tcp)
            shown.check = f.settings.tcp->check;
        if (auto w = f.monitor.waiting())
            shown.waiting = {w->since, std::move(w->reason)};
    }
    return all;
}

std::vector<health::topology_ptr> clusters::believed() const
{
    std::vector<health::topology_ptr> all;
    for (const auto number : order_)
        all.push_back(believed(number));
    return all;
}

const health::topology_ptr& clusters::believed(std::size_t number) const
{
    return all_.at(number)->monitor.believed();
}

} // namespace rolegate::proxy
