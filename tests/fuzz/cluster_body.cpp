// SPDX-License-Identifier: PostgreSQL
//
// Contract: any body is a listing with named members and at most one holder of the lock, or an
// error that says something.
#include "health/patroni/cluster_body.hpp"

#include "tests/fuzz/texts.hpp"

#include <set>

using namespace rolegate::health;
using namespace rolegate::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view body{reinterpret_cast<const char*>(data), size};
    const auto result = patroni::decode_cluster(body);
    if (!result)
    {
        require(!result.error().empty());
        return 0;
    }
    require(result == patroni::decode_cluster(body));

    std::set<std::string_view> names;
    int holders = 0;
    for (const auto& m : result->members)
    {
        require(!m.name.empty() && names.insert(m.name).second);
        holders += m.holds_lock ? 1 : 0;
        require(!m.holds_lock || m.role != member_role::replica);
        require(!m.timeline || *m.timeline > 0);
        require(!m.lag_bytes || *m.lag_bytes >= 0);
        require_printable({m.name, m.role_text, m.state_text, m.host, m.api_url});
    }
    require(holders <= 1);
    require(names.size() <= patroni::max_members);
    require_printable({result->scope});
    return 0;
}
