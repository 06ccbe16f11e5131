// SPDX-License-Identifier: PostgreSQL
#include "proxy/session_list.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace rolegate::proxy
{

bool is_older(const session_row& a, const session_row& b)
{
    return std::tie(b.age, a.id) < std::tie(a.age, b.id);
}

// Each row is moved once, however many workers there are.
session_list merged(std::vector<session_list> parts, std::size_t limit)
{
    struct rest
    {
        session_row* next;
        session_row* end;
    };
    const auto younger = [](const rest& a, const rest& b) { return is_older(*b.next, *a.next); };
    session_list all;
    std::vector<rest> rests; // a heap
    std::size_t rows = 0;
    for (auto& part : parts)
    {
        all.total += part.total;
        rows += part.rows.size();
        if (!part.rows.empty())
            rests.push_back({part.rows.data(), part.rows.data() + part.rows.size()});
    }
    all.rows.reserve(std::min(rows, limit));
    std::ranges::make_heap(rests, younger);
    while (!rests.empty() && all.rows.size() < limit)
    {
        std::ranges::pop_heap(rests, younger);
        auto& oldest = rests.back();
        all.rows.push_back(std::move(*oldest.next++));
        if (oldest.next == oldest.end)
            rests.pop_back();
        else
            std::ranges::push_heap(rests, younger);
    }
    return all;
}

} // namespace rolegate::proxy
