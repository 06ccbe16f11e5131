// SPDX-License-Identifier: PostgreSQL
#include "config/warnings.hpp"

#include "config/address.hpp"

namespace rolegate::config
{

std::vector<finding> warnings(const settings& s)
{
    std::vector<finding> out;
    const auto& admin = s.admin;
    if (!admin.users.empty() && !admin.tls && !admin.bind.is_unix() && !is_loopback(admin.bind))
        out.push_back(
            {{"admin/bind", "admin/users"},
             "passwords of 'users' cross the network in clear text: add 'tls', or bind a loopback "
             "address or a unix socket"}
        );
    return out;
}

} // namespace rolegate::config
