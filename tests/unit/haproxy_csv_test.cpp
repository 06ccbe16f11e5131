// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/haproxy_csv.hpp"

#include "proxy/admin/routes.hpp"
#include "tests/support/sample_view.hpp"

#include <doctest/doctest.h>

#include <sstream>

using namespace rolegate;
using support::sample_now;
using support::sample_topology;
using support::sample_view;
using namespace std::chrono_literals;

namespace
{

using table = std::map<std::pair<std::string, std::string>, std::map<std::string, std::string>>;

std::vector<std::string> cells(const std::string& line)
{
    std::vector<std::string> out(1);
    bool quoted = false;
    for (const char c : line)
    {
        if (c == '"')
            quoted = !quoted;
        else if (c == ',' && !quoted)
            out.emplace_back();
        else
            out.back() += c;
    }
    return out;
}

// By pxname and svname, as a collector reads it: cells by the names in the header.
table read(const proxy::process_view& view)
{
    std::istringstream in(proxy::admin::haproxy_csv(view));
    std::string line;
    REQUIRE(std::getline(in, line));
    REQUIRE(line.starts_with("# pxname,svname,qcur,"));
    REQUIRE(line.ends_with(",agg_check_status,"));
    const auto names = cells(line.substr(2));
    table rows;
    while (std::getline(in, line) && !line.empty())
    {
        const auto values = cells(line);
        REQUIRE(values.size() == names.size());
        auto& row = rows[{values[0], values[1]}];
        for (std::size_t i = 0; i < names.size(); ++i)
            row[names[i]] = values[i];
    }
    return rows;
}

void set_verdict(health::topology& t, std::size_t member, health::admission verdict)
{
    t.members[member].grants[0].verdict = verdict;
}

} // namespace

TEST_SUITE_BEGIN("admin/haproxy_csv");

TEST_CASE("every listener has a FRONTEND, its members and a BACKEND, in HAProxy's words")
{
    const auto rows = read(sample_view());

    CHECK(rows.size() == 10);
    CHECK(rows.at({"write", "FRONTEND"}).at("status") == "OPEN");
    CHECK(rows.at({"write", "pg-1"}).at("status") == "UP");
    CHECK(rows.at({"write", "pg-2"}).at("status") == "DOWN");
    CHECK(rows.at({"write", "BACKEND"}).at("status") == "UP");
    CHECK(rows.at({"read", "pg-2"}).at("status") == "UP");
    CHECK(rows.at({"read", "pg-3"}).at("status") == "NOLB");
    const std::pair<const char*, const char*> types[] = {
        {"FRONTEND", "0"}, {"BACKEND", "1"}, {"pg-1", "2"}};
    for (const auto& [name, type] : types)
    {
        const auto& r = rows.at({"read", name});
        CHECK(r.at("type") == type);
        CHECK(r.at("mode") == "tcp");
        CHECK(r.at("iid") == "2");
    }
    CHECK(rows.at({"read", "pg-2"}).at("sid") == "2");
    CHECK(rows.at({"read", "pg-1"}).at("addr") == "10.0.0.1:5432");
    CHECK(rows.at({"read", "BACKEND"}).at("algo") == "roundrobin");
}

TEST_CASE("sessions, bytes, limits and waiting clients")
{
    auto view = sample_view();
    view.maxconn = 900;
    auto& write = view.listeners[0];
    write.stats.members["pg-1"].failed = 4;
    write.stats.members["pg-1"].retries = 3;
    write.stats.members["pg-1"].redispatches = 2;
    write.stats.members["pg-1"].ended["SD"] = 5;
    write.stats.members["pg-1"].connecting_seconds.observe(0.004);
    write.traffic.came = 60;
    write.traffic.most_here = 9;
    write.traffic.most_held = 6;
    auto& m = write.traffic.members["pg-1"];
    m.chosen = 48;
    m.most_sessions = 7;
    m.last = sample_now - 12s;
    view.clusters[0].options["pg-1"].maxconn = 50;
    view.clusters[0].options["pg-1"].weight = 10;
    const auto rows = read(view);

    const std::pair<const char*, const char*> server[] = {
        {"scur", "3"},    {"smax", "7"},      {"slim", "50"},   {"stot", "48"},   {"bin", "1000"},
        {"bout", "5000"}, {"econ", "4"},      {"wretr", "3"},   {"wredis", "2"},  {"srv_abrt", "5"},
        {"lbtot", "48"},  {"lastsess", "12"}, {"ctime", "4"},   {"weight", "10"}, {"uweight", "10"},
        {"act", "1"},     {"qcur", "0"},      {"throttle", ""}, {"qlimit", ""},   {"bck", "0"},
    };
    for (const auto& [name, value] : server)
    {
        CAPTURE(name);
        CHECK(rows.at({"write", "pg-1"}).at(name) == value);
    }
    CHECK(rows.at({"write", "pg-2"}).at("lastsess") == "-1");
    CHECK(rows.at({"write", "pg-2"}).at("slim") == "");

    const std::pair<const char*, const char*> front[] = {
        {"scur", "4"},
        {"smax", "9"},
        {"slim", "900"},
        {"stot", "50"},
        {"ereq", "5"},
        {"conn_tot", "60"}};
    for (const auto& [name, value] : front)
    {
        CAPTURE(name);
        CHECK(rows.at({"write", "FRONTEND"}).at(name) == value);
    }
    const std::pair<const char*, const char*> back[] = {
        {"qcur", "1"}, {"qmax", "6"}, {"act", "1"}, {"weight", "10"}, {"stot", "50"}};
    for (const auto& [name, value] : back)
    {
        CAPTURE(name);
        CHECK(rows.at({"write", "BACKEND"}).at(name) == value);
    }
}

