// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/proxy.hpp"

#include "config/haproxy/directives.hpp"
#include "config/haproxy/number.hpp"
#include "config/words.hpp"

#include <array>
#include <string_view>

namespace rolegate::config::haproxy
{
namespace
{

using namespace std::chrono_literals;

class proxy_reader
{
public:
    proxy_reader(const section& own, const base_paths& base, ledger& book)
        : base_(base), book_(book)
    {
        to_.kind = own.kind;
        to_.name = own.name;
        to_.number = own.number;
        to_.default_server.tls.verify = base.verify;
        for (const line& l : own.lines)
            to_.lines.push_back(l.number);
    }

    void take(const line& l)
    {
        if (l.words.front() == "mode") // see mode_of()
            return;
        if (take_check_line(l, to_.check, book_) || take_members(l) || take_setting(l) ||
            take_condition(l))
            return;
        if (const directive* known = find_proxy_directive(l.words.front()); known != nullptr)
            return settle(l, *known, book_);
        book_.refuse(l.number, l.text(), "is not known to this import");
    }

    proxy done()
    {
        settle_check(to_.check, book_);
        settle_backend();
        return std::move(to_);
    }

private:
    void refuse(const line& l, std::string_view why) { book_.refuse(l.number, l.text(), why); }

    bool take_members(const line& l)
    {
        const std::string& word = l.words.front();
        if (word == "bind")
            to_.binds.push_back(read_bind_line(l, base_, book_));
        else if (word == "default-server")
            read_default_server(l, to_.default_server, base_, book_);
        else if (word == "server" || word == "server-template")
        {
            auto made = read_one_server(l);
            if (made)
                to_.servers.push_back(std::move(*made));
            else
                ++to_.refused_servers;
        }
        else
            return false;
        return true;
    }

    std::optional<server> read_one_server(const line& l)
    {
        if (to_.servers.size() < most_servers)
            return read_server(l, to_.default_server, base_, book_);
        book_.refuse(l.number, l.word(1), "more servers than " + std::to_string(most_servers));
        return std::nullopt;
    }

    bool take_setting(const line& l)
    {
        const std::string& word = l.words.front();
        if (word == "timeout")
            take_timeout(l, l.word(1), l.word(2));
        else if (word == "clitimeout") // what they were called before 1.5
            take_timeout(l, "client", l.word(1));
        else if (word == "srvtimeout")
            take_timeout(l, "server", l.word(1));
        else if (word == "contimeout")
            take_timeout(l, "connect", l.word(1));
        else if (word == "balance")
            take_balance(l);
        else if (word == "maxconn")
            take_maxconn(l);
        else if (word == "option")
            take_option(l);
        else if (word == "no")
            take_no(l);
        else if (word.starts_with("clitcpka-") || word.starts_with("srvtcpka-"))
            take_keepalive(l, std::string_view(word).substr(9));
        else if (word == "source")
            take_source(l);
        else
            return false;
        return true;
    }

    bool take_condition(const line& l)
    {
        const std::string& word = l.words.front();
        if (word == "acl")
            add_rule(l, to_.access.acls);
        else if (word == "tcp-request")
            take_request_rule(l);
        else if (word == "default_backend")
        {
            book_.use(l.number);
            default_backend_ = &l;
        }
        else if (word == "use_backend")
            take_use_backend(l);
        else
            return false;
        return true;
    }

    // The first that holds, which one without a condition always does.
    void take_use_backend(const line& l)
    {
        if (use_backend_ != nullptr)
            return book_.ignore(l.number, l.text(), hidden_by(*use_backend_));
        if (l.words.size() > 2)
            return add_rule(l, to_.use_backends);
        book_.use(l.number);
        use_backend_ = &l;
    }

    // Wherever it stands, default_backend comes after them all.
    void settle_backend()
    {
        const line* which = use_backend_ != nullptr ? use_backend_ : default_backend_;
        if (which != nullptr)
            to_.default_backend = which->word(1);
        if (which != default_backend_ && default_backend_ != nullptr)
            book_.note(default_backend_->number, default_backend_->text(), hidden_by(*which));
    }

    static std::string hidden_by(const line& use_backend)
    {
        return "is never reached: line " + std::to_string(use_backend.number) +
               " has no condition and goes before it";
    }

    void add_rule(const line& l, std::vector<const line*>& to)
    {
        if (to.size() >= most_rules)
            return refuse(l, "more lines of that kind than " + std::to_string(most_rules));
        to.push_back(&l);
    }

    void take_request_rule(const line& l)
    {
        const bool accepts = l.word(2) == "accept" && l.words.size() == 3;
        if (l.word(1) == "inspect-delay" || (l.word(1) == "content" && accepts))
            return book_.ignore(l.number, l.text(), "clients' first packets are awaited anyway");
        add_rule(l, to_.access.rules);
    }

