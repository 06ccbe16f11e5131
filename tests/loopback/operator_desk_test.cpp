// SPDX-License-Identifier: PostgreSQL
//
// Operators' orders, and that what stands can be taken back when what it was about has gone.
#include "proxy/admin/operator_desk.hpp"

#include "tests/support/captured_log.hpp"
#include "tests/support/front_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>

#include <map>

using namespace rolegate;
using namespace rolegate::support;
using health::operator_state;
using proxy::admin::operation;

namespace
{

namespace asio = boost::asio;

config::listener_settings named(const char* name)
{
    auto l = quick_listener();
    l.name = name;
    l.cluster = "main";
    return l;
}

// Two listeners, and a cluster whose members the test chooses.
class desk_fixture
{
public:
    void have_members(const std::vector<std::string>& names)
    {
        std::vector<believed> members;
        for (const auto& name : names)
            members.push_back({name, 1, admission::open});
        auto t = topology_of(
            members,
            health::clock::now(),
            config::listener_role::primary,
            front.front().demands(0).size()
        );
        t->cluster = "main";
        beliefs = {t};
    }

    int ask(operation o)
    {
        asio::io_context io(1);
        auto answer = asio::co_spawn(io, desk.operate(std::move(o)), asio::use_future);
        io.run();
        return answer.get().status;
    }

    int set(const std::string& member, operator_state state)
    {
        operation o;
        o.kind = operation::what::set_state;
        o.cluster = "main";
        o.member = member;
        o.state = state;
        return ask(o);
    }

    int pause(const std::string& listener, bool paused)
    {
        operation o;
        o.kind = paused ? operation::what::pause : operation::what::resume;
        o.listener = listener;
        return ask(o);
    }

    captured_log log;
    front_fixture front{{named("write"), named("read")}};
    std::vector<health::topology_ptr> beliefs;
    std::map<std::string, health::operator_orders> obeyed;
    proxy::standing_orders told;
    proxy::admin::operator_desk desk{
        {[this]() -> proxy::front& { return front.front(); },
         [this] { return beliefs; },
         [this](const std::string& cluster, const health::operator_orders& orders)
         { obeyed[cluster] = orders; },
         [this](const proxy::standing_orders& orders) { told = orders; },
         [] { return proxy::reload_report{}; },
         [] { return false; }}};
};

} // namespace

TEST_SUITE("proxy/admin/operator_desk")
{
    TEST_CASE("the order for a member that has gone can be taken back, and no new one given")
    {
        desk_fixture f;
        f.have_members({"a", "b"});
        CHECK(f.set("nobody", operator_state::drain) == 404);
        CHECK(f.set("a", operator_state::drain) == 200);
        CHECK(f.obeyed["main"].size() == 1);

        f.have_members({"b"});
        CHECK(f.set("a", operator_state::maint) == 404);
        CHECK(f.set("nobody", operator_state::ready) == 404);
        CHECK(f.set("a", operator_state::ready) == 200);
        CHECK(f.obeyed["main"].empty());
        CHECK(f.told.members.empty());
        CHECK(f.set("a", operator_state::ready) == 404);
    }

    TEST_CASE("so can that for a member of a cluster that has gone")
    {
        desk_fixture f;
        f.have_members({"a"});
        CHECK(f.set("a", operator_state::maint) == 200);

        f.beliefs.clear();
        CHECK(f.set("a", operator_state::drain) == 404);
        CHECK(f.set("a", operator_state::ready) == 200);
        CHECK(f.told.members.empty());
        CHECK(f.set("a", operator_state::ready) == 404);
    }

    TEST_CASE("a listener that has gone while it was paused can be resumed")
    {
        desk_fixture f;
        CHECK(f.pause("write", true) == 200);
        CHECK(f.told.paused.size() == 1);

        auto next = f.front.settings();
        next.listeners.erase(next.listeners.begin());
        REQUIRE(f.front.reload(next).empty());
        CHECK(f.pause("write", true) == 404);
        CHECK(f.pause("write", false) == 200);
        CHECK(f.told.paused.empty());
        CHECK(f.pause("write", false) == 404);
        CHECK(f.pause("read", false) == 200);
    }
}
