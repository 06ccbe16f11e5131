// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/import.hpp"

#include "config/address.hpp"
#include "config/haproxy/access.hpp"
#include "config/haproxy/destination.hpp"
#include "config/haproxy/fallback.hpp"
#include "config/haproxy/global.hpp"
#include "config/haproxy/listeners.hpp"
#include "config/haproxy/stats_page.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace rolegate::config::haproxy
{
namespace
{

// Sections in mode tcp that are looked at: all that take clients, and the backends they name.
class translation
{
public:
    translation(const std::vector<section>& sections, import_result& out)
        : sections_(sections), out_(out), book_(out.book),
          destinations_(out.value.clusters, out.book)
    {
    }

    void run()
    {
        for (const section& s : sections_)
            if (s.kind == "global")
                read_global(s, out_.value, base_, book_);
        for (std::size_t i = 0; i < sections_.size(); ++i)
            if (sections_[i].is_proxy() && sections_[i].kind != "backend")
                read_front(i);
        for (const proxy& front : fronts_)
            if (const proxy* back = back_of(front); back != nullptr)
                destinations_.learn(*back);
        for (const proxy& front : fronts_)
            lead(front);
        drop_strays();
        settle_admin();
        settle_rest();
    }

private:
    static bool is_disabled(const section& s)
    {
        return std::ranges::any_of(
            s.lines, [](const line& l) { return l.words.front() == "disabled"; }
        );
    }

    void skip(const section& s, std::string_view why)
    {
        book_.ignore(s.number, s.kind + " " + s.name, why);
        for (const line& l : s.lines)
            book_.settle(l.number, verdict::ignored);
    }

    void read_front(std::size_t index)
    {
        const section& s = sections_[index];
        if (is_disabled(s))
            return skip(s, "is disabled");
        const auto inherited = inherited_lines(sections_, index, book_);
        if (mode_of(s, inherited, book_) != "tcp")
            return read_http_section(s, inherited, base_, out_.value.admin, has_page_, book_);
        book_.use(s.number);
        fronts_.push_back(read_proxy(s, inherited, base_, book_));
    }

    // nullptr: there is no such backend, or none that can be used.
    const proxy* find_back(const std::string& name)
    {
        const auto known = backs_.find(name);
        if (known != backs_.end())
            return known->second ? &*known->second : nullptr;
        auto& made = backs_[name];
        for (std::size_t i = 0; i < sections_.size() && !made; ++i)
        {
            const section& s = sections_[i];
            if (s.name != name || !s.is_proxy() || s.kind == "frontend" || is_disabled(s))
                continue;
            const auto inherited = inherited_lines(sections_, i, book_);
            if (mode_of(s, inherited, book_) != "tcp")
                return nullptr;
            book_.use(s.number);
            made = read_proxy(s, inherited, base_, book_);
            refuse_rules(*made);
        }
        return made ? &*made : nullptr;
    }

    // Who may come is said by the section that takes clients; a listen is one itself.
    void refuse_rules(const proxy& back)
    {
        if (back.kind != "listen")
            refuse_access(
                back.access,
                "a backend judges no client: `allow` belongs to the section with `bind`",
                book_
            );
    }

    // A listen has a backend of its own, unless it names another.
    const proxy* back_of(const proxy& front)
    {
        if (front.default_backend.empty())
            return front.kind == "listen" ? &front : nullptr;
        return find_back(front.default_backend);
    }

    void refuse(const proxy& front, std::string_view why)
    {
        book_.refuse(front.number, front.kind + " " + front.name, why);
    }

    void lead(const proxy& front)
    {
        const proxy* back = back_of(front);
        if (back == nullptr)
            return refuse(
                front,
                front.default_backend.empty() ? "leads to no backend"
                                              : "there is no such backend in mode tcp"
            );
        const auto to = destinations_.of(*back);
        if (!to)
            return;
        destination with_fallback = *to;
        access_rules access = front.access;
        const auto others = take_fallback(front, *back, with_fallback, access);
        const bool is_proxied = std::ranges::any_of(
            front.binds, [](const bind_line& b) { return b.options.accept_proxy; }
        );
        const auto allow = allowed_networks(access, others, is_proxied, book_);
        for (listener_settings& l : listeners_of(front, *back, with_fallback, names_, book_))
        {
            l.allow = allow;
            out_.value.listeners.push_back(std::move(l));
            tell_of_maxconn(*back);
        }
    }

    // To be told of each listener that leads there.
    void tell_of_maxconn(const proxy& back)
    {
        const bool is_second = ++led_to_[back.number] == 2;
        const auto is_limited = [](const server& s) { return s.options.maxconn.has_value(); };
        if (is_second && std::ranges::any_of(back.servers, is_limited))
            book_.note(
                back.number,
                back.kind + " " + back.name,
                "the `maxconn` of its servers holds for all who come to it; here for each of the "
                "listeners that lead there"
            );
    }

    // What was looked at, and then nobody was led to.
    void drop_strays()
    {
        std::set<std::string_view> named;
        for (const listener_settings& l : out_.value.listeners)
            named.insert(l.cluster);
        std::erase_if(out_.value.clusters, [&](const auto& c) { return !named.contains(c.name); });
    }

    // The rules that remain, refused.
    std::vector<const line*>
    take_fallback(const proxy& front, const proxy& back, destination& to, access_rules& access)
    {
        std::vector<const line*> others;
        for (const line* rule : front.use_backends)
        {
            if (is_fallback(*rule, front, back, to))
            {
                book_.use(rule->number);
                to.demand.fallback_primary = true;
                settle_tests(*rule, access);
                continue;
            }
            others.push_back(rule);
            book_.refuse(
                rule->number,
                rule->text(),
                "no backend is chosen by a condition; see `match`, `prefer` and `fallback`"
            );
        }
        return others;
    }

    bool is_fallback(const line& rule, const proxy& front, const proxy& back, const destination& to)
    {
        if (to.is_tcp || !is_replica_only(to.demand.role) ||
            !means_nobody_left(rule, front.access.acls, back.name))
            return false;
        const proxy* primary = find_back(rule.word(1));
        if (primary == nullptr)
            return false;
        const auto there = destinations_.of(*primary);
        return there && there->cluster == to.cluster &&
               there->demand.role == listener_role::primary;
    }

    // The test of a rule that was taken is no other rule's business.
    void settle_tests(const line& rule, access_rules& access)
    {
        std::erase_if(
            access.acls,
            [&](const line* acl)
            {
                const bool is_its = std::ranges::any_of(
                    rule.words,
                    [acl](const std::string& w)
                    { return w == acl->word(1) || w == "!" + acl->word(1); }
                );
                if (is_its)
                    book_.use(acl->number);
                return is_its;
            }
        );
    }

    // Without a page the admin address is ours by default, where a listener may be already.
    void settle_admin()
    {
        host_port& admin = out_.value.admin.bind;
        const auto is_taken = [&](const listener_settings& l)
        {
            return std::ranges::any_of(
                l.bind,
                [&admin](const host_port& b)
                { return b.port == admin.port && family_of(b) == address_family::ipv4; }
            );
        };
        while (!has_page_ && std::ranges::any_of(out_.value.listeners, is_taken) &&
               admin.port < 65535)
            ++admin.port;
    }

    // What nobody has come to.
    void settle_rest()
    {
        for (const section& s : sections_)
        {
            if (!book_.of(s.number))
                book_.ignore(
                    s.number,
                    s.kind + (s.name.empty() ? "" : " " + s.name),
                    s.kind == "backend" ? "no section leads there" : "no section takes it over"
                );
            for (const line& l : s.lines)
                if (!book_.of(l.number))
                    settle_rest(s, l);
        }
    }

    // The first word alone: there may be a password behind it.
    void settle_rest(const section& s, const line& l)
    {
        if (book_.of(s.number) == verdict::used)
            book_.ignore(l.number, l.words.front(), "nothing that is taken over asks for it");
        else
            book_.settle(l.number, verdict::ignored);
    }

    const std::vector<section>& sections_;
    import_result& out_;
    ledger& book_;
    base_paths base_;
    destinations destinations_;
    names names_;
    std::vector<proxy> fronts_;
    std::map<std::string, std::optional<proxy>> backs_;
    std::map<int, int> led_to_; // listeners, by the number of a backend
    bool has_page_ = false;
};

} // namespace

import_result import_text(std::string_view text, const variables& environment)
{
    import_result out;
    const std::vector<section> sections = read_sections(text, environment, out.book);
    translation(sections, out).run();
    return out;
}

} // namespace rolegate::config::haproxy
