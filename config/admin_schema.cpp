// SPDX-License-Identifier: PostgreSQL
//
// `admin`: where the admin HTTP is, and who may use it.
#include "config/schema.hpp"

#include "config/quote.hpp"
#include "config/secret_keys.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace rolegate::config
{
namespace
{

// The owner's bits stay: without them nobody could connect.
constexpr unsigned least_mode = 0600;
constexpr unsigned largest_mode = 0777;

void read_mode(yaml_reader& in, const yaml_node& node, unsigned& out)
{
    constexpr std::string_view expected = "permissions such as \"660\"";
    const auto text = in.scalar(node, expected);
    if (!text)
        return;
    unsigned mode = 0;
    const auto* end = text->data() + text->size();
    const auto [at, ec] = std::from_chars(text->data(), end, mode, 8);
    if (ec != std::errc() || at != end || mode > largest_mode || (mode & least_mode) != least_mode)
        return in.fail(
            node,
            "expected " + std::string(expected) + ", the owner's 6 included, got " + quoted(*text)
        );
    out = mode;
}

// Somebody who sees a hash there believes that it is taken for one.
void check_password(yaml_reader& in, const yaml_node& node, const std::string& password)
{
    constexpr std::array hashes{"$5$", "$6$", "$y$"};
    const auto begins = [&password](const char* with) { return password.starts_with(with); };
    if (in.failed(node))
        return;
    if (password.empty())
        in.fail(node, node.heading(), "a user needs a password");
    else if (password.starts_with('$') && std::ranges::none_of(hashes, begins))
        in.fail(node, node.heading(), "a hash of a password begins with $5$, $6$ or $y$");
}

// NAME: PASSWORD, or NAME: {password_file: PATH}
std::string read_password(yaml_reader& in, const yaml_node& node)
{
    std::string password;
    if (node.kind != yaml_kind::map)
    {
        in.text(node, password);
        check_password(in, node, password);
        return password;
    }
    std::string of_file;
    in.map(
        node,
        {
            {"password", [&](const yaml_node& v) { in.text(v, password); }},
            {"password_file", [&](const yaml_node& v) { read_secret_file(in, v, of_file); }},
        }
    );
    settle_secret(in, node, "password", password, of_file);
    if (!was_refused(in, node, "password") && !was_refused(in, node, "password_file"))
        check_password(in, node, password);
    return password;
}

admin_tls read_admin_tls(yaml_reader& in, const yaml_node& node)
{
    admin_tls out;
    in.map(
        node,
        {
            {"cert", [&](const yaml_node& v) { in.text(v, out.cert); }},
            {"key", [&](const yaml_node& v) { in.text(v, out.key); }},
            {"ca", [&](const yaml_node& v) { in.text(v, out.ca); }},
        }
    );
    in.require(node, {"cert", "key"});
    return out;
}

} // namespace

void read_admin(yaml_reader& in, const yaml_node& node, admin_settings& out)
{
    const auto read_users = [&](const yaml_node& users)
    {
        const auto read = [&](const yaml_node& v) { out.users[v.key] = read_password(in, v); };
        in.named(users, "user", read);
    };
    in.map(
        node,
        {
            {"bind", [&](const yaml_node& v) { out.bind = read_bind(in, v); }},
            {"mode", [&](const yaml_node& v) { read_mode(in, v, out.mode); }},
            {"users", read_users},
            {"require_user",
             [&](const yaml_node& v) { read_word(in, v, user_rule_words, out.require_user); }},
            {"tls", [&](const yaml_node& v) { out.tls = read_admin_tls(in, v); }},
        }
    );
    const auto* rule = node.find("require_user");
    if (rule != nullptr && out.require_user == user_rule::all && out.users.empty() &&
        !was_refused(in, node, "users"))
        in.fail(*rule, rule->key_at, "'require_user: all' needs 'users'");
}

} // namespace rolegate::config
