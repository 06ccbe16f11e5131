// SPDX-License-Identifier: PostgreSQL
#include "proxy/server.hpp"

#include "health/http_connection.hpp"
#include "proxy/admin/http_server.hpp"
#include "proxy/clusters.hpp"
#include "proxy/configuration.hpp"
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
#include <utility>

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

// How often it is looked whether clusters of former configurations are needed still.
constexpr auto retire_every = 1s;

class server final : public worker_observer
{
public:
    server(const config::settings& settings, configuration::source again);
    ~server() override { stop(); }

    int run();

private:
    void hint(std::size_t cluster, const std::string& member, health::life_sign seen) override;
    void sessions_cut(std::size_t cluster, const std::string& member, std::size_t n) override;
    void first_session(std::size_t cluster, const std::string& member) override;

    reload_report reload();
    std::vector<std::string> apply(const config::settings& next);
    asio::awaitable<void> retire();
    void await_signal();
    void on_signal(int number);
    void begin_shutdown();
    asio::awaitable<void> drain();
    asio::awaitable<process_view> gather();
    admin::response operate(const admin::operation& o);
    void stop();

    configuration config_;
    asio::io_context control_{1};
    asio::signal_set signals_{control_, SIGTERM, SIGINT, SIGQUIT};
    asio::steady_timer drain_timer_{control_};
    asio::steady_timer retire_timer_{control_};

    front front_;
    clusters clusters_;
    admin::http_server admin_;
    bool shutting_down_ = false;
    bool cut_ = false;
};

server::server(const config::settings& settings, configuration::source again)
    : config_(settings, std::move(again)), front_(settings, *this),
      clusters_(
          control_,
          [this](std::size_t number, const health::topology_ptr& t) { front_.publish(number, t); }
      ),
      admin_(
          control_,
          settings.admin.bind,
          [this] { return gather(); },
          [this](const admin::operation& o) { return operate(o); }
      )
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
    return config_.reload([this](const auto& next) { return apply(next); });
}

// Everything that may fail comes first. Then, in this order: clusters learn what is demanded of
// them, workers what is believed of that, and at last whom the listeners lead there.
std::vector<std::string> server::apply(const config::settings& next)
{
    if (shutting_down_)
        return {"the proxy is shutting down"};
    auto clusters = clusters_.prepare(next.clusters);
    if (!clusters.problems.empty())
        return clusters.problems;
    auto listeners = front_.prepare(next, clusters.names);
    if (!listeners.problems.empty())
        return listeners.problems;
    clusters_.commit(
        std::move(clusters), [this](std::size_t number) { return front_.demands(number); }
    );
    front_.commit(std::move(listeners));
    log::set_level(next.level);
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
    }
}

int server::run()
{
    signals_.add(SIGHUP);
    signals_.add(SIGUSR2);
    await_signal();
    clusters_.start();
    admin_.start();
    front_.start();
    asio::co_spawn(
        control_,
        retire(),
        [](std::exception_ptr e)
        {
            if (e)
                std::rethrow_exception(e);
        }
    );

    log::line(log_level::info, "started")
        .add("version", version)
        .add("workers", static_cast<std::int64_t>(front_.workers()))
        .add("admin", admin_.bound());
    for (std::size_t i = 0; i < front_.listeners().size(); ++i)
        for (const auto& address : front_.bound(i))
            log::line(log_level::info, "listening")
                .add("listener", front_.listeners()[i]->settings.name)
                .add("bind", address);

    control_.run();
    stop();
    log::line(log_level::info, "stopped");
    return 0;
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
        return control_.stop();
    if (number == SIGHUP)
    {
        reload();
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
    front_.begin_shutdown();
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
    const auto cut_at = std::chrono::steady_clock::now() + config_.settings().shutdown_timeout;
    auto give_up_at = health::time_point::max();
    while (co_await front_.sessions_left() > 0)
    {
        const auto now = std::chrono::steady_clock::now();
        if (now >= give_up_at)
            break;
        if ((cut_ || now >= cut_at) && give_up_at == health::time_point::max())
        {
            give_up_at = now + cut_limit;
            front_.cut_all();
        }
        drain_timer_.expires_after(drain_poll);
        co_await drain_timer_.async_wait(asio::use_awaitable);
    }
}

void server::stop()
{
    admin_.stop();
    clusters_.stop();
    front_.stop();
}

// --- what is shown -----------------------------------------------------------------------------

asio::awaitable<process_view> server::gather()
{
    auto stats = co_await front_.stats();
    process_view v;
    v.version = version;
    v.now = std::chrono::steady_clock::now();
    v.wall_clock = std::chrono::system_clock::now();
    v.config = config_.state();
    v.shutting_down = shutting_down_;
    v.clusters = clusters_.views();
    v.changes = {clusters_.history().changes().begin(), clusters_.history().changes().end()};
    for (std::size_t i = 0; i < front_.listeners().size(); ++i)
    {
        const auto& l = *front_.listeners()[i];
        v.listeners.push_back(
            {l.settings,
             l.to,
             front_.bound(i),
             stats[l.id],
             l.door.paused(),
             l.members.shares(*clusters_.believed(l.cluster), v.now)}
        );
    }
    co_return v;
}

admin::response server::operate(const admin::operation& o)
{
    if (o.kind == admin::operation::what::reload)
        return admin::reload_answer(reload());
    const bool pause = o.kind == admin::operation::what::pause;
    if (!front_.pause(o.listener, pause))
        return admin::no_such_listener(o.listener);
    log::line(log_level::info, pause ? "paused" : "resumed").add("listener", o.listener);
    return admin::done(o);
}

} // namespace

int run_server(const config::settings& settings, std::function<config::load_result()> again)
{
    log::init(settings.level);
    std::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    try
    {
        server s(settings, std::move(again));
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
