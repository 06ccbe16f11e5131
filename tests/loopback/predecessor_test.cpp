// SPDX-License-Identifier: PostgreSQL
//
// The process that we take over from, played by the other end of its socket.
#include "proxy/predecessor.hpp"

#include "proxy/inherited_sockets.hpp"
#include "proxy/successor.hpp"
#include "tests/support/run_until.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <string>
#include <sys/socket.h>
#include <vector>

using namespace rolegate;
using namespace rolegate::support;
using proxy::unique_fd;

namespace
{

std::vector<std::string> lines_of(const std::string& text)
{
    std::vector<std::string> all;
    for (std::size_t begin = 0; begin < text.size();)
    {
        const auto end = std::min(text.find('\n', begin), text.size());
        all.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return all;
}

} // namespace

TEST_SUITE("predecessor")
{
    TEST_CASE("one that does not read for a while gets whole lines, and the newest orders")
    {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        const unique_fd its_end(ends[0]);
        constexpr int small = 4096;
        REQUIRE(::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
        proxy::inherited().add(unique_fd(ends[1]), proxy::word_name);
        boost::asio::io_context control(1);
        auto p = proxy::predecessor::find(control);
        REQUIRE(p);

        p->tell(proxy::accepting);
        p->await_end();
        constexpr std::size_t length = 30000;
        for (const char c : {'a', 'b', 'c', 'd'})
            p->tell_orders(std::string(length, c));
        p->tell(proxy::handed_on);

        std::string read;
        const auto all_read = [&]
        {
            control.poll();
            char part[4096];
            const auto n = ::recv(its_end.get(), part, sizeof part, MSG_DONTWAIT);
            read.append(part, n > 0 ? static_cast<std::size_t>(n) : 0);
            return read.ends_with("d\n");
        };
        REQUIRE(run_until(all_read));
        const auto lines = lines_of(read);
        REQUIRE(lines.size() == 4);
        CHECK(lines[0] == proxy::accepting);
        CHECK(lines[1] == std::string(length, 'a'));
        CHECK(lines[2] == proxy::handed_on);
        CHECK(lines[3] == std::string(length, 'd'));
    }

    TEST_CASE("it learns in a line why this process cannot take over, wherever that is known")
    {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        const unique_fd its_end(ends[0]);
        proxy::inherited().add(unique_fd(ends[1]), proxy::word_name);
        const auto heard = [&its_end]
        {
            char part[4096];
            const auto n = ::recv(its_end.get(), part, sizeof part, MSG_DONTWAIT);
            return std::string(part, n > 0 ? static_cast<std::size_t>(n) : 0);
        };
        boost::asio::io_context control(1);
        SUBCASE("before it was looked for")
        {
            proxy::tell_failed("port 1 is taken\nand more");
            CHECK(heard() == "failing port 1 is taken\n");
        }
        SUBCASE("when all else has been thrown away")
        {
            REQUIRE(proxy::predecessor::find(control));
            proxy::tell_failed("no \x01 " + std::string(10'000, 'x'));
            CHECK(heard() == "failing no \x01 " + std::string(507, 'x') + "\n");
        }
        SUBCASE("but not when it has")
        {
            auto p = proxy::predecessor::find(control);
            REQUIRE(p);
            p->tell(proxy::accepting);
            CHECK(heard() == "accepting\n");
            proxy::tell_failed("too late");
            CHECK(heard() == "");
        }
        proxy::tell_failed("nobody is there");
    }

    TEST_CASE("one that has ended is told nothing, and that is no trouble")
    {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        proxy::inherited().add(unique_fd(ends[1]), proxy::word_name);
        boost::asio::io_context control(1);
        auto p = proxy::predecessor::find(control);
        REQUIRE(p);
        p->await_end();
        ::close(ends[0]);
        p->tell_orders("{}");
        control.run(); // its end is all there is to wait for
        p->tell_orders("{}");
        CHECK(control.stopped());
    }
}
