// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/patroni_pool.hpp"

#include "config/address.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace rolegate::config::haproxy
{
namespace
{

using namespace std::chrono_literals;

constexpr std::uint16_t usual_port = 5432;
constexpr std::uint16_t pooler_port = 6432; // PgBouncer's

// Statuses that Patroni gives to a member with and without the role.
constexpr unsigned has_role = 200;
constexpr unsigned has_not = 503;

struct said_options
{
    const server* of;
    member_settings value;
};

class pool_reader
{
public:
    pool_reader(const proxy& back, const endpoint& asked, std::set<std::string>& told, ledger& book)
        : back_(back), asked_(asked), book_(book), told_(told)
    {
    }

    std::optional<cluster_settings> run()
    {
        tell_of_endpoint();
        for (const server& s : back_.servers)
            if (is_usable(s))
                take(s);
        if (out_.patroni.members.empty())
        {
            book_.refuse(back_.number, back_.kind + " " + back_.name, "no server of it is left");
            return std::nullopt;
        }
        settle_options();
        settle_pace();
        if (back_.all_backups_number > 0)
            tell_of_backups();
        return std::move(out_);
    }

private:
    void tell_of_endpoint()
    {
        for (const std::string& note : asked_.notes)
            book_.note(back_.check.number, back_.check.uri, note);
        for (const std::string& part : asked_.refused)
            book_.refuse(back_.check.number, back_.check.uri, part);
        if (!back_.check.passes(has_role) || back_.check.passes(has_not))
            book_.refuse(
                back_.check.expect_number,
                "http-check expect",
                "the role is what Patroni answers with 200, and 503 is that a member has it not"
            );
    }

    bool is_usable(const server& s)
    {
        const bool sound = s.check && s.check_place().port != 0;
        if (!sound)
            book_.refuse(
                s.number, s.name, "is not checked at Patroni, while others of the section are"
            );
        if (s.disabled)
            book_.refuse(
                s.number, "disabled", "once Rolegate runs: rolegate set-member CLUSTER/MEMBER maint"
            );
        return sound;
    }

    void take(const server& s)
    {
        patroni_settings& patroni = out_.patroni;
        const host_port api = s.check_place();
        const bool is_first = patroni.members.empty();
        if (std::ranges::find(patroni.members, api) == patroni.members.end())
            patroni.members.push_back(api);
        if (is_first)
            patroni.tls = tls_of(s);
        else if (patroni.tls != tls_of(s))
            book_.refuse(s.number, "check-ssl", "all members are asked in the same way");
        options_.push_back({&s, options_of(s)});
        take_pace(s);
        if (told_.insert(s.host + " " + std::to_string(s.port.value_or(std::uint16_t{0}))).second)
            tell_of_address(s);
        map_pooler(s);
    }

    static std::optional<client_tls> tls_of(const server& s)
    {
        if (!s.check_tls)
            return std::nullopt;
        return s.tls;
    }

    member_settings options_of(const server& s)
    {
        member_settings options = s.options;
        if (is_leader_only(asked_.demand.role))
            drop(options, s);
        return options;
    }

    void settle_options()
    {
        const member_settings& first = options_.front().value;
        const auto is_same = [&first](const said_options& o) { return o.value == first; };
        if (std::ranges::all_of(options_, is_same))
        {
            out_.default_member = first;
            return;
        }
        for (const auto& [s, options] : options_)
        {
            if (options == member_settings())
                continue;
            out_.member_options[s->name] = options;
            book_.refuse(
                s->number,
                s->name,
                "is treated otherwise than others: `member_options` go by Patroni's name of the "
                "member, which need not be this one"
            );
        }
    }

    // One member has the role: nothing is shared, and nobody stands in for it.
    void drop(member_settings& options, const server& s)
    {
        const member_settings usual;
        const auto tell = [&](bool differs, const char* word)
        {
            const auto said = s.said.find(word);
            if (differs && said != s.said.end())
                book_.ignore(said->second, word, "one member at a time has this role");
        };
        tell(options.weight != usual.weight, "weight");
        tell(options.backup, "backup");
        options.weight = usual.weight;
        options.backup = usual.backup;
    }

    void take_pace(const server& s)
    {
        const auto inter = s.said.find("inter");
        if (inter != s.said.end())
            interval_ = std::min(interval_.value_or(s.pace.inter), s.pace.inter);
        for (const char* word : {"rise", "fall"})
            if (const auto said = s.said.find(word); said != s.said.end())
                book_.ignore(
                    said->second,
                    word,
                    "the leader lock and what members say of themselves decide, not a count"
                );
        for (const char* word : {"fastinter", "downinter"})
            if (const auto said = s.said.find(word); said != s.said.end())
                book_.ignore(
                    said->second, word, "a role change is followed at `fast_interval`, 50ms"
                );
    }

    void settle_pace()
    {
        patroni_settings& patroni = out_.patroni;
        patroni.interval = interval_.value_or(patroni.interval);
        patroni.fast_interval = std::min(patroni.fast_interval, patroni.interval);
        const auto check = back_.timeouts.find("check");
        if (check == back_.timeouts.end())
            return;
        if (check->second.value >= 1ms && check->second.value <= 1h)
            patroni.timeout = check->second.value;
        else
            book_.refuse(check->second.number, "timeout check", "expected a time from 1ms to 1h");
    }

    // Rolegate goes where Patroni says; only what HAProxy was told can be compared with it.
    void tell_of_address(const server& s)
    {
        if (s.port == usual_port)
            return;
        const std::string place = s.port ? s.host + ":" + std::to_string(*s.port) : s.host;
        if (s.port != pooler_port)
            return book_.note(
                s.number,
                place,
                "clients go where Patroni says (connect_address): if that is another port, use "
                "`address_map`"
            );
        book_.note(
            s.number,
            place,
            "taken for a pooler beside PostgreSQL on port 5432: see `address_map` in the result"
        );
    }

    void map_pooler(const server& s)
    {
        if (s.port == pooler_port)
            out_.patroni.address_map[format_address({s.host, usual_port})] = {s.host, pooler_port};
    }

    void tell_of_backups()
    {
        const auto is_backup = [](const server& s) { return s.options.backup; };
        if (!is_leader_only(asked_.demand.role) && std::ranges::any_of(back_.servers, is_backup))
            book_.refuse(
                back_.all_backups_number, "allbackups", "of several backups the first one is used"
            );
    }

    const proxy& back_;
    const endpoint& asked_;
    ledger& book_;
    cluster_settings out_;
    std::set<std::string>& told_;
    std::vector<said_options> options_;
    std::optional<milliseconds> interval_; // the shortest that was said
};

} // namespace

std::optional<cluster_settings>
patroni_cluster(const proxy& back, const endpoint& asked, std::set<std::string>& told, ledger& book)
{
    return pool_reader(back, asked, told, book).run();
}

} // namespace rolegate::config::haproxy
