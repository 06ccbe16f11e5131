// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/check.hpp"

#include "config/haproxy/number.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace rolegate::config::haproxy
{
namespace
{

void take_option(const line& l, check_kind kind, health_check& to, ledger& book)
{
    if (to.number != 0 && to.kind != kind)
        book.ignore(to.number, to.option, "another check follows, and the last one holds");
    to.kind = kind;
    to.number = l.number;
    to.option = l.text();
    if (kind != check_kind::http)
        return;
    // option httpchk [[METHOD] URI [VERSION]]
    to.method = l.words.size() > 3 ? l.words[2] : "OPTIONS";
    to.uri = l.words.size() > 3 ? l.words[3] : l.words.size() > 2 ? l.words[2] : "/";
    to.has_header = l.word(4).find('\n') != std::string::npos || l.words.size() > 5;
}

bool is_http_detail(std::string_view word)
{
    constexpr std::array<std::string_view, 4> details{
        "disable-on-404", "send-state", "comment", "set-var"};
    return std::ranges::find(details, word) != details.end();
}

// http-check send [meth M] [uri U] [ver V] [hdr N V]* [body B] [comment C]
void take_send(const line& l, health_check& to, ledger& book)
{
    book.use(l.number);
    for (std::size_t i = 2; i < l.words.size(); i += 2)
    {
        const std::string& word = l.words[i];
        if (word == "meth")
            to.method = l.word(i + 1);
        else if (word == "uri")
            to.uri = l.word(i + 1);
        else if (word == "hdr")
        {
            to.has_header = true;
            ++i; // a header has two values
        }
        else if (word != "ver" && word != "comment")
            book.refuse(l.number, word + " " + l.word(i + 1), "no such request is sent");
    }
}

using status_ranges = std::vector<std::pair<unsigned, unsigned>>;

// "200", "200,201,300-310"; nullopt: something else.
std::optional<status_ranges> parse_statuses(std::string_view text)
{
    status_ranges out;
    while (true)
    {
        const std::string_view part = text.substr(0, text.find(','));
        const std::size_t dash = part.find('-');
        const auto first = parse_number(part.substr(0, dash));
        const auto last = dash == part.npos ? first : parse_number(part.substr(dash + 1));
        if (!first || !last || *first < 100 || *last > 599 || *first > *last)
            return std::nullopt;
        out.emplace_back(unsigned(*first), unsigned(*last));
        if (part.size() == text.size())
            return out;
        text.remove_prefix(part.size() + 1);
    }
}

// Regular expressions are not evaluated; these are the ones that people write.
std::optional<status_ranges> known_pattern(std::string_view text)
{
    constexpr std::array<std::string_view, 6> any_good{
        "(2|3)[0-9][0-9]", "[23][0-9][0-9]", "[23]..", "(2|3)..", "^[23]", "(2|3)[0-9]{2}"};
    constexpr std::array<std::string_view, 5> any_2xx{
        "2[0-9][0-9]", "2..", "^2", "^2[0-9][0-9]$", "2[0-9]{2}"};
    if (std::ranges::find(any_good, text) != any_good.end())
        return status_ranges{{200, 399}};
    if (std::ranges::find(any_2xx, text) != any_2xx.end())
        return status_ranges{{200, 299}};
    return parse_statuses(text);
}

// http-check expect [!] status LIST | rstatus PATTERN, with words of the log before it
void take_expect(const line& l, health_check& to, ledger& book)
{
    std::size_t i = 2;
    constexpr std::array<std::string_view, 9> with_value{
        "min-recv",
        "comment",
        "ok-status",
        "error-status",
        "tout-status",
        "on-success",
        "on-error",
        "status-code",
        "value"};
    while (std::ranges::find(with_value, l.word(i)) != with_value.end())
        i += 2;
    const bool negated = l.word(i) == "!";
    if (negated)
        ++i;
    const std::string& kind = l.word(i);
    const auto statuses = kind == "status"    ? parse_statuses(l.word(i + 1))
                          : kind == "rstatus" ? known_pattern(l.word(i + 1))
                                              : std::nullopt;
    if (!statuses)
        return book.refuse(
            l.number, l.text(2), "an answer is judged by its status, `200` or `200-399`"
        );
    book.use(l.number);
    to.statuses = *statuses;
    to.negated = negated;
    to.expect_number = l.number;
}

void take_http_rule(const line& l, health_check& to, ledger& book)
{
    const std::string& word = l.word(1);
    if (word == "send")
        take_send(l, to, book);
    else if (word == "expect")
        take_expect(l, to, book);
    else if (is_http_detail(word))
        book.ignore(l.number, l.text(), "is for the checked server or the log");
    else if (word == "connect" && (l.words.size() == 2 || l.text(2) == "default"))
        book.use(l.number);
    else
        book.refuse(l.number, l.text(), "a check is one request on one connection");
}

void take_tcp_rule(const line& l, ledger& book)
{
    if (l.word(1) == "comment" || (l.word(1) == "connect" && l.words.size() == 2))
        book.use(l.number);
    else
        book.refuse(l.number, l.text(), "nothing is sent or expected beyond a connection");
}

} // namespace

bool health_check::passes(unsigned status) const
{
    if (statuses.empty())
        return status >= 200 && status < 400;
    const bool listed = std::ranges::any_of(
        statuses, [status](const auto& r) { return r.first <= status && status <= r.second; }
    );
    return listed != negated;
}

bool take_check_line(const line& l, health_check& to, ledger& book)
{
    if (l.words.front() == "http-check")
        to.http_rules.push_back(&l);
    else if (l.words.front() == "tcp-check")
        to.tcp_rules.push_back(&l);
    else if (l.words.front() != "option")
        return false;
    else if (l.word(1) == "httpchk")
        take_option(l, check_kind::http, to, book);
    else if (l.word(1) == "tcp-check")
        take_option(l, check_kind::connect, to, book);
    else if (l.word(1) == "pgsql-check")
        take_option(l, check_kind::pgsql, to, book);
    else
        return false;
    return true;
}

void settle_check(health_check& check, ledger& book)
{
    if (check.number != 0 && check.kind != check_kind::pgsql) // see tcp_cluster()
        book.use(check.number);
    for (const line* rule : check.http_rules)
    {
        if (check.kind == check_kind::http)
            take_http_rule(*rule, check, book);
        else
            book.ignore(
                rule->number,
                rule->text(),
                "counts beside `option httpchk` only, in HAProxy as well"
            );
    }
    for (const line* rule : check.tcp_rules)
    {
        if (check.kind == check_kind::connect)
            take_tcp_rule(*rule, book);
        else
            book.ignore(rule->number, rule->text(), "counts beside `option tcp-check` only");
    }
}

} // namespace rolegate::config::haproxy
