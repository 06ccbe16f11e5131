// SPDX-License-Identifier: PostgreSQL
#include "proxy/session_list.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace rolegate::proxy
{

bool is_older(const session_row& a, const session_row& b)
{
    return std::tie(b.age, a.id) < std::tie(a.age, b.id);
}

void merge(session_list& into, session_list from, std::size_t limit)
{
    into.total += from.total;
    auto& rows = into.rows;
    const auto own = static_cast<std::ptrdiff_t>(rows.size());
    std::ranges::move(from.rows, std::back_inserter(rows));
    std::inplace_merge(rows.begin(), rows.begin() + own, rows.end(), is_older);
    if (rows.size() > limit)
        rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(limit), rows.end());
}

} // namespace rolegate::proxy
