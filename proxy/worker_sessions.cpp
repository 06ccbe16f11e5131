// SPDX-License-Identifier: PostgreSQL
//
// What an operator asks of a worker's sessions: to be listed, or ended.
#include "proxy/worker.hpp"

#include <algorithm>

namespace rolegate::proxy
{

namespace
{

bool came_before(const session* a, const session* b)
{
    return std::pair(a->accepted(), a->id()) < std::pair(b->accepted(), b->id());
}

} // namespace

session_list worker::list(const session_query& q) const
{
    std::vector<const session*> found;
    for (const auto* list : {&waiting_, &relaying_})
        for (const auto& s : *list)
            if ((q.listener.empty() || s.listener().settings.name == q.listener) &&
                (q.member.empty() || s.member() == q.member))
                found.push_back(&s);
    session_list out;
    out.total = found.size();
    // Chosen before they are put into words: that is what costs.
    const auto shown = found.begin() + static_cast<std::ptrdiff_t>(std::min(q.limit, found.size()));
    std::partial_sort(found.begin(), shown, found.end(), came_before);
    const auto now = session::time_point::clock::now();
    out.rows.reserve(static_cast<std::size_t>(shown - found.begin()));
    for (auto it = found.begin(); it != shown; ++it)
        out.rows.push_back((*it)->describe(now));
    // Among those of the same millisecond the order is another one.
    std::ranges::sort(out.rows, is_older);
    return out;
}

kill_result worker::kill(std::uint64_t id)
{
    auto result = kill_result::unknown;
    const auto end = [&result, id](session& s)
    {
        if (s.id() == id)
            result = s.kill() ? kill_result::killed : kill_result::ending;
    };
    for_each_session(waiting_, end);
    if (result == kill_result::unknown)
        for_each_session(relaying_, end);
    return result;
}

} // namespace rolegate::proxy
