// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/basic_auth.hpp"

#include "health/dcs/base64.hpp"

#include <cctype>

namespace rolegate::proxy::admin
{

std::optional<credentials> parse_basic(std::string_view authorization)
{
    constexpr std::string_view scheme = "basic ";
    if (authorization.size() < scheme.size())
        return std::nullopt;
    for (std::size_t i = 0; i < scheme.size(); ++i)
        if (std::tolower(static_cast<unsigned char>(authorization[i])) != scheme[i])
            return std::nullopt;
    authorization.remove_prefix(scheme.size());
    const auto text = health::dcs::base64_decode(authorization);
    const auto colon = text ? text->find(':') : std::string::npos;
    if (colon == std::string::npos || colon == 0)
        return std::nullopt;
    return credentials{text->substr(0, colon), text->substr(colon + 1)};
}

std::string basic_header(const credentials& c)
{
    return "Basic " + health::dcs::base64_encode(c.user + ":" + c.password);
}

} // namespace rolegate::proxy::admin
