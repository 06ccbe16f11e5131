// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/reload_text.hpp"

#include "proxy/cli/format.hpp"
#include "proxy/cli/json_text.hpp"

#include <boost/json/parse.hpp>

namespace rolegate::proxy::cli
{

namespace
{

// Texts of others, from the file and the proxy.
std::string lines(const json::value& from, const char* key, const char* end)
{
    std::string all;
    for (const auto& line : array_at(from, key))
        all += printable(text(line)) + end + "\n";
    return all;
}

} // namespace

std::string reload_text(const std::string& body)
{
    const auto answer = json::parse(body);
    const auto all =
        lines(answer, "changes", "") + lines(answer, "needs_restart", " (needs a restart)");
    return (all.empty() ? "nothing has changed; certificates are read again\n" : all) +
           lines(answer, "waiting", "");
}

std::string problems_text(const std::string& body)
{
    const auto answer = json::parse(body);
    return lines(answer, "problems", "") + "nothing has changed\n";
}

} // namespace rolegate::proxy::cli
