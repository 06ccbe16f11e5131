// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/section.hpp"

#include "config/haproxy/environment.hpp"
#include "config/quote.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace rolegate::config::haproxy
{
namespace
{

struct other_section
{
    std::string_view kind;
    verdict what;
    std::string_view why;
};

constexpr std::string_view for_http = "is for HTTP, and nothing of that is led through";
constexpr std::string_view for_logs = "is for HAProxy's log; ours goes to stderr, see `log`";

// Sections that lead no client anywhere.
constexpr std::array<other_section, 15> other_sections{{
    {"resolvers",
     verdict::ignored,
     "names are asked of the system's resolver, again and again, and the last good answer is kept"},
    {"peers", verdict::ignored, "there is no stick-table to tell others of"},
    {"userlist", verdict::ignored, for_http},
    {"mailers",
     verdict::ignored,
     "no mail is sent; deploy/prometheus-alerts.yaml has alerts for Prometheus"},
    {"cache", verdict::ignored, for_http},
    {"http-errors", verdict::ignored, for_http},
    {"fcgi-app", verdict::ignored, for_http},
    {"ring", verdict::ignored, for_logs},
    {"log-forward", verdict::refused, "messages of syslog are not passed on"},
    {"log-profile", verdict::ignored, for_logs},
    {"traces", verdict::ignored, for_logs},
    {"program", verdict::refused, "no other program is started: let systemd do it"},
    {"crt-store", verdict::refused, "certificates are named by `tls` of a listener"},
    {"acme", verdict::refused, "certificates are got by another program"},
    {"dynamic-update", verdict::refused, "members come and go as Patroni says"},
}};

const other_section* find_other(std::string_view kind)
{
    const auto found = std::ranges::find(other_sections, kind, &other_section::kind);
    return found == other_sections.end() ? nullptr : &*found;
}

bool opens_ours(std::string_view word)
{
    constexpr std::array<std::string_view, 5> kinds{
        "global", "defaults", "listen", "frontend", "backend"};
    return std::ranges::find(kinds, word) != kinds.end();
}

class section_reader
{
public:
    section_reader(const variables& outside, ledger& book) : environment_(outside), book_(book) {}

    void take(int number, std::string_view text)
    {
        split_line parts =
            split(text, [this](const std::string& name) { return environment_.find(name); });
        if (!parts.error.empty())
            return refuse_unreadable(number, text, parts.error);
        if (parts.words.empty())
            return;
        line l{number, std::move(parts.words)};
        if (l.words.front().starts_with('.') || conditions_ > 0)
            return take_macro(l);
        if (opens_ours(l.words.front()))
            return open(std::move(l));
        if (const other_section* other = find_other(l.words.front()); other != nullptr)
            return open_other(l, *other);
        take_content(std::move(l));
    }

    std::vector<section> done() { return std::move(sections_); }

private:
    void refuse_unreadable(int number, std::string_view text, std::string_view why)
    {
        // The first word alone: there may be a password behind it.
        text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
        book_.refuse(number, text.substr(0, text.find_first_of(" \t\"'\\")), why);
    }

    // .if and its like; what stands between holds or not, who knows.
    void take_macro(const line& l)
    {
        const std::string& word = l.words.front();
        if (word == ".notice" || word == ".warning" || word == ".alert" || word == ".diag")
            return book_.ignore(l.number, l.text(), "is a message of HAProxy's");
        if (word == ".if")
            ++conditions_;
        else if (word == ".endif" && conditions_ > 0)
            --conditions_;
        else if (!word.starts_with('.'))
            return book_.settle(l.number, verdict::refused);
        book_.refuse(
            l.number,
            l.text(),
            "conditions are not evaluated: leave in the file what holds, and nothing else"
        );
    }

    void open(line l)
    {
        skipped_.reset();
        const std::string& kind = l.words.front();
        section s{kind, l.word(1), {}, l.number, {}};
        std::size_t next = s.name.empty() ? 1 : 2;
        if (kind == "defaults" && s.name == "from") // without a name of its own
        {
            s.name.clear();
            next = 1;
        }
        if (l.word(next) == "from")
        {
            s.from = l.word(next + 1);
            next += 2;
        }
        std::string why;
        if (sections_.size() >= most_sections)
            why = "more sections than " + std::to_string(most_sections);
        else if (kind == "global")
            next = l.words.size();
        else if (s.is_proxy() && s.name.empty())
            why = "needs a name";
        else if (next < l.words.size())
            why = "HAProxy takes addresses on a line of their own: bind " + l.word(next);
        if (!why.empty())
        {
            book_.refuse(l.number, l.text(), why);
            skipped_ = verdict::refused;
            return;
        }
        sections_.push_back(std::move(s));
    }

    void open_other(const line& l, const other_section& other)
    {
        skipped_ = other.what;
        const auto what = "section " + l.text();
        if (other.what == verdict::ignored)
            book_.ignore(l.number, what, other.why);
        else
            book_.refuse(l.number, what, other.why);
    }

    void take_content(line l)
    {
        if (skipped_)
            return book_.settle(l.number, *skipped_);
        if (sections_.empty())
            return book_.refuse(l.number, l.text(), "stands outside of any section");
        section& s = sections_.back();
        if (s.kind == "global" && environment_.take(l))
            return book_.use(l.number);
        s.lines.push_back(std::move(l));
    }

    changed_environment environment_;
    ledger& book_;
    std::vector<section> sections_;
    std::optional<verdict> skipped_; // of the lines of the section that we are in
    int conditions_ = 0;             // .if that we are in
};

// The section of defaults that `all[index]` is built on, or all.size(). Only those before it count,
// so that there is no circle.
std::size_t base_of(const std::vector<section>& all, std::size_t index, ledger& book)
{
    const section& s = all[index];
    for (std::size_t i = index; i-- > 0;)
    {
        if (all[i].kind != "defaults")
            continue;
        if (s.from.empty() ? s.kind != "defaults" : all[i].name == s.from)
            return i;
    }
    if (!s.from.empty())
        book.refuse(
            s.number,
            s.kind + " " + s.name,
            "there are no defaults " + quoted(s.from) + " before it"
        );
    return all.size();
}

} // namespace

const std::string& line::word(std::size_t index) const noexcept
{
    static const std::string none;
    return index < words.size() ? words[index] : none;
}

std::string line::text(std::size_t first) const
{
    std::string out;
    for (std::size_t i = first; i < words.size(); ++i)
        out += (i == first ? "" : " ") + words[i];
    return out;
}

std::vector<section>
read_sections(std::string_view text, const variables& environment, ledger& book)
{
    section_reader reader(environment, book);
    for (int number = 1; !text.empty(); ++number)
    {
        const std::size_t end = std::min(text.find('\n'), text.size());
        reader.take(number, text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return reader.done();
}

std::vector<const line*>
inherited_lines(const std::vector<section>& all, std::size_t index, ledger& book)
{
    std::vector<const section*> bases;
    std::size_t count = 0;
    for (std::size_t i = base_of(all, index, book); i < all.size(); i = base_of(all, i, book))
    {
        book.use(all[i].number);
        count += all[i].lines.size();
        if (count > most_inherited)
        {
            book.refuse(
                all[index].number,
                all[index].kind + " " + all[index].name,
                "its defaults have more lines than " + std::to_string(most_inherited)
            );
            break;
        }
        bases.push_back(&all[i]);
    }
    std::vector<const line*> out;
    for (auto base = bases.rbegin(); base != bases.rend(); ++base)
        for (const line& l : (*base)->lines)
            out.push_back(&l);
    return out;
}

} // namespace rolegate::config::haproxy
