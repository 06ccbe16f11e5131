// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/ledger.hpp"

#include "config/quote.hpp"

#include <algorithm>

namespace rolegate::config::haproxy
{
namespace
{

std::string in_quotes_unless_empty(std::string_view what)
{
    return what.empty() ? std::string() : quoted(what);
}

} // namespace

std::string to_string(const remark& r, std::string_view file)
{
    std::string out = std::string(file) + ":" + std::to_string(r.line) + ": ";
    switch (r.kind)
    {
    case remark_kind::note:
        out += "note: ";
        break;
    case remark_kind::ignored:
        out += "ignored: ";
        break;
    case remark_kind::refused:
        out += "refused: ";
        break;
    }
    return out + (r.what.empty() ? "" : r.what + ": ") + r.why;
}

void ledger::ignore(int line, std::string_view what, std::string_view why)
{
    settle(line, verdict::ignored);
    remarks_.insert({line, remark_kind::ignored, in_quotes_unless_empty(what), std::string(why)});
}

void ledger::refuse(int line, std::string_view what, std::string_view why)
{
    settle(line, verdict::refused);
    remarks_.insert({line, remark_kind::refused, in_quotes_unless_empty(what), std::string(why)});
}

void ledger::note(int line, std::string_view what, std::string_view why)
{
    remarks_.insert({line, remark_kind::note, in_quotes_unless_empty(what), std::string(why)});
}

void ledger::settle(int line, verdict v)
{
    const auto [at, is_new] = lines_.emplace(line, v);
    if (!is_new)
        at->second = std::max(at->second, v);
}

std::size_t ledger::count(verdict v) const
{
    const auto is_so = [v](const auto& entry) { return entry.second == v; };
    return static_cast<std::size_t>(std::ranges::count_if(lines_, is_so));
}

std::optional<verdict> ledger::of(int line) const
{
    const auto found = lines_.find(line);
    return found == lines_.end() ? std::nullopt : std::optional(found->second);
}

} // namespace rolegate::config::haproxy
