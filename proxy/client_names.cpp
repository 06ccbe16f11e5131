// SPDX-License-Identifier: PostgreSQL
#include "proxy/client_names.hpp"

#include "proxy/pgwire/startup_message.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace rolegate::proxy
{

namespace
{

constexpr std::size_t longest_name = 63; // NAMEDATALEN - 1

// Bytes of the UTF-8 character that `text` begins with; 0: it begins with none. Without the last
// word on surrogates and overlong forms, which readers of JSON let pass or replace.
std::size_t character_size(std::string_view text)
{
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t size = first < 0x80U                      ? 1
                             : first >= 0xc2U && first < 0xe0U  ? 2
                             : first >= 0xe0U && first < 0xf0U  ? 3
                             : first >= 0xf0U && first <= 0xf4U ? 4
                                                                : 0;
    if (size == 0 || size > text.size())
        return 0;
    const auto follows = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; };
    return std::ranges::all_of(text.substr(1, size - 1), follows) ? size : 0;
}

std::string readable(std::string_view name)
{
    std::string out;
    for (std::size_t i = 0; i < name.size();)
    {
        const auto size = character_size(name.substr(i));
        if (out.size() + std::max<std::size_t>(size, 1) > longest_name)
            break;
        const bool control = size == 1 && (name[i] < 0x20 || name[i] == 0x7f);
        if (size == 0 || control)
            out += '?';
        else
            out += name.substr(i, size);
        i += std::max<std::size_t>(size, 1);
    }
    return out;
}

} // namespace

void client_names::remember(pgwire::bytes startup)
{
    const auto user = pgwire::startup_parameter(startup, "user");
    if (!user)
        return text_.reset();
    const auto database = pgwire::startup_parameter(startup, "database").value_or("");
    const auto first = readable(*user);
    const auto second = readable(database.empty() ? *user : database);
    text_ = std::make_unique<char[]>(first.size() + second.size() + 2);
    std::memcpy(text_.get(), first.c_str(), first.size() + 1);
    std::memcpy(text_.get() + first.size() + 1, second.c_str(), second.size() + 1);
}

std::string client_names::user() const
{
    return text_ ? text_.get() : "";
}

std::string client_names::database() const
{
    return text_ ? text_.get() + std::strlen(text_.get()) + 1 : "";
}

} // namespace rolegate::proxy
