// SPDX-License-Identifier: PostgreSQL
//
// Contract: any body is a ttl from one second to a day, or an error that says something.
#include "health/patroni/config_body.hpp"

#include "tests/fuzz/require.hpp"

using namespace rolegate::health;
using rolegate::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view body{reinterpret_cast<const char*>(data), size};
    const auto ttl = patroni::decode_ttl(body);
    if (ttl)
        require(*ttl >= std::chrono::seconds(1) && *ttl < std::chrono::hours(24));
    else
        require(!ttl.error().empty());
    return 0;
}
