// SPDX-License-Identifier: PostgreSQL
//
// Unix sockets, of clients and of servers.
#include "proxy/listener.hpp"

#include "tests/support/proxy_fixture.hpp"
#include "tests/support/socket_file.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <thread>

using namespace rolegate;
using namespace rolegate::support;
using namespace std::chrono_literals;

namespace
{

config::listener_settings listening(const std::string& path)
{
    auto s = quick_listener();
    s.bind = {{path, 0}};
    return s;
}

bool logs_in(stream& c)
{
    c.send(startup());
    return c.receive(login_answer().size()) == login_answer();
}

bool is_answered(stream& c)
{
    c.send(query("select 1"));
    return c.receive(query_answer('I').size()) == query_answer('I');
}

// What the constructor of a listener says.
std::string complaint_of(const config::listener_settings& settings)
{
    try
    {
        const proxy_fixture proxy(settings);
    }
    catch (const std::runtime_error& e)
    {
        return e.what();
    }
    return {};
}

// A PostgreSQL on a unix socket that takes one connection after the other.
class local_postgres
{
public:
    explicit local_postgres(const std::string& path)
        : fd_(listening_at(path)), thread_([this] { accept_all(); })
    {
    }
    ~local_postgres()
    {
        ::shutdown(fd_, SHUT_RDWR);
        thread_.join();
        ::close(fd_);
    }
    local_postgres(const local_postgres&) = delete;
    local_postgres& operator=(const local_postgres&) = delete;

    [[nodiscard]] std::vector<byte_vector> received() const
    {
        const std::lock_guard lock(mutex_);
        return received_;
    }

private:
    void accept_all()
    {
        for (;;)
        {
            const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0)
                return;
            stream s(fd);
            serving()(s);
            const std::lock_guard lock(mutex_);
            received_.push_back(s.received());
        }
    }

    int fd_;
    mutable std::mutex mutex_;
    std::vector<byte_vector> received_;
    std::thread thread_;
};

} // namespace

TEST_SUITE("unix sockets: of a listener")
{
    TEST_CASE("clients come in over it as over TCP, and the file is gone at the end")
    {
        const own_folder folder;
        const auto path = folder.file(".s.PGSQL.5432");
        fake_postgres server;
        {
            auto settings = listening(path);
            settings.bind.push_back({"127.0.0.1", 0});
            proxy_fixture proxy(settings, 2);
            proxy.believe({{"a", server.port()}});
            CHECK(proxy.bound().front() == "unix:" + path);
            const auto mode = std::filesystem::status(path).permissions();
            CHECK(mode == std::filesystem::perms::all);

            local_client local(path);
            local.send(ssl_request());
            CHECK(local.receive(1) == bytes_of("N"));
            CHECK(logs_in(local));
            CHECK(is_answered(local));
            proxy.believe({{"a", server.port(), admission::closed}});
            CHECK(error_field(local.receive_to_end(), 'C') == "57P01");
        }
        CHECK_FALSE(std::filesystem::exists(path));
    }

    TEST_CASE("a client that has gone is noticed while it is held")
    {
        const own_folder folder;
        proxy_fixture proxy(listening(folder.file("s")));
        proxy.believe({});
        {
            local_client c(folder.file("s"));
            c.send(startup());
            REQUIRE(run_until([&] { return proxy.held() == 1; }));
        }
        CHECK(run_until([&] { return proxy.held() == 0; }));
        CHECK(proxy.ended("CQ") == 1);
    }

    TEST_CASE("a CancelRequest over it reaches the server")
    {
        const own_folder folder;
        fake_postgres server;
        proxy_fixture proxy(listening(folder.file("s")));
        proxy.believe({{"a", server.port()}});
        local_client session(folder.file("s"));
        REQUIRE(logs_in(session));
        REQUIRE(is_answered(session));

        local_client c(folder.file("s"));
        c.send(cancel_request());

        CHECK(c.receive_to_end().empty());
        CHECK(c.ended() == ending::fin);
        CHECK(server.cancel_requests() == 1);
        CHECK(proxy.stats().cancel_requests["routed"] == 1);
    }

    TEST_CASE("a file that a killed process has left is replaced")
    {
        const own_folder folder;
        ::close(listening_at(folder.file("s")));
        REQUIRE(std::filesystem::exists(folder.file("s")));
        fake_postgres server;
        proxy_fixture proxy(listening(folder.file("s")));
        proxy.believe({{"a", server.port()}});

        local_client c(folder.file("s"));

        CHECK(logs_in(c));
    }

    TEST_CASE("one that somebody listens on is refused, named and left alone")
    {
        const own_folder folder;
        const auto path = folder.file("s");
        fake_postgres server;
        proxy_fixture first(listening(path));
        first.believe({{"a", server.port()}});

        const auto text = complaint_of(listening(path));

        CAPTURE(text);
        CHECK(text.find("listener 'write'") != text.npos);
        CHECK(text.find("unix:" + path) != text.npos);
        CHECK(text.find("Address already in use") != text.npos);
        local_client c(path);
        CHECK(logs_in(c));
    }

    TEST_CASE("one whose owner is too busy to accept is refused, too, and not waited for")
    {
        const own_folder folder;
        const auto path = folder.file("s");
        const int owner = listening_at(path);
        std::vector<std::unique_ptr<stream>> queue;
        const auto fill = [&]
        {
            const auto at = detail::file_address(path);
            const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            queue.push_back(std::make_unique<stream>(fd));
            return detail::connect_to(fd, at);
        };
        REQUIRE(run_until([&] { return fill() != 0; }));

        const auto text = complaint_of(listening(path));

        CAPTURE(text);
        CHECK(text.find("Address already in use") != text.npos);
        ::close(owner);
    }

    TEST_CASE("a path that is no socket, or none at all, is refused and left alone")
    {
        const own_folder folder;
        std::filesystem::create_directory(folder.file("d"));
        const std::string paths[] = {
            folder.file("d"), folder.file("missing/s"), folder.file(std::string(120, 'x'))};
        for (const auto& path : paths)
        {
            const auto text = complaint_of(listening(path));
            CAPTURE(text);
            CHECK(text.find("unix:" + path) != text.npos);
        }
        CHECK(std::filesystem::is_directory(paths[0]));
    }

    TEST_CASE("a listener that cannot be had leaves no file of its other addresses")
    {
        const own_folder folder;
        proxy_fixture first;
        auto settings = listening(folder.file("s"));
        settings.bind.push_back({"127.0.0.1", first.port()});

        CHECK_FALSE(complaint_of(settings).empty());

        CHECK_FALSE(std::filesystem::exists(folder.file("s")));
    }

    TEST_CASE("a process that drains does not take its successor's file away")
    {
        const own_folder folder;
        const auto path = folder.file("s");
        fake_postgres server;
        auto old = std::make_unique<proxy_fixture>(listening(path));
        old->believe({{"a", server.port()}});
        old->stop_listening();
        CHECK_FALSE(std::filesystem::exists(path));
        ::close(listening_at(path)); // the successor

        old.reset();

        CHECK(std::filesystem::exists(path));
    }
}

