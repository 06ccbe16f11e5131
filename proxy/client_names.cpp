// SPDX-License-Identifier: PostgreSQL
#include "proxy/client_names.hpp"

#include "config/utf8.hpp"
#include "proxy/pgwire/startup_message.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace rolegate::proxy
{

namespace
{

constexpr std::size_t longest_name = 63; // NAMEDATALEN - 1

} // namespace

void client_names::remember(pgwire::bytes startup)
{
    const auto user = pgwire::startup_parameter(startup, "user");
    if (!user)
        return text_.reset();
    const auto database = pgwire::startup_parameter(startup, "database").value_or("");
    const auto first = config::readable(*user, longest_name);
    const auto second = config::readable(database.empty() ? *user : database, longest_name);
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
