// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/http_server.hpp"

#include "proxy/cli/client.hpp"
#include "tests/support/http_peer.hpp"
#include "tests/support/sample_view.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <doctest/doctest.h>

#include <ctime>
#include <future>
#include <stdexcept>
#include <thread>
#include <utility>

#include <sys/resource.h>

using namespace rolegate;
using proxy::admin::http_limits;
using proxy::admin::http_server;
using support::http_peer;
using support::scaled;
using namespace std::chrono_literals;

namespace
{

namespace asio = boost::asio;

// For limits that must not be what ends a test.
constexpr auto never = 1h;

http_limits with_exchange(std::chrono::milliseconds limit)
{
    http_limits limits;
    limits.exchange = limit;
    return limits;
}

asio::awaitable<proxy::process_view> good_view()
{
    co_return support::sample_view();
}

asio::awaitable<proxy::process_view> failing_view()
{
    throw std::runtime_error("no view today");
    co_return proxy::process_view{};
}

asio::awaitable<proxy::admin::response> obey(proxy::admin::operation o)
{
    co_return proxy::admin::done(o);
}

asio::awaitable<std::vector<proxy::session_list>> no_sessions(std::vector<proxy::session_query> q)
{
    co_return std::vector<proxy::session_list>(q.size());
}

proxy::admin::http_sources sources(proxy::admin::shared_view::source view = good_view)
{
    return {std::move(view), no_sessions, obey, [] { return std::string("clusters: {}\n"); }};
}

config::admin_settings local_settings(std::uint16_t port = 0)
{
    config::admin_settings s;
    s.bind = {"127.0.0.1", port};
    return s;
}

// A server on a thread of its own, like the control thread of the program.
class running_server
{
public:
    explicit running_server(
        const http_limits& limits = {}, proxy::admin::shared_view::source view = good_view
    )
        : server_(ctx_, local_settings(), sources(std::move(view)), limits)
    {
        const auto bound = server_.bound();
        port_ = static_cast<std::uint16_t>(std::stoi(bound.substr(bound.rfind(':') + 1)));
        server_.start();
        thread_ = std::thread(
            [this]
            {
                ctx_.run();
                ended_.set_value();
            }
        );
    }

    ~running_server()
    {
        stop();
        if (!ends())
            ctx_.stop();
        thread_.join();
    }

    running_server(const running_server&) = delete;
    running_server& operator=(const running_server&) = delete;

    void stop()
    {
        if (!std::exchange(stopped_, true))
            asio::post(ctx_, [this] { server_.stop(); });
    }

    // No connection and no timer is left.
    [[nodiscard]] bool ends()
    {
        return end_.wait_for(scaled(support::patience)) == std::future_status::ready;
    }

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::string bound() const { return server_.bound(); }

private:
    asio::io_context ctx_{1};
    http_server server_;
    std::uint16_t port_ = 0;
    std::promise<void> ended_;
    std::future<void> end_ = ended_.get_future();
    bool stopped_ = false;
    std::thread thread_;
};

bool begins_with(const std::string& answer, const char* begin)
{
    return answer.starts_with(begin);
}

std::string url_of(const running_server& s)
{
    return "http://127.0.0.1:" + std::to_string(s.port());
}

} // namespace

TEST_SUITE_BEGIN("admin/http_server");

TEST_CASE("a page comes with its type and length, and the connection lives on")
{
    running_server server(with_exchange(never));
    http_peer c(server.port());

    c.get("/livez");
    const auto live = c.read_answer();
    c.get("/api/v1/status");
    const auto status = c.read_answer();
    c.get("/nope", "Connection: close\r\n");
    const auto nope = c.read_to_end();

    CHECK(begins_with(live, "HTTP/1.1 200 OK\r\n"));
    CHECK(live.find("Content-Type: text/plain; charset=utf-8\r\n") != live.npos);
    CHECK(live.ends_with("\r\n\r\nok\n"));
    CHECK(begins_with(status, "HTTP/1.1 200 OK\r\n"));
    CHECK(status.find(R"("primary":"pg-1")") != status.npos);
    CHECK(begins_with(nope, "HTTP/1.1 404 Not Found\r\n"));
    CHECK(nope.find("Connection: close\r\n") != nope.npos);
}

