// SPDX-License-Identifier: PostgreSQL
#include "proxy/server.hpp"

#include "config/print.hpp"
#include "health/cluster_monitor.hpp"
#include "proxy/admin/http_server.hpp"
#include "proxy/admin/operator_desk.hpp"
#include "proxy/cluster_record.hpp"
#include "proxy/descriptors.hpp"
#include "proxy/front.hpp"
#include "proxy/last_sessions.hpp"
#include "proxy/log.hpp"
#include "proxy/process_life.hpp"
#include "proxy/service_status.hpp"
#include "proxy/worker_observer.hpp"
#include "rolegate_version.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <deque>

namespace rolegate::proxy
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;
using config::log_level;

class server final : public health::observer, public worker_observer, process_life::owner
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

    void open() override;
    void leave() override;
    asio::awaitable<std::size_t> sessions_left() override { return front_->sessions_left(); }
    std::vector<shared_socket> sockets() override;
    std::unique_ptr<standstill> stand_still() override { return front_->stand_still(); }
    const standing_orders& orders() const override { return desk_.orders(); }
    std::string status(std::size_t sessions) const override;
    void obey(standing_orders orders) override { desk_.take_over(std::move(orders)); }

    void reload_tls();
    void await_signal();
    void on_signal(int number);
    void begin_shutdown();
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
    process_life life_{control_, *this};
    last_sessions last_;

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
};

server::server(const config::settings& settings)
    : settings_(settings), last_(
                               control_,
                               settings.shutdown_timeout,
                               {[this] { return front_->sessions_left(); },
                                [this] { life_.reap(); },
                                [this] { front_->cut_all(); },
                                [this] { control_.stop(); }}
                           ),
      records_(settings.clusters.size()), desk_(means()),
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
    life_.reload_begins();
    try
    {
        front_->load_tls();
        admin_.use(settings_.admin);
        certificates_ = read_certificate_ends(settings_);
        loaded_ = std::chrono::system_clock::now();
        reload_ok_ = true;
        log::line(log_level::info, "tls_reloaded")
            .text("text", "certificates are read again; other settings need a restart");
    }
    catch (const std::exception& e)
    {
        reload_ok_ = false;
        log::line(log_level::error, "reload_failed").text("error", e.what());
    }
    life_.reload_ends();
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
    life_.start();
    control_.run();
    stop();
    log::line(log_level::info, "stopped");
    return 0;
}

void server::open()
{
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
}

// --- beliefs -----------------------------------------------------------------------------------

void server::on_topology(const health::topology_ptr& t, bool changed)
{
    const auto cluster = cluster_index(t->cluster);
    front_->publish(cluster, t);
    const auto seen = [](const auto& m) { return m->believed()->confirmed.has_value(); };
    if (!life_.is_open() && std::ranges::all_of(monitors_, seen))
        life_.all_seen();
    if (!changed)
        return;

    const auto now = std::chrono::steady_clock::now();
    records_[cluster].on_topology(*told_[cluster], *t, now);
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
        life_.upgrade();
        return await_signal();
    }
    if (shutting_down_)
        last_.cut(); // asked twice
    else
        begin_shutdown();
    await_signal();
}

void server::begin_shutdown()
{
    shutting_down_ = true;
    log::line(log_level::info, "stopping")
        .add("shutdown_timeout_ms", settings_.shutdown_timeout.count());
    life_.stop();
    if (!life_.is_open())
        return control_.stop();
    front_->begin_shutdown();
    last_.start();
}

// The monitors go on: a session that is left must not outlive its member's role.
void server::leave()
{
    admin_.leave_to_others();
    front_->leave_to_others();
    last_.start();
}

std::vector<shared_socket> server::sockets()
{
    auto all = front_->sockets();
    all.push_back(admin_.shared());
    return all;
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

std::string server::status(std::size_t sessions) const
{
    std::vector<health::topology_ptr> believed;
    for (const auto& m : monitors_)
        believed.push_back(m->believed());
    return service_status(believed, sessions, shutting_down_, health::clock::now());
}

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
    v.log_dropped = log::dropped();
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
    const auto changed = [this](const standing_orders& orders) { life_.pass_on(orders); };
    return {[this]() -> front& { return *front_; }, beliefs, obey, changed};
}

// However the server ends, what it has said last is written.
struct last_lines
{
    last_lines() = default;
    last_lines(const last_lines&) = delete;
    last_lines& operator=(const last_lines&) = delete;
    ~last_lines() { log::flush(); }
};

} // namespace

int run_server(const config::settings& settings)
{
    log::init(settings.level, settings.format, settings.sessions);
    const last_lines kept;
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

} // namespace rolegate::proxy
