// SPDX-License-Identifier: PostgreSQL
//
// Contract: what is read as a duration or a size is not negative, and a duration is printed in a
// form that reads back.
#include "config/units.hpp"

#include "tests/fuzz/require.hpp"

using namespace rolegate::config;
using rolegate::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    if (const auto d = parse_duration(text))
    {
        require(d->count() >= 0 && d->count() <= 0xffffffffLL);
        require(parse_duration(format_duration(*d)) == d);
    }
    if (const auto s = parse_size(text))
        require(*s >= 0);
    return 0;
}
