// SPDX-License-Identifier: PostgreSQL
#include "proxy/server.hpp"

#include "config/print.hpp"
#include "health/cluster_monitor.hpp"
#include "health/http_connection.hpp"
#include "proxy/admin/http_server.hpp"
#include "proxy/admin/operator_desk.hpp"
#include "proxy/cluster_record.hpp"
#include "proxy/descriptors.hpp"
#include "proxy/front.hpp"
#include "proxy/listener_tls.hpp"
#include "proxy/log.hpp"
#include "proxy/worker_observer.hpp"
#include "rolegate_version.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>
#include <deque>

namespace rolegate::proxy
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;
using config::log_level;

// How often a process that is to end looks whether its last session has gone.
constexpr auto drain_poll = 50ms;

// After shutdown_timeout sessions are cut; their goodbyes take no longer than this.
constexpr auto cut_limit = 3s;

class server final : public health::observer, public worker_observer
{
public:
    explicit server(const config::settings& settings);
    ~server() override { stop(); }

    int run();

private:
    void on_topology(const health::topology_ptr& t, bool changed) override;
    void on_check(const health::check& c) override;
    void hint(std::size_t cluster, const std::string& member, health::life_sign seen) override;
    void sessions_cut(std::size_t cluster, const std::string& member, std::size_t n) override;
    void first_session(std::size_t cluster, const std::string& member) override;

    void reload_tls();
    void await_signal();
    void on_signal(int number);
    void begin_shutdown();
    asio::awaitable<void> drain();
    asio::awaitable<process_view> gather();
    admin::http_sources sources();
    admin::operator_desk::means means();
    void stop();

    [[nodiscard]] std::vector<health::demand> demands_on(const std::string& cluster) const;
    [[nodiscard]] std::size_t cluster_index(const std::string& name) const;

    const config::settings settings_;
    std::chrono::system_clock::time_point loaded_ = std::chrono::system_clock::now();
    asio::io_context control_{1};
    asio::signal_set signals_{control_, SIGTERM, SIGINT, SIGQUIT};
    asio::steady_timer drain_timer_{control_};

    std::vector<std::unique_ptr<health::cluster_monitor>> monitors_;
    std::vector<cluster_record> records_;
    certificate_ends certificates_ = read_certificate_ends(settings_);
    std::vector<health::topology_ptr> told_; // by cluster, as of its last change
    role_history history_;
    std::optional<front> front_;
    admin::operator_desk desk_;
    admin::http_server admin_;
    bool reload_ok_ = true; // the last one
    bool shutting_down_ = false;
    bool cut_ = false;
};

server::server(const config::settings& settings)
    : settings_(settings), records_(settings.clusters.size()), desk_(means()),
      admin_(control_, settings.admin, sources())
{
    for (const auto& c : settings_.clusters)
        monitors_.push_back(health::make_monitor(control_, c, demands_on(c.name), *this));
    for (const auto& m : monitors_)
        told_.push_back(m->believed());
    front_.emplace(settings_, told_, *this);
}

void server::reload_tls()
{
    try
    {
        front_->load_tls();
        certificates_ = read_certificate_ends(settings_);
        loaded_ = std::chrono::system_clock::now();
        reload_ok_ = true;
        admin_.use(settings_.admin);
        log::line(log_level::info, "tls_reloaded")
            .text("text", "certificates are read again; other settings need a restart");
    }
    catch (const std::exception& e)
    {
        reload_ok_ = false;
        log::line(log_level::error, "reload_failed").text("error", e.what());
    }
}

// In the order of destination::index.
std::vector<health::demand> server::demands_on(const std::string& cluster) const
{
    std::vector<health::demand> demands;
    for (const auto& l : settings_.listeners)
        if (l.cluster == cluster)
            demands.push_back({l.name, l});
    return demands;
}

std::size_t server::cluster_index(const std::string& name) const
{
    std::size_t i = 0;
    while (i < settings_.clusters.size() && settings_.clusters[i].name != name)
        ++i;
    return i;
}

int server::run()
{
    signals_.add(SIGHUP);
    signals_.add(SIGUSR2);
    await_signal();
    for (auto& m : monitors_)
        m->start();
    admin_.start();
    front_->start();

    log::line(log_level::info, "started")
        .add("version", version)
        .add("workers", static_cast<std::int64_t>(front_->workers()))
        .add("admin", admin_.bound());
    for (std::size_t i = 0; i < settings_.listeners.size(); ++i)
        for (const auto& address : front_->bound(i))
            log::line(log_level::info, "listening")
                .add("listener", settings_.listeners[i].name)
                .add("bind", address);

    control_.run();
    stop();
    log::line(log_level::info, "stopped");
    return 0;
}

// --- beliefs -----------------------------------------------------------------------------------

void server::on_topology(const health::topology_ptr& t, bool changed)
{
    const auto cluster = cluster_index(t->cluster);
    front_->publish(cluster, t);
    if (!changed)
        return;

    const auto now = std::chrono::steady_clock::now();
    records_[cluster].on_topology(*t, now);
    history_.on_topology(*told_[cluster], *t, now, std::chrono::system_clock::now());
    told_[cluster] = t;
}

void server::on_check(const health::check& c)
{
    records_[cluster_index(c.cluster)].on_check(c, std::chrono::steady_clock::now());
}

// --- what workers tell, on their threads -------------------------------------------------------

void server::hint(std::size_t cluster, const std::string& member, health::life_sign seen)
{
    asio::post(control_, [this, cluster, member, seen] { monitors_[cluster]->hint(member, seen); });
}

void server::sessions_cut(std::size_t cluster, const std::string& member, std::size_t n)
{
    const auto now = std::chrono::steady_clock::now();
    const auto note = [this, cluster, member, n, now]
    { history_.on_sessions_cut(settings_.clusters[cluster].name, member, n, now); };
    asio::post(control_, note);
}

