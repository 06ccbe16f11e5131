// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/stats_page.hpp"

#include "config/address.hpp"
#include "config/haproxy/bind.hpp"
#include "config/haproxy/directives.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace rolegate::config::haproxy
{
namespace
{

bool is_exporter(const line& l)
{
    return l.words.front() == "http-request" && l.word(1) == "use-service" &&
           l.word(2) == "prometheus-exporter";
}

bool leads_somewhere(const line& l)
{
    constexpr std::array<std::string_view, 5> words{
        "server", "server-template", "default_backend", "use_backend", "dispatch"};
    return std::ranges::find(words, l.words.front()) != words.end();
}

bool is_page(const section& own)
{
    const auto shows = [](const line& l) { return l.words.front() == "stats" || is_exporter(l); };
    return own.kind != "backend" && std::ranges::any_of(own.lines, shows) &&
           std::ranges::none_of(own.lines, leads_somewhere);
}

void refuse_all(const section& own, std::string_view why, ledger& book)
{
    book.refuse(own.number, own.kind + " " + own.name, why);
    for (const line& l : own.lines)
        book.settle(l.number, verdict::refused);
}

// The names of a configuration, see yaml_reader::named().
bool is_name(std::string_view text)
{
    const auto legal = [](char c)
    {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '.' || c == '-';
    };
    return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, legal);
}

class page_reader
{
public:
    page_reader(const base_paths& base, admin_settings& to, ledger& book)
        : base_(base), to_(to), book_(book)
    {
    }

    void take(const line& l)
    {
        const std::string& word = l.words.front();
        if (word == "mode") // see mode_of()
            return;
        if (word == "bind")
            return take_bind(l);
        if (word == "stats")
            return take_stats(l);
        if (is_exporter(l))
            return book_.ignore(l.number, l.text(), "is at /metrics of the admin address anyway");
        if (word == "acl")
            return book_.ignore(l.number, l.text(), "who may come is said by `admin.users`");
        if (word.starts_with("http-"))
            return book_.refuse(l.number, l.text(), "who may come is said by `admin.users`");
        constexpr std::array<std::string_view, 6> harmless{
            "timeout", "option", "no", "maxconn", "balance", "retries"};
        if (std::ranges::find(harmless, word) != harmless.end())
            return book_.ignore(l.number, l.text(), "means nothing for the admin address");
        if (const directive* known = find_proxy_directive(word); known != nullptr)
            return settle(l, *known, book_);
        book_.refuse(l.number, l.text(), "is not known to this import");
    }

    [[nodiscard]] bool is_bound() const { return bound_; }

private:
    void take_bind(const line& l)
    {
        const bind_line bind = read_bind_line(l, base_, book_);
        for (const host_port& place : bind.places)
        {
            if (bound_)
            {
                book_.refuse(l.number, format_address(place), "there is one admin address");
                continue;
            }
            bound_ = true;
            to_.bind = place;
            const listener_tls& tls = bind.options.tls;
            if (tls.mode == tls_mode::terminate)
                to_.tls = admin_tls{tls.cert, tls.key, tls.ca};
        }
        if (bind.options.accept_proxy)
            book_.refuse(l.number, "accept-proxy", "not at the admin address");
    }

    void take_stats(const line& l)
    {
        const std::string& what = l.word(1);
        if (what == "auth")
            return take_user(l);
        if (what == "enable")
            return book_.use(l.number);
        if (what == "uri")
            return book_.ignore(
                l.number,
                l.text(),
                "the page is at /; the CSV is at /haproxy.csv and at any address with ;csv in it"
            );
        if (what == "admin")
            return book_.ignore(
                l.number, l.text(), "who may act is said by `admin.users`, and POST of /api does it"
            );
        constexpr std::array<std::string_view, 11> looks{
            "realm",
            "refresh",
            "hide-version",
            "show-node",
            "show-desc",
            "show-legends",
            "show-modules",
            "scope",
            "maxconn",
            "timeout",
            "bind-process"};
        if (std::ranges::find(looks, what) != looks.end())
            return book_.ignore(l.number, l.text(), "is about how HAProxy's page looks");
        book_.refuse(l.number, l.text(), "is not known to this import");
    }

    // stats auth NAME:PASSWORD, which no remark repeats
    void take_user(const line& l)
    {
        const std::string& text = l.word(2);
        const std::size_t colon = std::min(text.find(':'), text.size());
        const std::string name = text.substr(0, colon);
        const std::string password = text.substr(std::min(colon + 1, text.size()));
        const bool sound = !password.empty() && readable(password, password.size()) == password;
        if (!is_name(name) || !sound || password.starts_with('$'))
            return book_.refuse(
                l.number,
                "stats auth",
                "expected NAME:PASSWORD, the name of letters, digits and _ . -, the password "
                "without a dollar at its beginning"
            );
        book_.use(l.number);
        book_.note(
            l.number, "stats auth", "the password is in the result: `openssl passwd -6` hides it"
        );
        to_.users[name] = password;
        to_.require_user = user_rule::all; // as the page did
    }

    const base_paths& base_;
    admin_settings& to_;
    ledger& book_;
    bool bound_ = false;
};

} // namespace

void read_http_section(
    const section& own,
    const std::vector<const line*>& inherited,
    const base_paths& base,
    admin_settings& to,
    bool& taken,
    ledger& book
)
{
    if (!is_page(own))
        return refuse_all(own, "mode http: clients of HTTP are not led anywhere", book);
    if (taken)
        return refuse_all(own, "there is one admin address, which another section gives", book);
    taken = true;
    book.use(own.number);
    page_reader reader(base, to, book);
    for (const line* l : inherited)
        if (l->words.front() == "stats")
            reader.take(*l);
    for (const line& l : own.lines)
        reader.take(l);
    if (!reader.is_bound())
        book.refuse(own.number, own.kind + " " + own.name, "has no address to listen on");
}

} // namespace rolegate::config::haproxy
