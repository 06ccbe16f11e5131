// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/operator_desk.hpp"

#include "tests/support/front_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>

using namespace rolegate;
using namespace rolegate::support;
using proxy::admin::operation;

TEST_SUITE("operators during an upgrade")
{
    TEST_CASE("while another process is about to take over nothing is ordered here")
    {
        auto l = quick_listener();
        l.name = "write";
        l.cluster = "main";
        front_fixture proxy({l}, 1);
        boost::asio::io_context control(1);
        bool upgrading = true;
        int changes = 0;
        proxy::admin::operator_desk desk(
            {[&]() -> proxy::front& { return proxy.front(); },
             [] { return std::vector<health::topology_ptr>(); },
             [](const std::string&, const health::operator_orders&) {},
             [&](const proxy::standing_orders&) { ++changes; },
             [] { return proxy::reload_report(); },
             [&] { return upgrading; }}
        );
        const auto status_of = [&](operation::what kind)
        {
            operation o;
            o.kind = kind;
            o.listener = "write";
            auto answer = boost::asio::co_spawn(control, desk.operate(o), boost::asio::use_future);
            control.restart();
            control.run();
            return answer.get().status;
        };
        CHECK(status_of(operation::what::pause) == 409);
        CHECK(status_of(operation::what::resume) == 409);
        CHECK(status_of(operation::what::set_state) == 409);
        CHECK(status_of(operation::what::reload) == 200); // the server's to refuse
        CHECK(changes == 0);
        CHECK(desk.orders().paused.empty());

        upgrading = false;
        CHECK(status_of(operation::what::pause) == 200);
        CHECK(changes == 1);
        CHECK(status_of(operation::what::resume) == 200);
    }
}
