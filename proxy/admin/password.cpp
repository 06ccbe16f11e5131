// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/password.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <string_view>

#include <crypt.h>

namespace rolegate::proxy::admin
{

namespace
{

constexpr std::array<std::string_view, 3> hash_prefixes{"$5$", "$6$", "$y$"};

bool is_hash(const std::string& kept)
{
    return std::ranges::any_of(hash_prefixes, [&](auto p) { return kept.starts_with(p); });
}

// "" = it cannot be made.
std::string hash_of(const std::string& password, const std::string& setting)
{
    const auto room = std::make_unique<crypt_data>(); // 32 KiB
    const char* hash = ::crypt_r(password.c_str(), setting.c_str(), room.get());
    return hash && *hash != '*' ? hash : "";
}

// As long as `a` is, whatever `b` is.
bool equal(std::string_view a, std::string_view b)
{
    unsigned differs = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < a.size(); ++i)
    {
        const char other = b.empty() ? '\0' : b[i % b.size()];
        differs |= static_cast<unsigned>(a[i] ^ other) & 0xffU;
    }
    return differs == 0;
}

} // namespace

bool is_password(const std::string& given, const std::string& kept)
{
    // C's strings end with a zero: what is behind it would not count.
    if (kept.empty() || given.find('\0') != std::string::npos)
        return false;
    if (!is_hash(kept))
        return equal(given, kept);
    const auto hash = hash_of(given, kept);
    return !hash.empty() && equal(hash, kept);
}

const std::string&
kept_for(const std::map<std::string, std::string>& users, const std::string& user, std::size_t any)
{
    const auto found = users.find(user);
    if (found != users.end())
        return found->second;
    return std::next(users.begin(), static_cast<std::ptrdiff_t>(any % users.size()))->second;
}

} // namespace rolegate::proxy::admin
