// SPDX-License-Identifier: PostgreSQL
//
// The admin HTTP with users, TLS and a unix socket, as the command line asks it; and what many or
// hostile requests cost.
#include "proxy/admin/http_server.hpp"

#include "proxy/admin/basic_auth.hpp"
#include "proxy/cli/client.hpp"
#include "tests/support/captured_log.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/http_peer.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/sample_view.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <thread>

#include <openssl/ssl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;
using proxy::cli::admin_address;
using proxy::cli::http_get;
using proxy::cli::http_post;

namespace
{

namespace asio = boost::asio;

constexpr const char* pause_path = "/api/v1/listeners/write/pause";

// "secret", by crypt(3) with many rounds.
constexpr const char* slow_hash =
    "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN."
    "Pq.H91p5hVO1";

using view_source = proxy::admin::shared_view::source;

asio::awaitable<proxy::process_view> good_view()
{
    co_return sample_view();
}

asio::awaitable<proxy::process_view> failing_view()
{
    throw 1; // nothing that anybody would expect
    co_return proxy::process_view{};
}

class admin_fixture
{
public:
    explicit admin_fixture(
        const config::admin_settings& settings,
        const proxy::admin::http_limits& limits = {},
        view_source view = good_view
    )
        : view_(std::move(view)), server_(ctx_, settings, sources(), limits)
    {
        server_.start();
        thread_ = std::thread([this] { ctx_.run(); });
    }

    ~admin_fixture()
    {
        asio::post(ctx_, [this] { server_.stop(); });
        thread_.join();
    }

    admin_fixture(const admin_fixture&) = delete;
    admin_fixture& operator=(const admin_fixture&) = delete;

    void use(const config::admin_settings& settings)
    {
        std::promise<void> done;
        asio::post(
            ctx_,
            [&]
            {
                server_.use(settings);
                done.set_value();
            }
        );
        done.get_future().wait();
    }

    [[nodiscard]] std::string url(const std::string& scheme = "http://") const
    {
        return scheme + server_.bound();
    }

    [[nodiscard]] std::uint16_t port() const
    {
        const auto bound = server_.bound();
        return static_cast<std::uint16_t>(std::stoi(bound.substr(bound.rfind(':') + 1)));
    }

    [[nodiscard]] int gathered() const { return gathered_; }
    [[nodiscard]] proxy::login_counts logins()
    {
        std::promise<proxy::login_counts> told;
        asio::post(ctx_, [&] { told.set_value(server_.logins()); });
        return told.get_future().get();
    }
    [[nodiscard]] std::string who()
    {
        std::promise<std::string> told;
        asio::post(ctx_, [&] { told.set_value(who_); });
        return told.get_future().get();
    }

private:
    proxy::admin::http_sources sources()
    {
        const auto view = [this]() -> asio::awaitable<proxy::process_view>
        {
            ++gathered_;
            auto looked = co_await view_();
            co_return looked;
        };
        const auto sessions = [](std::vector<proxy::session_query> queries
                              ) -> asio::awaitable<std::vector<proxy::session_list>>
        {
            std::vector<proxy::session_list> lists(queries.size());
            for (std::size_t i = 0; i < queries.size(); ++i)
                lists[i].total = queries[i].limit;
            co_return lists;
        };
        const auto operate = [this](proxy::admin::operation o
                             ) -> asio::awaitable<proxy::admin::response>
        {
            who_ = o.who;
            co_return proxy::admin::done(o);
        };
        return {view, sessions, operate, [] { return std::string("clusters: {}\n"); }};
    }

