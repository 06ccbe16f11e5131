// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/global.hpp"

#include "config/haproxy/directives.hpp"
#include "config/haproxy/number.hpp"

namespace rolegate::config::haproxy
{
namespace
{

void take_number(const line& l, std::size_t most, std::optional<std::size_t>& to, ledger& book)
{
    const auto number = parse_number(l.word(1));
    if (!number || *number > most)
        return book.refuse(l.number, l.text(), "expected a number up to " + std::to_string(most));
    book.use(l.number);
    to = *number > 0 ? std::optional(*number) : std::nullopt; // 0: as if it were not there
}

void take_stop_time(const line& l, settings& to, ledger& book)
{
    const auto time = parse_time(l.word(1));
    if (!time || *time > std::chrono::hours(24))
        return book.refuse(l.number, l.text(), "`shutdown_timeout` is 1d at most");
    book.use(l.number);
    to.shutdown_timeout = *time;
}

void take(const line& l, settings& to, base_paths& base, ledger& book)
{
    const std::string& word = l.words.front();
    if (word == "maxconn")
        return take_number(l, 1'000'000, to.maxconn, book);
    if (word == "hard-stop-after")
        return take_stop_time(l, to, book);
    if (word == "nbthread")
    {
        std::optional<std::size_t> threads;
        take_number(l, 1024, threads, book);
        if (threads)
            to.workers = static_cast<unsigned>(*threads);
        return;
    }
    if (word == "ca-base" || word == "crt-base")
    {
        (word == "ca-base" ? base.ca : base.crt) = l.word(1);
        return book.use(l.number);
    }
    if (word == "ssl-server-verify")
    {
        base.verify = l.word(1) != "none";
        return book.use(l.number);
    }
    if (const directive* known = find_global_directive(word); known != nullptr)
        return settle(l, *known, book);
    book.refuse(l.number, l.text(), "is not known to this import");
}

} // namespace

void read_global(const section& s, settings& to, base_paths& base, ledger& book)
{
    book.use(s.number);
    for (const line& l : s.lines)
        take(l, to, base, book);
}

} // namespace rolegate::config::haproxy
