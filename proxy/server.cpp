// SPDX-License-Identifier: PostgreSQL
#include "proxy/server.hpp"

#include "config/print.hpp"
#include "proxy/admin/doorway.hpp"
#include "proxy/admin/http_server.hpp"
#include "proxy/admin/operator_desk.hpp"
#include "proxy/clusters.hpp"
#include "proxy/configuration.hpp"
#include "proxy/descriptors.hpp"
#include "proxy/front.hpp"
#include "proxy/gather.hpp"
#include "proxy/last_sessions.hpp"
#include "proxy/log.hpp"
#include "proxy/predecessor.hpp"
#include "proxy/process_life.hpp"
#include "proxy/service_status.hpp"
#include "proxy/signals.hpp"
#include "proxy/worker_observer.hpp"
#include "rolegate_version.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <utility>

namespace rolegate::proxy
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;
using config::log_level;

// How often it is looked whether clusters of former configurations are needed still.
constexpr auto retire_every = 1s;

class server final : public worker_observer, process_life::owner
{
public:
    server(const config::settings& settings, configuration::source again);
    ~server() override { stop(); }

    int run();

private:
    void hint(std::size_t cluster, const std::string& member, health::life_sign seen) override;
    void sessions_cut(std::size_t cluster, const std::string& member, std::size_t n) override;
    void first_session(std::size_t cluster, const std::string& member) override;

    void open() override;
    void leave() override;
    asio::awaitable<std::size_t> sessions_left() override { return front_.sessions_left(); }
    std::vector<shared_socket> sockets() override;
    void successor_died() override;
    std::unique_ptr<standstill> stand_still() override { return front_.stand_still(); }
    const standing_orders& orders() const override { return desk_.orders(); }
    role_history::memory history() const override { return clusters_.history().remembered(); }
    std::string status(std::size_t sessions) const override;
    void obey(standing_orders orders) override { desk_.take_over(std::move(orders)); }

    void publish(std::size_t cluster, const health::topology_ptr& t);
    reload_report reload();
    std::vector<std::string> apply(const config::settings& next);
    asio::awaitable<void> retire();
    void await_signal();
    void on_signal(int number);
    void begin_shutdown();
    asio::awaitable<process_view> gather();
    admin::http_sources sources();
    admin::operator_desk::means means();
    void stop();

    configuration config_;
    asio::io_context control_{1};
    signals signals_{control_};
    asio::steady_timer retire_timer_{control_};
    process_life life_{control_, *this};
    last_sessions last_;

    front front_;
    clusters clusters_;
    certificate_ends certificates_;
    admin::operator_desk desk_;
    admin::http_server admin_;
    bool shutting_down_ = false;
    bool started_ = false;
    bool left_ = false; // to another process
    int exit_code_ = 0;
};

server::server(const config::settings& settings, configuration::source again)
    : config_(settings, std::move(again)), last_(
                                               control_,
                                               settings.shutdown_timeout,
                                               {[this] { return front_.sessions_left(); },
                                                [this] { life_.reap(); },
                                                [this] { front_.cut_all(); },
                                                [this] { control_.stop(); }}
                                           ),
      front_(settings, *this),
      clusters_(
          control_,
          [this](std::size_t number, const health::topology_ptr& t) { publish(number, t); }
      ),
      desk_(means()), admin_(control_, settings.admin, sources())
{
    const auto problems = apply(settings);
    for (std::size_t i = 1; i < problems.size(); ++i)
        log::line(log_level::error, "failed").text("error", problems[i]);
    if (!problems.empty())
        throw std::runtime_error(problems.front());
}

// --- settings ----------------------------------------------------------------------------------

// The bracket around every reload.
reload_report server::reload()
{
    life_.reload_begins();
    auto report = config_.reload([this](const auto& next) { return apply(next); });
    if (report.problems.empty())
        report.followed_as_before = clusters_.waiting();
    life_.reload_ends(report.problems.empty());
    return report;
}

// Everything that may fail comes first. Then, in this order: clusters learn what is demanded of
// them, workers what is believed of that, and at last whom the listeners lead there.
std::vector<std::string> server::apply(const config::settings& next)
{
    if (shutting_down_)
        return {"the proxy is shutting down"};
    if (left_)
        return {"another process has taken over; this one only waits for its last sessions"};
    if (life_.upgrading())
        return {"an upgrade is under way; reload again when it is over"};
    auto clusters = clusters_.prepare(next.clusters);
    auto listeners = front_.prepare(next, clusters.names);
    auto problems = std::move(clusters.problems);
    std::ranges::move(listeners.problems, std::back_inserter(problems));
    try
    {
        if (problems.empty())
            admin_.use(next.admin);
        else
            static_cast<void>(admin::make_tls(next.admin.tls));
    }
    catch (const std::exception& e)
    {
        problems.emplace_back(e.what());
    }
    if (!problems.empty())
    {
        for (const auto& [name, number] : clusters.names)
            if (!clusters_.knows(number))
                front_.forget(number);
        return problems;
    }

    clusters_.commit(
        std::move(clusters), [this](std::size_t number) { return front_.demands(number); }
    );
    front_.commit(std::move(listeners));
    desk_.apply();
    log::init(next.level, next.format, next.sessions);
    last_.set_limit(next.shutdown_timeout);
    certificates_ = read_certificate_ends(next);
    return {};
}

