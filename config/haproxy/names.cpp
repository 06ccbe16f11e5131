// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/names.hpp"

#include <cstddef>

namespace rolegate::config::haproxy
{
namespace
{

// Of a name, see yaml_reader::named(); leaves room for a number behind it.
constexpr std::size_t longest = 56;

bool is_legal(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

} // namespace

std::string names::take(std::string_view wanted)
{
    std::string base;
    for (const char c : wanted.substr(0, longest))
        base += is_legal(c) ? c : '_';
    std::string name = base;
    for (int i = 2; !taken_.insert(name).second; ++i)
        name = base + "-" + std::to_string(i);
    return name;
}

} // namespace rolegate::config::haproxy
