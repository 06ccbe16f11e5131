// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/operations.hpp"

#include "proxy/cli/format.hpp"
#include "proxy/cli/json_text.hpp"

#include <boost/json/parse.hpp>

namespace rolegate::proxy::cli
{

std::string sessions_table(const std::string& json_text)
{
    const auto told = json::parse(json_text);
    std::vector<row> rows{
        {"ID", "CLIENT", "LISTENER", "MEMBER", "USER", "DATABASE", "STATE", "AGE", "IN", "OUT"}};
    const auto& sessions = array_at(told, "sessions");
    for (const auto& s : sessions)
        rows.push_back(
            {text_at(s, "id"),
             text_at(s, "client"),
             text_at(s, "listener"),
             text_at(s, "member"),
             text_at(s, "user"),
             text_at(s, "database"),
             text_at(s, "state"),
             duration_at(s, "age_ms"),
             size_at(s, "bytes_in"),
             size_at(s, "bytes_out")}
        );
    auto out = sessions.empty() ? std::string() : columns(rows) + "\n";
    const auto total = text_at(told, "total");
    out += total + (total == "1" ? " session" : " sessions");
    if (total != std::to_string(sessions.size()))
        out += ", the " + std::to_string(sessions.size()) + " oldest shown";
    return out + "\n";
}

std::string order_text(const std::string& json_text)
{
    const auto told = json::parse(json_text);
    std::string out;
    if (!at(told, "member").is_null())
        out = "member " + text_at(told, "cluster") + "/" + text_at(told, "member") + ": " +
              text_at(told, "state") + "\n";
    else if (!at(told, "session").is_null())
        out = "session " + text_at(told, "session") + ": " +
              (text_at(told, "result") == "ending" ? "was ending already\n" : "ended\n");
    for (const auto& warning : array_at(told, "warnings"))
        out += "warning: " + text(warning) + "\n";
    return out;
}

} // namespace rolegate::proxy::cli