// Sessions of former configurations are judged by their own cluster for as long as they last.
asio::awaitable<void> server::retire()
{
    for (;;)
    {
        retire_timer_.expires_after(retire_every);
        co_await retire_timer_.async_wait(asio::use_awaitable);
        const auto gone = clusters_.retire([this](std::size_t n) { return front_.uses(n); });
        for (const auto number : gone)
            front_.forget(number);
        if (front_.tidy())
            clusters_.set_demands([this](std::size_t n) { return front_.demands(n); });
        clusters_.tell_waiting(health::clock::now());
    }
}

int server::run()
{
    await_signal();
    clusters_.take_over(life_.past());
    clusters_.start();
    asio::co_spawn(
        control_,
        retire(),
        [](std::exception_ptr e)
        {
            if (e)
                std::rethrow_exception(e);
        }
    );
    started_ = true;
    life_.start();
    control_.run();
    stop();
    log::line(log_level::info, "stopped");
    return exit_code_;
}

void server::open()
{
    admin_.start();
    front_.start();
    log::line(log_level::info, "started")
        .add("version", version)
        .add("workers", static_cast<std::int64_t>(front_.workers()))
        .add("admin", admin_.bound());
    for (std::size_t i = 0; i < front_.listeners().size(); ++i)
        for (const auto& address : front_.bound(i))
            log::line(log_level::info, "listening")
                .add("listener", front_.listeners()[i]->settings.name)
                .add("bind", address);
}

void server::publish(std::size_t cluster, const health::topology_ptr& t)
{
    front_.publish(cluster, t);
    const auto seen = [](const auto& believed) { return believed->confirmed.has_value(); };
    if (!life_.is_open() && started_ && std::ranges::all_of(clusters_.believed(), seen))
        life_.all_seen();
}

// --- what workers tell, on their threads -------------------------------------------------------

void server::hint(std::size_t cluster, const std::string& member, health::life_sign seen)
{
    asio::post(control_, [this, cluster, member, seen] { clusters_.hint(cluster, member, seen); });
}

void server::sessions_cut(std::size_t cluster, const std::string& member, std::size_t n)
{
    const auto now = std::chrono::steady_clock::now();
    asio::post(
        control_, [this, cluster, member, n, now] { clusters_.note_cut(cluster, member, n, now); }
    );
}

void server::first_session(std::size_t cluster, const std::string& member)
{
    const auto now = std::chrono::steady_clock::now();
    asio::post(
        control_, [this, cluster, member, now] { clusters_.note_session(cluster, member, now); }
    );
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
    {
        life_.stop();
        return control_.stop();
    }
    if (number == SIGHUP)
        reload();
    else if (number == SIGUSR2)
        life_.upgrade();
    else if (shutting_down_)
        last_.cut(); // asked twice
    else
        begin_shutdown();
    await_signal();
}

void server::begin_shutdown()
{
    shutting_down_ = true;
    log::line(log_level::info, "stopping")
        .add("shutdown_timeout_ms", config_.settings().shutdown_timeout.count());
    life_.stop();
    if (!life_.is_open())
        return control_.stop();
    front_.begin_shutdown();
    last_.start();
}

// The monitors go on: a session that is left must not outlive its member's role.
void server::leave()
{
    left_ = true;
    admin_.leave_to_others();
    front_.leave_to_others();
    last_.start();
}

// Only a service manager can help now: it starts us anew when we fail.
void server::successor_died()
{
    exit_code_ = 1;
    last_.cut();
}

std::vector<shared_socket> server::sockets()
{
    auto all = front_.sockets();
    all.push_back(admin_.shared());
    return all;
}

void server::stop()
{
    admin_.stop();
    clusters_.stop();
    front_.stop();
}

// --- what is shown -----------------------------------------------------------------------------

std::string server::status(std::size_t sessions) const
{
    return service_status(clusters_.believed(), sessions, shutting_down_, health::clock::now());
}

asio::awaitable<process_view> server::gather()
{
    auto v = co_await proxy::gather(front_, clusters_);
    v.config = config_.state();
    v.certificates = certificates_;
    v.logins = admin_.logins();
    v.shutting_down = shutting_down_;
    co_return v;
}

admin::http_sources server::sources()
{
    return {
        [this] { return gather(); },
        [this](std::vector<session_query> q) { return front_.sessions(std::move(q)); },
        [this](admin::operation o) { return desk_.operate(std::move(o)); },
        [this] { return config::print(config_.settings()); }};
}

admin::operator_desk::means server::means()
{
    return {
        [this]() -> front& { return front_; },
        [this] { return clusters_.believed(); },
        [this](const std::string& cluster, const health::operator_orders& orders)
        { clusters_.obey(cluster, orders); },
        [this](const standing_orders& orders) { life_.pass_on(orders); },
        [this] { return reload(); },
        [this] { return life_.upgrading(); }};
}

} // namespace

int run_server(const config::settings& settings, std::function<config::load_result()> again)
{
    log::init(settings.level, settings.format, settings.sessions);
    const log::last_lines kept;
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGCHLD, SIG_DFL); // else nobody could wait for a successor
    raise_descriptor_limit();
    try
    {
        server s(settings, std::move(again));
        return s.run();
    }
    catch (const std::exception& e)
    {
        log::line(log_level::error, "failed").text("error", e.what());
        tell_failed(e.what());
        return 1;
    }
}

} // namespace rolegate::proxy
