// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/listeners.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace rolegate::config::haproxy
{
namespace
{

using namespace std::chrono_literals;

constexpr milliseconds usual_hold = queue_settings().timeout;

struct bind_group
{
    bind_options options;
    std::vector<host_port> places;
};

class listener_builder
{
public:
    listener_builder(const proxy& front, const proxy& back, const destination& to, ledger& book)
        : front_(front), back_(back), to_(to), book_(book)
    {
    }

    // Everything but name and binds.
    listener_settings common()
    {
        static_cast<member_demand&>(out_) = to_.demand;
        out_.cluster = to_.cluster;
        out_.balance = back_.balance;
        out_.maxconn = front_.maxconn;
        settle_timeouts();
        out_.keepalive =
            front_.keepalive == keepalive_settings() ? back_.keepalive : front_.keepalive;
        for (const server& s : back_.servers)
            out_.tcp_user_timeout = s.tcp_user_timeout.value_or(out_.tcp_user_timeout);
        settle_marked_down();
        settle_balance();
        return std::move(out_);
    }

private:
    const said_time* find(const proxy& in, std::string_view name) const
    {
        const auto found = in.timeouts.find(name);
        return found == in.timeouts.end() ? nullptr : &found->second;
    }

    // `never`: 0 is a value that we have as well.
    void settle_timeout(
        const proxy& in, const char* name, milliseconds most, bool never, milliseconds& to
    )
    {
        const said_time* said = find(in, name);
        if (said == nullptr)
            return;
        const std::string what = std::string("timeout ") + name;
        if (said->value > most)
            return book_.refuse(
                said->number, what, most == 1h ? "1h is the longest" : "1d is the longest"
            );
        if (said->value == 0ms && !never)
            return book_.ignore(said->number, what, "never is not possible, our default is taken");
        to = said->value;
    }

    void settle_timeouts()
    {
        listener_timeouts& t = out_.timeouts;
        settle_timeout(back_, "connect", 24h, false, t.connect);
        settle_timeout(front_, "client", 24h, true, t.client);
        settle_timeout(back_, "server", 24h, true, t.server);
        // In a session of TCP it takes the place of both.
        settle_timeout(back_, "tunnel", 24h, true, t.client);
        settle_timeout(back_, "tunnel", 24h, true, t.server);
        settle_fin();
        settle_timeout(back_, "queue", 1h, false, out_.queue.timeout);
        if (out_.queue.timeout < usual_hold)
            book_.note(
                find(back_, "queue")->number,
                "timeout queue",
                "is also how long clients are held while there is no primary, and shorter than a "
                "failover takes"
            );
    }

    // There is one for both sides: the longer one cuts nobody too early.
    void settle_fin()
    {
        milliseconds client{0};
        milliseconds server{0};
        settle_timeout(front_, "client-fin", 24h, false, client);
        settle_timeout(back_, "server-fin", 24h, false, server);
        if (client != 0ms && server != 0ms && client != server)
            book_.note(
                find(back_, "server-fin")->number,
                "timeout server-fin",
                "one time holds for both sides, the longer one"
            );
        if (const milliseconds longer = std::max(client, server); longer != 0ms)
            out_.timeouts.client_fin = longer;
    }

    void settle_marked_down()
    {
        const auto ends = [](const server& s) { return s.shutdown_sessions; };
        const auto count = std::ranges::count_if(back_.servers, ends);
        const bool all = static_cast<std::size_t>(count) == back_.servers.size();
        if (all)
            return; // our default
        if (count > 0)
            book_.refuse(
                back_.number, "on-marked-down", "holds for all servers of a section, or for none"
            );
        else if (is_leader_only(out_.role))
            book_.note(
                back_.number,
                back_.kind + " " + back_.name,
                "has no `on-marked-down shutdown-sessions`, which leaves sessions on a demoted "
                "primary; here they end, see `on_marked_down`"
            );
        else
            out_.on_marked_down = marked_down_action::none;
    }

    void settle_balance()
    {
        if (out_.balance != balance_algorithm::first || to_.is_tcp || is_leader_only(out_.role))
            return;
        book_.refuse(back_.balance_number, "balance first", "the first is that by Patroni's names");
    }

    const proxy& front_;
    const proxy& back_;
    const destination& to_;
    ledger& book_;
    listener_settings out_;
};

// "::" takes IPv4 as well, unless somebody else has that port.
void add_ipv4(const proxy& front, std::vector<bind_group>& groups)
{
    const auto is_taken = [&groups](std::uint16_t port)
    {
        return std::ranges::any_of(
            groups,
            [port](const bind_group& g)
            {
                return std::ranges::any_of(
                    g.places,
                    [port](const host_port& p)
                    { return p.port == port && p.host.find(':') == p.host.npos; }
                );
            }
        );
    };
    for (const bind_line& bind : front.binds)
        for (const host_port& place : bind.places)
        {
            if (!bind.also_ipv4 || place.host != "::" || is_taken(place.port))
                continue;
            const auto group = std::ranges::find(groups, bind.options, &bind_group::options);
            if (group != groups.end()) // else it was refused
                group->places.push_back({"*", place.port});
        }
}

std::vector<bind_group> groups_of_binds(const proxy& front, bool is_tcp, ledger& book)
{
    std::vector<bind_group> out;
    for (const bind_line& bind : front.binds)
    {
        if (bind.places.empty())
            continue;
        if (is_tcp && bind.options.tls.mode == tls_mode::terminate)
        {
            book.refuse(bind.number, "ssl", "TLS ends here for PostgreSQL only");
            continue;
        }
        auto group = std::ranges::find(out, bind.options, &bind_group::options);
        if (group == out.end())
            group = out.insert(out.end(), {bind.options, {}});
        group->places.insert(group->places.end(), bind.places.begin(), bind.places.end());
    }
    add_ipv4(front, out);
    return out;
}

void apply(const bind_options& options, listener_settings& to)
{
    to.tls = options.tls;
    if (options.maxconn)
        to.maxconn = std::min(*options.maxconn, to.maxconn.value_or(*options.maxconn));
    to.tcp_user_timeout = options.tcp_user_timeout.value_or(to.tcp_user_timeout);
    if (options.accept_proxy)
        to.accept_proxy = {{"0.0.0.0", 0}, {"::", 0}, {"unix", 0}};
}

} // namespace

std::vector<listener_settings> listeners_of(
    const proxy& front, const proxy& back, const destination& to, names& taken, ledger& book
)
{
    std::vector<listener_settings> out;
    const auto groups = groups_of_binds(front, to.is_tcp, book);
    const listener_settings common = listener_builder(front, back, to, book).common();
    for (const bind_group& group : groups)
    {
        listener_settings listener = common;
        listener.name = taken.take(front.name);
        listener.bind = group.places;
        apply(group.options, listener);
        out.push_back(std::move(listener));
    }
    if (out.empty())
        book.refuse(front.number, front.kind + " " + front.name, "has no address to listen on");
    if (out.size() > 1 && front.maxconn)
        book.note(
            front.number,
            front.kind + " " + front.name,
            "its binds differ and become several listeners, each with the whole `maxconn`"
        );
    return out;
}

} // namespace rolegate::config::haproxy
