// SPDX-License-Identifier: PostgreSQL
//
// What an operator asks of a worker's sessions: to be listed, or ended.
#include "proxy/worker.hpp"

#include <algorithm>

namespace rolegate::proxy
{

session_list worker::list(const session_query& q) const
{
    session_list out;
    for (const auto* list : {&waiting_, &relaying_})
        for (const auto& s : *list)
        {
            if ((!q.listener.empty() && s.listener().settings.name != q.listener) ||
                (!q.member.empty() && s.member() != q.member))
                continue;
            ++out.total;
            if (out.rows.size() < q.limit)
                out.rows.push_back(s.describe());
        }
    return out;
}

bool worker::kill(std::uint64_t id)
{
    bool found = false;
    const auto end = [&found, id](session& s)
    {
        if (s.id() != id)
            return;
        found = true;
        s.kill();
    };
    for_each_session(waiting_, end);
    if (!found)
        for_each_session(relaying_, end);
    return found;
}

} // namespace rolegate::proxy
