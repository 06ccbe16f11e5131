// SPDX-License-Identifier: PostgreSQL
#include "config/schema.hpp"

#include "config/secret_keys.hpp"

#include <algorithm>
#include <iterator>

namespace rolegate::config
{
namespace
{

void read_user(yaml_reader& in, const yaml_node& node, std::string& out)
{
    in.text(node, out);
    // libpq would take the name of the account that the proxy runs under.
    if (out.empty() && !in.failed(node))
        in.fail(node, "expected the name of a PostgreSQL user, got nothing");
}

void read_sslmode(yaml_reader& in, const yaml_node& node, std::string& out)
{
    if (auto word =
            in.choice(node, {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}))
        out = std::move(*word);
}

} // namespace

sql_settings read_sql(yaml_reader& in, const yaml_node& node, std::vector<yaml_key> beside)
{
    sql_settings out;
    std::string password_of_file;
    std::vector<yaml_key> keys{
        {"user", [&](const yaml_node& v) { read_user(in, v, out.user); }},
        {"dbname", [&](const yaml_node& v) { in.text(v, out.dbname); }},
        {"password", [&](const yaml_node& v) { in.text(v, out.password); }},
        {"password_file", [&](const yaml_node& v) { read_secret_file(in, v, password_of_file); }},
        {"passfile", [&](const yaml_node& v) { in.text(v, out.passfile); }},
        {"sslmode", [&](const yaml_node& v) { read_sslmode(in, v, out.sslmode); }},
        {"sslrootcert", [&](const yaml_node& v) { in.text(v, out.sslrootcert); }},
        {"sslcert", [&](const yaml_node& v) { in.text(v, out.sslcert); }},
        {"sslkey", [&](const yaml_node& v) { in.text(v, out.sslkey); }},
    };
    std::ranges::move(beside, std::back_inserter(keys));
    in.map(node, keys);
    in.require(node, {"user"});
    settle_secret(in, node, "password", out.password, password_of_file);
    // libpq would not look into the passfile.
    if (!out.password.empty() && !out.passfile.empty() && !was_refused(in, node, "passfile"))
        in.fail(
            *node.find("passfile"),
            node.find("passfile")->key_at,
            "'passfile' has no effect beside a password"
        );
    return out;
}

} // namespace rolegate::config
