// SPDX-License-Identifier: PostgreSQL
#include "proxy/inherited_sockets.hpp"

#include "proxy/admin/http_server.hpp"
#include "proxy/listening_socket.hpp"
#include "tests/support/captured_log.hpp"
#include "tests/support/proxy_fixture.hpp"
#include "tests/support/socket_file.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>

using namespace rolegate;
using namespace rolegate::support;
using proxy::event_loop;
using proxy::inherited;
using proxy::listening_socket;
using proxy::unique_fd;

namespace
{

// One that whoever starts us has bound, and given to us.
class given_socket
{
public:
    given_socket() : port_(free_port())
    {
        fd_ = detail::socket_that(
            AF_INET,
            "bind",
            [this](int fd)
            {
                const int on = 1;
                ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
                const auto at = detail::address_of("127.0.0.1", port_);
                return detail::bind_to(fd, at) == 0 ? ::listen(fd, 16) : -1;
            }
        );
        inherited().add(unique_fd(fd_), "given");
    }

    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] config::host_port bind() const { return {"127.0.0.1", port_}; }

private:
    std::uint16_t port_;
    int fd_ = -1;
};

struct counting final : listening_socket::owner
{
    void on_client(listening_socket&) override { ++clients; }
    int clients = 0;
};

// A listening socket without a listener, on a loop that this thread runs.
struct door
{
    explicit door(const config::host_port& bind) : socket(loop, told, bind, quick_listener()) {}

    [[nodiscard]] bool accepts_one()
    {
        proxy::peer from;
        return socket.accept(from).first.is_open();
    }

    // What is there to be told is told.
    void turn()
    {
        loop.post([this] { loop.stop(); });
        loop.run();
    }

    event_loop loop;
    counting told;
    listening_socket socket;
};

bool is_open(int fd)
{
    return ::fcntl(fd, F_GETFD) >= 0;
}

} // namespace

TEST_SUITE("inherited sockets")
{
    TEST_CASE("one with the address of a bind is used, and nobody in its queue is lost")
    {
        const given_socket given;
        const client early(given.port());
        door d(given.bind());
        CHECK(d.socket.bound() == "127.0.0.1:" + std::to_string(given.port()));
        CHECK(d.socket.shared_as("write").fd == given.fd());
        CHECK(d.socket.shared_as("write").inherited);
        CHECK_FALSE(d.socket.listen_again());
        CHECK(d.accepts_one());
        CHECK_FALSE(d.accepts_one()); // and it does not block
        CHECK((::fcntl(given.fd(), F_GETFD) & FD_CLOEXEC) != 0);
        CHECK(inherited().close_rest().empty());
    }

    TEST_CASE("one of another address is closed, and it is said so")
    {
        const given_socket given;
        const given_socket other;
        const captured_log log;
        const door d(given.bind());
        CHECK(inherited().close_rest() == std::vector<std::string>{"given"});
        CHECK_FALSE(is_open(other.fd()));
        CHECK(is_open(given.fd()));
        const auto address = "address=127.0.0.1:" + std::to_string(other.port());
        CHECK(log.count("event=inherited_unused name=given " + address) == 1);
        CHECK(connect_error(other.port()) == ECONNREFUSED);
    }

    TEST_CASE("what is no listening socket serves nobody")
    {
        int pair[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
        const unique_fd mine(pair[0]);
        inherited().add(unique_fd(pair[1]), "pair");
        inherited().add(unique_fd(::open("/dev/null", O_RDONLY)), "file");
        inherited().add(unique_fd(1 << 20), "nothing");
        const captured_log log;
        CHECK(inherited().close_rest() == std::vector<std::string>{"pair", "file"});
    }

    TEST_CASE("one that the process before had refuse connects listens again when we open")
    {
        const given_socket given;
        ::shutdown(given.fd(), SHUT_RD);
        REQUIRE(connect_error(given.port()) == ECONNREFUSED);
        door d(given.bind());
        CHECK(connect_error(given.port()) == ECONNREFUSED); // that one goes on if we fail
        CHECK_FALSE(d.socket.listen_again());
        CHECK(connect_error(given.port()) == 0);
    }

    TEST_CASE("left to another process: it goes on, and we are told of nothing")
    {
        const given_socket given;
        door d(given.bind());
        const unique_fd of_another(::dup(given.fd()));
        REQUIRE_FALSE(d.socket.listen_again());
        REQUIRE(d.socket.watch_clients());
        d.socket.leave_to_others();
        const client late(given.port());
        d.turn();
        CHECK(d.told.clients == 0);
        const unique_fd taken(::accept4(of_another.get(), nullptr, nullptr, SOCK_CLOEXEC));
        CHECK(taken.is_open());
    }

    TEST_CASE("the admin port as well")
    {
        const given_socket given;
        boost::asio::io_context control(1);
        {
            config::admin_settings settings;
            settings.bind = given.bind();
            proxy::admin::http_server admin(control, settings, {});
            CHECK(admin.bound() == "127.0.0.1:" + std::to_string(given.port()));
            CHECK(admin.shared().fd == given.fd());
            const unique_fd of_another(::dup(given.fd()));
            admin.stop();
            CHECK_FALSE(is_open(given.fd()));
            CHECK(connect_error(given.port()) == 0);
        }
        CHECK(connect_error(given.port()) == ECONNREFUSED);
    }
}

TEST_SUITE("inherited unix sockets")
{
    TEST_CASE("of a service manager: the file is its own")
    {
        const own_folder folder;
        const auto path = folder.file("s");
        inherited().add(unique_fd(listening_at(path)), "s");
        {
            door d({path, 0});
            CHECK(d.socket.bound() == "unix:" + path);
            CHECK(d.socket.shared_as("s").file.empty());
            CHECK_FALSE(d.socket.listen_again());
            const local_client c(path);
            CHECK(d.accepts_one());
        }
        CHECK(std::filesystem::exists(path));
    }

    TEST_CASE("of the process before: the file is removed at the end, if we have come so far")
    {
        const own_folder folder;
        const auto path = folder.file("s");
        bool opens = false;
        SUBCASE("it has opened")
        {
            opens = true;
        }
        SUBCASE("it has failed before") {}
        inherited().add(unique_fd(listening_at(path)), "s");
        inherited().own_files({path});
        {
            door d({path, 0});
            CHECK(d.socket.shared_as("s").file == path);
            if (opens)
                CHECK_FALSE(d.socket.listen_again());
        }
        CHECK(std::filesystem::exists(path) == !opens);
        inherited().own_files({});
    }

    TEST_CASE("left to another process: the file stays")
    {
        const own_folder folder;
        const auto path = folder.file("s");
        door d({path, 0});
        const unique_fd of_another(::dup(d.socket.shared_as("s").fd));
        CHECK(d.socket.shared_as("s").file == path);
        d.socket.leave_to_others();
        const local_client c(path);
        CHECK(std::filesystem::exists(path));
    }

    TEST_CASE("without its file it is of no use: a new one is bound")
    {
        const own_folder folder;
        const auto path = folder.file("s");
        inherited().add(unique_fd(listening_at(path)), "s");
        std::filesystem::remove(path);
        door d({path, 0});
        CHECK_FALSE(d.socket.shared_as("s").inherited);
        const local_client c(path);
        CHECK(d.accepts_one());
        const captured_log log;
        CHECK(inherited().close_rest().size() == 1);
    }
}
