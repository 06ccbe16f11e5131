// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/tcp_pool.hpp"

#include "config/address.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace rolegate::config::haproxy
{
namespace
{

using namespace std::chrono_literals;

class pool_reader
{
public:
    pool_reader(const proxy& back, ledger& book) : back_(back), book_(book) {}

    std::optional<cluster_settings> run()
    {
        for (const server& s : back_.servers)
            take(s);
        if (tcp_.members.empty())
        {
            book_.refuse(back_.number, back_.kind + " " + back_.name, "no server of it is left");
            return std::nullopt;
        }
        settle_options();
        if (back_.check.kind == check_kind::http)
            settle_request();
        else if (back_.check.kind == check_kind::pgsql)
            tell_of_pgsql();
        settle_pace();
        tell_of_order();
        out_.tcp = std::move(tcp_);
        return std::move(out_);
    }

private:
    void take(const server& s)
    {
        if (s.disabled)
            return book_.ignore(s.number, s.name, "is disabled, and left out");
        if (!s.port || *s.port == 0)
            return book_.refuse(s.number, s.name, "needs a port of its own");
        if (s.is_template)
            return book_.refuse(
                s.number, s.name, "members are named one by one, unless Patroni tells them"
            );
        const host_port place{s.host, *s.port};
        if (std::ranges::find(tcp_.members, place) != tcp_.members.end())
            return book_.refuse(s.number, s.name, "leads to the same place as a server before it");
        const bool is_first = tcp_.members.empty();
        tcp_.members.push_back(place);
        options_.push_back(s.options);
        take_check(s, is_first);
    }

    // In the order of the members. What an entry leaves out is as in `default_member`, so that
    // stands only where all agree.
    void settle_options()
    {
        const member_settings& first = options_.front();
        if (std::ranges::count(options_, first) == std::ssize(options_))
        {
            out_.default_member = first;
            return;
        }
        for (std::size_t i = 0; i < options_.size(); ++i)
            if (options_[i] != member_settings())
                out_.member_options[format_address(tcp_.members[i])] = options_[i];
    }

    void take_check(const server& s, bool is_first)
    {
        const bool http = back_.check.kind == check_kind::http;
        const std::uint16_t port =
            s.check_port == s.port ? std::uint16_t{0} : s.check_port.value_or(std::uint16_t{0});
        if (s.check_tls)
            book_.refuse(s.number, "check-ssl", "services are checked in clear text");
        if (!s.check_host.empty() && s.check_host != s.host)
            book_.refuse(s.number, "addr", "a member is checked where clients are led to");
        if (!http && port != 0)
            book_.refuse(
                s.number,
                "port",
                "without `option httpchk` a check is a connect to the port that clients are led to"
            );
        if (!s.check)
            book_.note(
                s.number, s.name, "was never checked; here a connect must succeed now and then"
            );
        if (is_first)
        {
            tcp_.check = s.pace;
            port_ = port;
            return;
        }
        if (s.pace != tcp_.check || (http && port != port_))
            book_.refuse(s.number, s.name, "all members of a cluster are checked alike");
    }

    void settle_request()
    {
        const health_check& check = back_.check;
        http_check_settings http;
        http.method = check.method;
        http.uri = check.uri;
        http.port = port_;
        const auto capital = [](char c) { return c >= 'A' && c <= 'Z'; };
        const auto visible = [](char c) { return c > ' ' && c < 0x7f; };
        const bool sound = !http.method.empty() && std::ranges::all_of(http.method, capital) &&
                           (http.uri.starts_with('/') || http.uri == "*") &&
                           std::ranges::all_of(http.uri, visible);
        if (!sound)
            return book_.refuse(check.number, "httpchk", "expected a method and a path");
        if (check.has_header)
            book_.refuse(check.number, "httpchk", "a check sends no headers");
        settle_status(http);
        tcp_.check.http = std::move(http);
    }

    void settle_status(http_check_settings& http)
    {
        const health_check& check = back_.check;
        if (check.statuses.empty())
            return;
        const auto [first, last] = check.statuses.front();
        const bool is_one = check.statuses.size() == 1 && !check.negated;
        if (is_one && first == last)
            http.expect_status = first;
        else if (!is_one || first != 200 || last != 399)
            book_.refuse(
                check.expect_number, "http-check expect", "one status, or 200-399, is expected"
            );
    }

    void tell_of_pgsql()
    {
        book_.ignore(
            back_.check.number,
            "pgsql-check",
            "a connect is checked instead: HAProxy's check cannot tell a primary from a standby. "
            "Where the servers are a primary and its standbys, use a cluster of kind `postgres`, "
            "which can"
        );
    }

    void settle_pace()
    {
        check_settings& pace = tcp_.check;
        if (pace.fastinter && *pace.fastinter > pace.inter)
        {
            book_.refuse(back_.number, "fastinter", "is longer than inter");
            pace.fastinter.reset();
        }
        const auto check = back_.timeouts.find("check");
        if (check == back_.timeouts.end())
            return;
        if (check->second.value >= 1ms && check->second.value <= 1h)
            pace.timeout = check->second.value;
        else
            book_.refuse(check->second.number, "timeout check", "expected a time from 1ms to 1h");
    }

    // Who is the first goes by the file, as in HAProxy, where no `id` says otherwise.
    void tell_of_order()
    {
        if (back_.balance == balance_algorithm::first)
            for (const server& s : back_.servers)
                if (s.said.contains("id"))
                    book_.refuse(s.number, "id", "`balance: first` goes by the order of the lines");
        if (back_.all_backups_number > 0 &&
            std::ranges::count_if(options_, &member_settings::backup) > 1)
            book_.refuse(
                back_.all_backups_number, "allbackups", "of several backups the first one is used"
            );
    }

    const proxy& back_;
    ledger& book_;
    cluster_settings out_;
    tcp_settings tcp_;
    std::vector<member_settings> options_;
    std::uint16_t port_ = 0; // of the check; 0 = the member's own
};

} // namespace

std::optional<cluster_settings> tcp_cluster(const proxy& back, ledger& book)
{
    return pool_reader(back, book).run();
}

} // namespace rolegate::config::haproxy
