// SPDX-License-Identifier: PostgreSQL
#include "proxy/unusable_files.hpp"

#include "health/http_connection.hpp"
#include "proxy/admin/doorway.hpp"
#include "proxy/listener_tls.hpp"

#include <exception>

namespace rolegate::proxy
{

std::vector<std::string> unusable_files(const config::settings& settings)
{
    std::vector<std::string> found;
    const auto attempt = [&found](const std::string& where, const auto& make)
    {
        try
        {
            static_cast<void>(make());
        }
        catch (const std::exception& e)
        {
            found.push_back(where + e.what());
        }
    };
    attempt("", [&settings] { return admin::make_tls(settings.admin.tls); });
    for (const auto& l : settings.listeners)
        attempt("", [&l] { return make_tls_contexts(l); });
    for (const auto& c : settings.clusters)
    {
        const auto where = "cluster '" + c.name + "': ";
        if (const auto& tls = c.patroni.tls)
            attempt(where, [&tls] { return health::make_tls_context(*tls, "patroni.tls"); });
        if (c.dcs && c.dcs->tls)
            attempt(where, [&c] { return health::make_tls_context(*c.dcs->tls, "dcs.tls"); });
    }
    return found;
}

} // namespace rolegate::proxy