TEST_SUITE("unix sockets: of a member")
{
    TEST_CASE("a member whose address is a folder is met at the socket file of its port")
    {
        const own_folder folder;
        local_postgres server(folder.file(".s.PGSQL.6543"));
        proxy_fixture proxy;
        proxy.believe({{"a", 6543, admission::open, "localhost", folder.path()}});
        {
            logged_in_client c(proxy);
            CHECK(is_answered(c));
            c.send(terminate());
            CHECK(c.receive_to_end().empty());
        }
        client cancel(proxy.port());
        cancel.send(cancel_request());
        CHECK(cancel.receive_to_end().empty());

        REQUIRE(run_until([&] { return server.received().size() == 2; }));
        CHECK(server.received()[0] == startup() + query("select 1") + terminate());
        CHECK(server.received()[1] == cancel_request());
    }

    TEST_CASE("no file, a dead one, a crowd before it: another try, unseen by the client")
    {
        const own_folder folder;
        const auto path = folder.file(".s.PGSQL.6543");
        proxy_fixture proxy;
        proxy.believe({{"a", 6543, admission::open, "localhost", folder.path()}});
        client c(proxy.port());
        c.send(startup());
        REQUIRE(run_until([&] { return proxy.hints().size() >= 2; }));
        ::close(listening_at(path));
        const auto before = proxy.hints().size();
        REQUIRE(run_until([&] { return proxy.hints().size() >= before + 2; }));
        CHECK(c.quiet());
        std::filesystem::remove(path);

        const local_postgres server(path);

        CHECK(c.receive(login_answer().size()) == login_answer());
        c.close();
    }

    TEST_CASE("a member whose file cannot be named is no crash")
    {
        auto settings = quick_listener();
        settings.queue.timeout = 100ms;
        proxy_fixture proxy(settings);
        proxy.believe({{"a", 6543, admission::open, "localhost", "/" + std::string(200, 'x')}});
        client c(proxy.port());
        c.send(startup());

        CHECK(error_field(c.receive_to_end(), 'C') == "57P03");
    }
}