    asio::io_context ctx_{1};
    std::atomic<int> gathered_ = 0;
    std::string who_;
    view_source view_;
    proxy::admin::http_server server_;
    std::thread thread_;
};

config::admin_settings local()
{
    config::admin_settings s;
    s.bind = {"127.0.0.1", 0};
    return s;
}

config::admin_settings with_users()
{
    auto s = local();
    s.users = {{"dba", slow_hash}, {"other", "plain"}};
    return s;
}

int get(const admin_address& at, const std::string& path)
{
    return http_get(at, path, scaled(patience)).status;
}

int post(const admin_address& at, const std::string& path = pause_path)
{
    return http_post(at, path, scaled(patience)).status;
}

std::string as(const std::string& user, const std::string& url)
{
    return "http://" + user + "@" + url.substr(7);
}

} // namespace

TEST_SUITE_BEGIN("admin/users");

TEST_CASE("operations need a user and his password, looking does not")
{
    admin_fixture admin(with_users());

    CHECK(get(admin.url(), "/api/v1/status") == 200);
    CHECK(post(admin.url()) == 401);
    CHECK(post(as("dba:wrong", admin.url())) == 401);
    CHECK(post(as("nobody:secret", admin.url())) == 401);
    CHECK(post(as("nobody:plain", admin.url())) == 401); // nor with that of another user
    CHECK(post(as("dba:secret", admin.url())) == 200);
    CHECK(admin.who() == "dba");
    CHECK(post(as("other:plain", admin.url())) == 200);
    CHECK(admin.who() == "other");
    admin_address from_file(as("dba", admin.url()));
    from_file.password = "secret";
    CHECK(post(from_file) == 200);
    CHECK(proxy::cli::shown(as("dba:secret", "http://h:1")) == "http://h:1");

    const auto me = http_get(as("dba:secret", admin.url()), "/api/v1/user", scaled(patience));
    CHECK(me.body.find(R"("user":"dba","may_operate":true)") != me.body.npos);
    CHECK(get(as("dba:wrong", admin.url()), "/api/v1/user") == 401);
    CHECK(get(admin.url(), "/api/v1/user") == 200);
}

TEST_CASE("with require_user: all only probes are open to everybody")
{
    auto settings = with_users();
    settings.require_user = config::user_rule::all;
    admin_fixture admin(settings);

    CHECK(get(admin.url(), "/livez") == 200);
    CHECK(get(admin.url(), "/readyz") == 200);
    for (const auto* path :
         {"/",
          "/metrics",
          "/api/v1/status",
          "/api/v1/sessions",
          "/nope",
          "/readyz?;csv",
          "/livez?;csv"})
    {
        CAPTURE(path);
        CHECK(get(admin.url(), path) == 401);
    }
    CHECK(get(as("dba:secret", admin.url()), "/metrics") == 200);
}

TEST_CASE("other users count from the next request on")
{
    admin_fixture admin(with_users());
    REQUIRE(post(as("dba:secret", admin.url())) == 200);
    auto changed = with_users();
    changed.users = {{"dba", "changed"}};

    admin.use(changed);

    CHECK(post(as("dba:secret", admin.url())) == 401);
    CHECK(post(as("dba:changed", admin.url())) == 200);
}

TEST_CASE("whoever guesses passwords is slowed down, and the control thread with him is not")
{
    // However long the forty take, no try is given back and the right one is not forgotten.
    proxy::admin::http_limits limits;
    limits.passwords.per_second = 1e-9;
    limits.passwords.at_once = 10;
    limits.passwords.remember_for = 24h;
    admin_fixture admin(with_users(), limits);
    REQUIRE(post(as("dba:secret", admin.url())) == 200);

    int wrong = 0;
    int too_often = 0;
    for (int i = 0; i < 40; ++i)
    {
        const auto status = post(as("dba:guess" + std::to_string(i), admin.url()));
        wrong += status == 401 ? 1 : 0;
        too_often += status == 429 ? 1 : 0;
    }

    CHECK(wrong == 9);
    CHECK(too_often == 31);
    CHECK(post(as("dba:secret", admin.url())) == 200); // he is known
    CHECK(get(admin.url(), "/api/v1/status") == 200);
}