TEST_CASE("requests sent at once are answered in their order")
{
    running_server server(with_exchange(never));
    http_peer c(server.port());

    c.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /nope HTTP/1.1\r\nHost: x\r\n\r\n");

    CHECK(begins_with(c.read_answer(), "HTTP/1.1 200 "));
    CHECK(begins_with(c.read_answer(), "HTTP/1.1 404 "));
}

TEST_CASE("a client of HTTP/1.0 gets its answer and the end of the connection")
{
    running_server server(with_exchange(never));
    http_peer c(server.port());

    c.send("GET /livez HTTP/1.0\r\n\r\n");

    CHECK(c.read_to_end().ends_with("\r\n\r\nok\n"));
}

TEST_CASE("HEAD is answered with the length of the page, but without the page")
{
    running_server server(with_exchange(never));
    http_peer c(server.port());

    c.send("HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto head = c.read_head();
    c.get("/livez");

    CHECK(begins_with(head, "HTTP/1.1 200 "));
    CHECK(head.find("Content-Length: 3\r\n") != head.npos);
    CHECK(head.ends_with("\r\n\r\n"));
    CHECK(begins_with(c.read_answer(), "HTTP/1.1 200 "));
}

TEST_CASE("another method is told which ones there are")
{
    running_server server(with_exchange(never));
    http_peer c(server.port());

    c.send("POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    const auto answer = c.read_answer();

    CHECK(begins_with(answer, "HTTP/1.1 405 "));
    CHECK(answer.find("Allow: GET, HEAD\r\n") != answer.npos);
}

TEST_CASE("a request over the limits, or one that is no HTTP, is refused and closed")
{
    const struct
    {
        const char* name;
        std::string request;
        const char* answer;
    } rows[] = {
        {"a header of 9 KiB",
         "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(9 * 1024, 'x') + "\r\n\r\n",
         "HTTP/1.1 431 "},
        {"a target of 9 KiB",
         "GET /" + std::string(9 * 1024, 'x') + " HTTP/1.1\r\n\r\n",
         "HTTP/1.1 431 "},
        {"a body that is announced with 65 KiB",
         "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 66560\r\n\r\n",
         "HTTP/1.1 413 "},
        {"a body of 65 KiB",
         "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 66560\r\n\r\n" + std::string(66560, 'x'),
         "HTTP/1.1 413 "},
        {"PostgreSQL's SSLRequest and more",
         std::string("\0\0\0\x08\x04\xd2\x16\x2f\r\n\r\n", 12),
         "HTTP/1.1 400 "},
        {"a version of the future", "GET / HTTP/9.9\r\n\r\n", "HTTP/1.1 400 "},
        {"two lengths",
         "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
         "HTTP/1.1 400 "},
    };
    running_server server(with_exchange(never));
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        http_peer c(server.port());
        c.send(row.request);
        const auto answer = c.read_to_end();
        CAPTURE(answer);
        CHECK(begins_with(answer, row.answer));
    }
}

TEST_CASE("a client that waits to be told to send its body is told so, and only then")
{
    running_server server(with_exchange(never));
    const std::string head = "POST /api/v1/listeners/write/pause HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                             "Content-Length: 2\r\n";
    const struct
    {
        const char* name;
        std::string request;
        bool is_told;
    } rows[] = {
        {"it asks", head + "Expect: 100-continue\r\n\r\n", true},
        {"in other letters", head + "Expect: 100-Continue\r\n\r\n", true},
        {"its body has come already", head + "Expect: 100-continue\r\n\r\n{", false},
        {"it has none", "GET /livez HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n", false},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        http_peer c(server.port());
        c.send(row.request);
        if (row.is_told)
            CHECK(c.read_head() == "HTTP/1.1 100 Continue\r\n\r\n");
        if (!row.request.starts_with("GET"))
            c.send(row.request.ends_with("{") ? "}" : "{}");
        CHECK(begins_with(c.read_answer(), "HTTP/1.1 200 OK\r\n"));
        c.get("/livez"); // on the same connection
        CHECK(begins_with(c.read_answer(), "HTTP/1.1 200 OK\r\n"));
    }

    http_peer old(server.port());
    old.send("POST /livez HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi");
    CHECK(begins_with(old.read_to_end(), "HTTP/1.0 405 "));
    http_peer demanding(server.port());
    demanding.send(head + "Expect: miracles\r\n\r\n");
    CHECK(begins_with(demanding.read_to_end(), "HTTP/1.1 417 "));
    http_peer large(server.port());
    large.send("POST / HTTP/1.1\r\nContent-Length: 66560\r\nExpect: 100-continue\r\n\r\n");
    CHECK(begins_with(large.read_to_end(), "HTTP/1.1 413 "));
}

TEST_CASE("a client that does not finish its request is closed after the time limit")
{
    running_server server(with_exchange(scaled(support::patience) / 20));
    http_peer silent(server.port());
    http_peer slow(server.port());
    http_peer waiting(server.port());

    slow.send("GET /livez HTTP/1.1\r\nHost:");
    waiting.get("/livez");

    CHECK(begins_with(waiting.read_answer(), "HTTP/1.1 200 "));
    CHECK(silent.read_to_end().empty());
    CHECK(slow.read_to_end().empty());
    CHECK(waiting.read_to_end().empty());
}

TEST_CASE("one connection too many takes the place of whoever has waited for longest")
{
    auto limits = with_exchange(never);
    limits.connections = 3;
    running_server server(limits);
    http_peer first(server.port());
    http_peer second(server.port());
    for (auto* c : {&second, &first})
    {
        c->get("/livez");
        CHECK(begins_with(c->read_answer(), "HTTP/1.1 200 "));
    }

    http_peer third(server.port());
    http_peer fourth(server.port());
    fourth.get("/livez");

    CHECK(begins_with(fourth.read_answer(), "HTTP/1.1 200 "));
    CHECK(second.read_to_end().empty());
    for (auto* c : {&third, &first})
    {
        c->get("/livez");
        CHECK(begins_with(c->read_answer(), "HTTP/1.1 200 "));
    }
}

TEST_CASE("in a full house a connection ends with its answer, and else it lives on")
{
    auto limits = with_exchange(never);
    limits.connections = 2;
    running_server server(limits);
    http_peer first(server.port());
    first.get("/livez");
    CHECK(first.read_answer().find("Connection: close\r\n") == std::string::npos);

    http_peer second(server.port());
    second.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto only = second.read_to_end();

    CHECK(begins_with(only, "HTTP/1.1 200 "));
    CHECK(only.find("Connection: close\r\n") != only.npos);
    CHECK(only.find("HTTP/1.1 ", 1) == only.npos); // to the other request
    first.get("/livez");
    CHECK(begins_with(first.read_answer(), "HTTP/1.1 200 "));
}

TEST_CASE("whoever has been refused makes room before anybody else")
{
    auto limits = with_exchange(never);
    limits.connections = 2;
    running_server server(limits);
    http_peer kept(server.port());
    kept.get("/livez");
    CHECK(begins_with(kept.read_answer(), "HTTP/1.1 200 "));
    http_peer refused(server.port());
    refused.send("nonsense\r\n\r\n"); // and does not go
    CHECK(begins_with(refused.read_answer(), "HTTP/1.1 400 "));

    http_peer third(server.port());
    third.get("/livez");

    CHECK(begins_with(third.read_answer(), "HTTP/1.1 200 "));
    kept.get("/livez");
    CHECK(begins_with(kept.read_answer(), "HTTP/1.1 200 "));
}

TEST_CASE("a failure of ours is an answer, not the end of the process")
{
    running_server server(with_exchange(never), failing_view);
    http_peer c(server.port());

    for (int i = 0; i < 2; ++i)
    {
        c.get("/readyz");
        const auto answer = c.read_answer();
        CHECK(begins_with(answer, "HTTP/1.1 500 "));
        CHECK(answer.find("no view today") != answer.npos);
    }
}

TEST_CASE("stop() closes the door and the connections that wait, and nothing is left")
{
    running_server server(with_exchange(never));
    http_peer silent(server.port());
    http_peer waiting(server.port());
    http_peer between(server.port());
    waiting.send("GET /readyz HT");
    between.get("/readyz");
    CHECK(between.read_answer().find("Connection: close") == std::string::npos);

    server.stop();

    CHECK(silent.read_to_end().empty());
    CHECK(waiting.read_to_end().empty());
    CHECK(between.read_to_end().empty());
    CHECK(server.ends());
    CHECK_FALSE(
        proxy::cli::http_get(url_of(server), "/readyz", scaled(support::patience)).error.empty()
    );
}

TEST_CASE("an answer under way when the server stops is still given, as the last one")
{
    asio::io_context ctx;
    std::function<void()> while_gathering;
    http_server server(
        ctx,
        local_settings(),
        sources(
            [&]
            {
                while_gathering();
                return good_view();
            }
        )
    );
    while_gathering = [&] { server.stop(); };
    const auto url = "http://" + server.bound();
    server.start();

    auto asked = std::async(
        std::launch::async,
        [&url] { return proxy::cli::http_get(url, "/readyz", scaled(support::patience)); }
    );
    ctx.run_for(scaled(support::patience));

    CHECK(ctx.stopped()); // no work is left
    CHECK(asked.get().body == "ok\n");
}

TEST_CASE("without descriptors accepting pauses, and goes on when there are some again")
{
    running_server server(with_exchange(never));
    http_peer c;
    ::rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    auto none = before;
    none.rlim_cur = 0;
    const auto cpu_before = std::clock();

    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    c.connect(server.port());
    c.get("/livez");
    c.wait_at_most(300ms);
    const auto nothing = c.read_answer();
    const bool timed_out = c.timed_out();
    const auto cpu = static_cast<double>(std::clock() - cpu_before) / CLOCKS_PER_SEC;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    c.wait_at_most(scaled(support::patience));

    CHECK(nothing.empty());
    CHECK(timed_out);
    CHECK(cpu < 0.2); // a loop of failing accepts would take all of the 300 ms
    CHECK(begins_with(c.read_answer(), "HTTP/1.1 200 "));
}

TEST_CASE("an address that is taken is an error at once")
{
    running_server server;
    asio::io_context ctx;

    CHECK(server.bound() == "127.0.0.1:" + std::to_string(server.port()));
    CHECK_THROWS_AS(
        http_server(ctx, local_settings(server.port()), sources()), boost::system::system_error
    );
}

TEST_CASE("the command line's client has something done, once a request")
{
    running_server server;

    const auto paused = proxy::cli::http_post(
        url_of(server), "/api/v1/listeners/write/pause", scaled(support::patience)
    );
    const auto read = proxy::cli::http_get(
        url_of(server), "/api/v1/listeners/write/pause", scaled(support::patience)
    );

    CHECK(paused.status == 200);
    CHECK(paused.body.find(R"("paused":true)") != std::string::npos);
    CHECK(read.status == 405);
}

TEST_CASE("a web page in a browser on this host has nothing done")
{
    running_server server;
    http_peer c(server.port());

    c.send(
        "POST /api/v1/listeners/write/pause HTTP/1.1\r\nHost: x\r\nOrigin: http://evil.example\r\n"
        "Content-Length: 0\r\nConnection: close\r\n\r\n"
    );

    CHECK(c.read_to_end().find("HTTP/1.1 403 ") == 0);
}

TEST_CASE("the command line's client reads a page")
{
    running_server server(with_exchange(never));

    const auto found = proxy::cli::http_get(url_of(server), "/livez", scaled(support::patience));
    const auto without_scheme =
        proxy::cli::http_get(url_of(server).substr(7), "/nope", scaled(support::patience));

    CHECK(found.error == "");
    CHECK(found.status == 200);
    CHECK(found.body == "ok\n");
    CHECK(without_scheme.error == "");
    CHECK(without_scheme.status == 404);
}

TEST_CASE("the command line's client says why there is no answer")
{
    // Listens, but never accepts: connects succeed, answers do not come.
    asio::io_context ctx;
    asio::ip::tcp::acceptor mute(ctx, {asio::ip::make_address("127.0.0.1"), 0});
    const auto port = std::to_string(mute.local_endpoint().port());

    CHECK(
        proxy::cli::http_get("http://127.0.0.1:" + port, "/livez", 50ms).error ==
        "answer: timed out"
    );
    mute.close();
    CHECK(
        proxy::cli::http_get("http://127.0.0.1:" + port, "/livez", scaled(support::patience))
            .error == "connect: Connection refused"
    );
    for (const auto* url :
         {"ftp://127.0.0.1:1",
          "unix:",
          "unix:x",
          "unix:/no/such",
          "http://",
          "",
          "http://127.0.0.1:1/path",
          ":"})
    {
        CAPTURE(url);
        CHECK_FALSE(proxy::cli::http_get(url, "/livez", scaled(support::patience)).error.empty());
    }
}

TEST_SUITE_END();
