// SPDX-License-Identifier: PostgreSQL
//
// Contract: any body is a word within its bounds, or an error that says something.
#include "health/patroni/member_body.hpp"

#include "tests/fuzz/texts.hpp"

using namespace rolegate::health;
using namespace rolegate::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view body{reinterpret_cast<const char*>(data), size};
    const auto result = patroni::decode_member(body);
    if (!result)
    {
        require(!result.error().empty());
        return 0;
    }
    require(result == patroni::decode_member(body));

    const auto& word = *result;
    require(!word.timeline || *word.timeline > 0);
    require(!word.lsn || *word.lsn >= 0);
    require(word.state == patroni::state_from(word.state_text));
    require(word.role == patroni::role_from(word.role_text));
    require_printable({word.state_text, word.role_text, word.replication_state});
    require_printable({word.database_system_identifier, word.patroni_version});
    require_printable({word.scope, word.name});
    return 0;
}