TEST_CASE("a guesser is told of in the log and counted, and keeps out nobody at another address")
{
    captured_log log;
    proxy::admin::http_limits limits;
    limits.passwords.per_second = 1e-9;
    admin_fixture admin(with_users(), limits);
    const auto try_from = [&admin](const char* address, const char* user, const char* password)
    {
        http_peer c(admin.port(), address);
        const auto header = proxy::admin::basic_header({user, password});
        c.get("/api/v1/user", "Authorization: " + header + "\r\nConnection: close\r\n");
        return c.read_to_end().substr(0, std::string_view("HTTP/1.1 401").size());
    };

    constexpr int guesses = 40;
    int last = 0;
    for (int i = 0; i < guesses; ++i)
        last = try_from("127.0.0.2", "d\nba", "guess") == "HTTP/1.1 429" ? last + 1 : 0;

    CHECK(last == 30);
    CHECK(try_from("127.0.0.2", "dba", "secret") == "HTTP/1.1 429");
    CHECK(try_from("127.0.0.3", "dba", "secret") == "HTTP/1.1 200");
    CHECK(try_from("127.0.0.2", "dba", "secret") == "HTTP/1.1 200"); // he is known
    const auto counts = admin.logins();
    CHECK(counts.ok == 2);
    CHECK(counts.failed == 10);
    CHECK(counts.limited == 31);
    const std::string told = " warning event=login_failed client=127.0.0.2 user=\"d\\x0aba\" ";
    CHECK(run_until([&] { return log.count(told + "error=\"wrong user or password\"\n") > 0; }));
    CHECK(run_until([&] { return log.count(told + "error=\"too many passwords") > 0; }));
    CHECK(log.count("guess") == 0);
}

TEST_CASE("HTTPS, and a client whose certificate must be known")
{
    const certificates files;
    const auto server = files.issue("admin", "IP:127.0.0.1");
    auto settings = local();
    settings.tls = config::admin_tls{server.cert, server.key, ""};
    admin_fixture admin(settings);
    admin_address https(admin.url("https://"));

    CHECK(get(https, "/livez") == 0);
    https.ca = files.ca();
    CHECK(get(https, "/livez") == 200);
    CHECK(post(https) == 200);
    https.ca = files.other_ca();
    CHECK(get(https, "/livez") == 0);
    https.insecure = true;
    CHECK(get(https, "/livez") == 200);
    CHECK(get(admin.url(), "/livez") == 0); // plain HTTP

    settings.tls->ca = files.ca();
    admin.use(settings);
    CHECK(get(https, "/livez") == 0);

    // A session that is taken up again would have no context that its certificate was checked for.
    const auto context = proxy::admin::make_tls(settings.tls);
    auto* native = context->native_handle();
    CHECK(SSL_CTX_get_session_cache_mode(native) == SSL_SESS_CACHE_OFF);
    CHECK(SSL_CTX_get_num_tickets(native) == 0);
    CHECK((SSL_CTX_get_options(native) & SSL_OP_NO_TICKET) != 0);

    settings.tls->cert = "/no/such/file";
    CHECK_THROWS_AS(proxy::admin::make_tls(settings.tls), std::runtime_error);
}