void server::first_session(std::size_t cluster, const std::string& member)
{
    const auto now = std::chrono::steady_clock::now();
    const auto note = [this, cluster, member, now]
    { history_.on_first_session(settings_.clusters[cluster].name, member, now); };
    asio::post(control_, note);
}

// --- the end -----------------------------------------------------------------------------------

void server::await_signal()
{
    signals_.async_wait(
        [this](const boost::system::error_code& ec, int number)
        {
            if (!ec)
                on_signal(number);
        }
    );
}

void server::on_signal(int number)
{
    log::line(log_level::info, "signal").add("number", number);
    if (number == SIGQUIT)
        return control_.stop();
    if (number == SIGHUP)
    {
        reload_tls();
        return await_signal();
    }
    if (number == SIGUSR2)
    {
        // To die of it would cut every session.
        log::line(log_level::warning, "not_supported")
            .text("text", "this version cannot be upgraded while it runs; restart it");
        return await_signal();
    }
    if (shutting_down_)
        cut_ = true; // asked twice
    else
        begin_shutdown();
    await_signal();
}

void server::begin_shutdown()
{
    shutting_down_ = true;
    front_->begin_shutdown();
    asio::co_spawn(
        control_,
        drain(),
        [this](std::exception_ptr e)
        {
            control_.stop();
            if (e)
                std::rethrow_exception(e);
        }
    );
}

// Until the last session has gone. The monitors go on: a session that is left must not outlive its
// member's role.
asio::awaitable<void> server::drain()
{
    const auto cut_at = std::chrono::steady_clock::now() + settings_.shutdown_timeout;
    auto give_up_at = health::time_point::max();
    while (co_await front_->sessions_left() > 0)
    {
        const auto now = std::chrono::steady_clock::now();
        if (now >= give_up_at)
            break;
        if ((cut_ || now >= cut_at) && give_up_at == health::time_point::max())
        {
            give_up_at = now + cut_limit;
            front_->cut_all();
        }
        drain_timer_.expires_after(drain_poll);
        co_await drain_timer_.async_wait(asio::use_awaitable);
    }
}

void server::stop()
{
    admin_.stop();
    for (auto& m : monitors_)
        m->stop();
    if (front_)
        front_->stop();
}

// --- what is shown -----------------------------------------------------------------------------

asio::awaitable<process_view> server::gather()
{
    const auto stats = co_await front_->stats();
    process_view v;
    v.version = version;
    v.now = std::chrono::steady_clock::now();
    v.wall_clock = std::chrono::system_clock::now();
    v.config_loaded = loaded_;
    v.config_reload_ok = reload_ok_;
    v.shutting_down = shutting_down_;
    v.maxconn = front_->maxconn();
    v.usage = usage_now();
    v.certificates = certificates_;
    for (std::size_t i = 0; i < monitors_.size(); ++i)
    {
        const auto& settings = settings_.clusters[i];
        auto& shown = v.clusters.emplace_back(records_[i].view(monitors_[i]->believed()));
        for (const auto& m : shown.topology->members)
            shown.options[m.name] = settings.options_of(m.name);
        if (settings.tcp)
            shown.check = settings.tcp->check;
    }
    v.changes = {history_.changes().begin(), history_.changes().end()};
    for (std::size_t i = 0; i < settings_.listeners.size(); ++i)
        v.listeners.push_back(
            {settings_.listeners[i],
             front_->leads_to(i),
             front_->bound(i),
             stats[i],
             front_->paused(i),
             front_->members(i).shares(*v.clusters[front_->cluster_of(i)].topology, v.now),
             front_->traffic(i)}
        );
    co_return v;
}

admin::http_sources server::sources()
{
    return {
        [this] { return gather(); },
        [this](const session_query& q) { return front_->sessions(q); },
        [this](admin::operation o) { return desk_.operate(std::move(o)); },
        [this] { return config::print(settings_); }};
}

admin::operator_desk::means server::means()
{
    const auto beliefs = [this]
    {
        std::vector<health::topology_ptr> all;
        for (const auto& m : monitors_)
            all.push_back(m->believed());
        return all;
    };
    const auto obey = [this](const std::string& cluster, const health::operator_orders& orders)
    { monitors_[cluster_index(cluster)]->obey(orders); };
    return {[this]() -> front& { return *front_; }, beliefs, obey};
}

} // namespace

int run_server(const config::settings& settings)
{
    log::init(settings.level);
    std::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    try
    {
        server s(settings);
        return s.run();
    }
    catch (const std::exception& e)
    {
        log::line(log_level::error, "failed").text("error", e.what());
        return 1;
    }
}

std::vector<std::string> unusable_files(const config::settings& settings)
{
    std::vector<std::string> found;
    const auto attempt = [&found](const std::string& where, const auto& make)
    {
        try
        {
            static_cast<void>(make());
        }
        catch (const std::exception& e)
        {
            found.push_back(where + e.what());
        }
    };
    attempt("", [&settings] { return admin::make_tls(settings.admin.tls); });
    for (const auto& l : settings.listeners)
        attempt("", [&l] { return make_tls_contexts(l); });
    for (const auto& c : settings.clusters)
    {
        const auto where = "cluster '" + c.name + "': ";
        if (const auto& tls = c.patroni.tls)
            attempt(where, [&tls] { return health::make_tls_context(*tls, "patroni.tls"); });
        if (c.dcs && c.dcs->tls)
            attempt(where, [&c] { return health::make_tls_context(*c.dcs->tls, "dcs.tls"); });
    }
    return found;
}

} // namespace rolegate::proxy