    void take_timeout(const line& l, const std::string& name, const std::string& text)
    {
        constexpr std::array<std::string_view, 8> ours{
            "connect", "client", "server", "check", "queue", "tunnel", "client-fin", "server-fin"};
        constexpr std::array<std::string_view, 5> of_http{
            "http-request", "http-keep-alive", "tarpit", "client-hs", "appsession"};
        if (std::ranges::find(of_http, name) != of_http.end())
            return book_.ignore(
                l.number, l.text(), "means nothing in mode tcp; see `timeouts.handshake`"
            );
        if (std::ranges::find(ours, name) == ours.end())
            return refuse(l, "is not known to this import");
        const auto time = parse_time(text);
        if (!time)
            return refuse(l, "expected a time such as 30s");
        book_.use(l.number);
        to_.timeouts[name] = {*time, l.number};
    }

    void take_balance(const line& l)
    {
        const std::string& name = l.word(1);
        to_.balance_number = l.number;
        if (const auto known =
                std::ranges::find(balance_words, name, &word<balance_algorithm>::text);
            known != balance_words.end())
            to_.balance = known->value;
        else if (name == "static-rr")
        {
            to_.balance = balance_algorithm::roundrobin;
            book_.note(l.number, name, "becomes roundrobin, whose weights may change at run time");
        }
        else if (name.starts_with("random("))
        {
            to_.balance = balance_algorithm::random;
            if (name != "random(2)")
                book_.note(l.number, name, "two members are drawn");
        }
        else
            return refuse(
                l, "is none of roundrobin, leastconn, random, first, source; roundrobin is taken"
            );
        book_.use(l.number);
    }

    void take_maxconn(const line& l)
    {
        const auto number = parse_number(l.word(1));
        if (!number || *number > 1'000'000)
            return refuse(l, "expected a number of clients, up to 1000000");
        book_.use(l.number);
        to_.maxconn = *number > 0 ? std::optional(*number) : std::nullopt;
    }

    void take_option(const line& l)
    {
        if (l.word(1) == "allbackups")
        {
            book_.use(l.number);
            to_.all_backups_number = l.number;
        }
        else if (const directive* known = find_option(l.word(1)); known != nullptr)
            settle(l, *known, book_);
        else
            refuse(l, "is not known to this import");
    }

    void take_no(const line& l)
    {
        if (l.word(1) == "option" && l.word(2) == "allbackups")
            to_.all_backups_number = 0;
        if (l.word(1) == "log" || (l.word(1) == "option" && find_option(l.word(2)) != nullptr) ||
            l.word(2) == "allbackups")
            return book_.ignore(l.number, l.text(), "is so by default, or means nothing here");
        refuse(l, "is not known to this import");
    }

    // Whole seconds, which is also what a bare number is.
    void take_keepalive(const line& l, std::string_view what)
    {
        const auto bare = parse_number(l.word(1));
        if (what == "cnt")
        {
            if (!bare || *bare < 1 || *bare > 127)
                return refuse(l, "expected a number from 1 to 127");
            to_.keepalive.count = static_cast<int>(*bare);
            return book_.use(l.number);
        }
        const auto time = parse_time(bare ? l.word(1) + "s" : l.word(1));
        if ((what != "idle" && what != "intvl") || !time || *time < 1s || *time > 32767s ||
            *time % 1s != 0ms)
            return refuse(l, "expected whole seconds from 1s to 32767s");
        (what == "idle" ? to_.keepalive.idle : to_.keepalive.interval) = *time;
        book_.use(l.number);
    }

    void take_source(const line& l)
    {
        if (l.words.size() == 2 && (l.word(1) == "0.0.0.0" || l.word(1) == "*"))
            return book_.ignore(l.number, l.text(), "is so by default");
        refuse(l, "the system chooses the address to connect from");
    }

    const base_paths& base_;
    ledger& book_;
    const line* use_backend_ = nullptr; // without a condition, the first
    const line* default_backend_ = nullptr;
    proxy to_;
};

} // namespace

std::string mode_of(const section& own, const std::vector<const line*>& inherited, ledger& book)
{
    std::string mode = "tcp";
    const auto take = [&](const line& l)
    {
        if (l.words.front() != "mode")
            return;
        book.use(l.number);
        mode = l.word(1);
    };
    for (const line* l : inherited)
        take(*l);
    for (const line& l : own.lines)
        take(l);
    return mode;
}

proxy read_proxy(
    const section& own,
    const std::vector<const line*>& inherited,
    const base_paths& base,
    ledger& book
)
{
    proxy_reader reader(own, base, book);
    for (const line* l : inherited)
        reader.take(*l);
    for (const line& l : own.lines)
        reader.take(l);
    return reader.done();
}

} // namespace rolegate::config::haproxy