TEST_CASE("checks and losses")
{
    auto view = sample_view();
    view.clusters[0].checks.last_seconds["pg-1"] = 0.0031;
    view.clusters[0].services[{"write", "pg-1"}] = {true, sample_now - 90s, 2, 7s};
    view.clusters[0].services[{"write", ""}] = {true, sample_now - 80s, 1, 3s};
    const auto rows = read(view);

    const auto& up = rows.at({"write", "pg-1"});
    CHECK(up.at("check_status") == "L7OK");
    CHECK(up.at("check_code") == "200");
    CHECK(up.at("check_duration") == "3");
    CHECK(up.at("chkdown") == "2");
    CHECK(up.at("lastchg") == "90");
    CHECK(up.at("downtime") == "7");
    CHECK(rows.at({"write", "BACKEND"}).at("chkdown") == "1");
    const auto& other = rows.at({"write", "pg-2"});
    CHECK(other.at("check_status") == "L7STS");
    CHECK(other.at("last_chk") == "pg-1 holds the leader lock");
    const auto& silent = rows.at({"write", "pg-3"});
    CHECK(silent.at("check_status") == "L4CON");
    CHECK(silent.at("chkfail") == "3");
    CHECK(silent.at("check_code") == "");
}

TEST_CASE("what is not open any more, and what nobody knows")
{
    auto t = sample_topology();
    set_verdict(t, 0, health::admission::keep);
    auto rows = read(sample_view(t));
    CHECK(rows.at({"write", "pg-1"}).at("status") == "NOLB");
    CHECK(rows.at({"write", "BACKEND"}).at("status") == "DOWN");
    CHECK(rows.at({"write", "BACKEND"}).at("act") == "0");

    t = sample_topology();
    t.members[0].order.state = health::operator_state::drain;
    t.members[1].order.state = health::operator_state::maint;
    rows = read(sample_view(t));
    CHECK(rows.at({"write", "pg-1"}).at("status") == "DRAIN");
    CHECK(rows.at({"write", "pg-2"}).at("status") == "MAINT");

    t = sample_topology();
    t.confirmed = sample_now - 1h;
    auto view = sample_view(t);
    view.listeners[0].paused = true;
    rows = read(view);
    CHECK(rows.at({"write", "pg-1"}).at("status") == "NOLB");
    CHECK(rows.at({"write", "BACKEND"}).at("status") == "DOWN");
    CHECK(rows.at({"write", "FRONTEND"}).at("status") == "STOP");

    t = sample_topology();
    t.members[2].error.clear();
    t.members[2].word_seen.reset();
    CHECK(read(sample_view(t)).at({"write", "pg-3"}).at("check_status") == "INI");
}

TEST_CASE("a member of any TCP service is shown by its count of checks")
{
    auto t = sample_topology();
    t.kind = health::cluster_kind::tcp;
    t.members[0].state_text = "UP 1/3";
    auto view = sample_view(t);
    auto& check = view.clusters[0].check.emplace();
    auto rows = read(view);
    CHECK(rows.at({"write", "pg-1"}).at("status") == "UP 1/3");
    CHECK(rows.at({"write", "pg-1"}).at("check_status") == "L4OK");
    CHECK(rows.at({"write", "pg-1"}).at("check_health") == "4");
    check.http.emplace();
    CHECK(read(view).at({"write", "pg-1"}).at("check_status") == "L7OK");
}

TEST_CASE("a backup, and a member in its slow start")
{
    auto view = sample_view();
    view.clusters[0].options["pg-2"].backup = true;
    view.clusters[0].options["pg-2"].weight = 20;
    view.listeners[1].shares["pg-2"] = {5, 20, false, 25};
    const auto rows = read(view);

    const auto& r = rows.at({"read", "pg-2"});
    CHECK(r.at("act") == "0");
    CHECK(r.at("bck") == "1");
    CHECK(r.at("weight") == "5");
    CHECK(r.at("uweight") == "20");
    CHECK(r.at("throttle") == "25");
    CHECK(rows.at({"read", "BACKEND"}).at("bck") == "1");
    CHECK(rows.at({"read", "BACKEND"}).at("weight") == "5");
}

TEST_CASE("a name from outside makes no column and no line")
{
    auto t = sample_topology();
    t.members[0].name = "a,\"b\"\nc";
    const auto csv = proxy::admin::haproxy_csv(sample_view(t));
    CHECK(csv.find("write,\"a,\"\"b\"\"?c\",0,0,") != csv.npos);
    CHECK(std::ranges::count(csv, '\n') == 12);
}

TEST_CASE("collectors find it under HAProxy's addresses, too")
{
    const auto view = sample_view();
    for (const auto* target :
         {"/haproxy.csv", "/;csv", "/;csv;norefresh", "/haproxy?stats;csv", "/stats;csv"})
    {
        CAPTURE(target);
        const auto r = proxy::admin::answer("GET", target, view);
        CHECK(r.status == 200);
        CHECK(r.content_type.starts_with("text/plain"));
        CHECK(r.body.starts_with("# pxname,"));
    }
    CHECK(proxy::admin::answer("GET", "/stats", view).status == 404);
    CHECK(proxy::admin::answer("POST", "/;csv", view).status == 405);
}

TEST_SUITE_END();