TEST_CASE("a unix socket has the permissions that were asked for, and goes with its server")
{
    const auto path =
        (std::filesystem::temp_directory_path() / ("rolegate-admin-" + std::to_string(::getpid())))
            .string();
    auto settings = local();
    settings.bind = {path, 0};
    settings.mode = 0660;
    {
        admin_fixture admin(settings);
        struct stat found
        {
        };
        REQUIRE(::stat(path.c_str(), &found) == 0);
        CHECK((found.st_mode & 0777U) == 0660);
        CHECK(get("unix:" + path, "/livez") == 200);
        CHECK(post("unix:" + path) == 200);

        auto guarded = settings;
        guarded.users = {{"other", "plain"}};
        admin.use(guarded);
        CHECK(post("unix:" + path) == 401);
        CHECK(post("unix:other:plain@" + path) == 200);
    }
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE(
    "whoever asks while a look at the workers is under way shares the next one with the others"
)
{
    asio::io_context ctx(1);
    asio::steady_timer gate(ctx, asio::steady_timer::time_point::max());
    int gathered = 0;
    int answered = 0;
    const auto gather = [&]() -> asio::awaitable<proxy::process_view>
    {
        ++gathered;
        co_await gate.async_wait(asio::as_tuple(asio::use_awaitable));
        co_return sample_view();
    };
    proxy::admin::shared_view views(ctx, gather);
    const auto ask = [&]
    {
        const auto count = [&](const std::exception_ptr& e, const proxy::admin::view_ptr& view)
        { answered += !e && view ? 1 : 0; };
        asio::co_spawn(ctx, views.get(), count);
    };

    ask();
    ctx.poll();
    for (int i = 0; i < 100; ++i)
        ask();
    ctx.poll();
    CHECK(gathered == 1);
    gate.expires_at(asio::steady_timer::time_point::min()); // open from now on
    ctx.run_for(scaled(patience));

    CHECK(answered == 101);
    CHECK(gathered == 2);
}

TEST_CASE("configuration and sessions come over their own paths")
{
    admin_fixture admin(local());

    const auto config = http_get(admin.url(), "/api/v1/config", scaled(patience));
    const auto sessions = http_get(admin.url(), "/api/v1/sessions?limit=7", scaled(patience));

    CHECK(config.body == "{\"yaml\":\"clusters: {}\\n\"}\n");
    CHECK(sessions.body == "{\"total\":7,\"sessions\":[]}\n");
    CHECK(get(admin.url(), "/api/v1/sessions?limit=x") == 400);
    CHECK(admin.gathered() == 0);
}

TEST_CASE("a page is the same whatever is behind its '?', but for HAProxy's statistics")
{
    admin_fixture admin(local());
    const auto body = [&](const char* target)
    { return http_get(admin.url(), target, scaled(patience)).body; };

    CHECK(body("/readyz") == body("/readyz?x=1"));
    CHECK(body("/readyz?;csv").starts_with("# pxname,"));
    CHECK(body("/haproxy?stats;csv") == body("/haproxy.csv"));
    CHECK_FALSE(body("/readyz").starts_with("# pxname,"));
    CHECK(get(admin.url(), "/haproxy?stats") == 404);
}

TEST_CASE("what goes wrong with one connection ends neither the others nor the process")
{
    captured_log log;
    admin_fixture admin(local(), {}, failing_view);

    CHECK(get(admin.url(), "/metrics") == 0);
    CHECK(get(admin.url(), "/livez") == 200);
    CHECK(get(admin.url(), "/readyz") == 0);
    CHECK(get(admin.url(), "/livez") == 200);
    CHECK(run_until([&] { return log.count("event=internal_error") > 0; }));
}

TEST_CASE("a look at the workers that hangs does not keep everybody else out")
{
    std::atomic<bool> open = false;
    const auto hung = [&open]() -> asio::awaitable<proxy::process_view>
    {
        const auto here = co_await asio::this_coro::executor;
        asio::steady_timer again(here);
        while (!open)
        {
            again.expires_after(1ms);
            co_await again.async_wait(asio::as_tuple(asio::use_awaitable));
        }
        co_return sample_view();
    };
    proxy::admin::http_limits limits;
    limits.connections = 1;
    limits.exchange = scaled(patience) / 20;
    admin_fixture admin(local(), limits, hung);
    const auto url = admin.url();
    auto waits = std::async(std::launch::async, [&url] { return get(url, "/metrics"); });
    const bool hangs = run_until([&] { return admin.gathered() == 1; });

    const bool let_in = run_until([&] { return get(url, "/livez") == 200; });
    open = true;

    CHECK(hangs);
    CHECK(let_in);
    CHECK(waits.get() == 0);
}

TEST_SUITE_END();
