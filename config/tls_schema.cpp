// SPDX-License-Identifier: PostgreSQL
//
// TLS of a listener, towards clients and towards servers. That a needed file is not named is
// validate()'s business; here is what only the file can tell: a key that was written in vain. PEM
// files are not opened.
#include "config/schema.hpp"

#include "config/quote.hpp"
#include "config/secret_keys.hpp"

#include <initializer_list>

namespace rolegate::config
{
namespace
{

// Somebody who names a certificate believes that it is used.
void refuse_keys(
    yaml_reader& in,
    const yaml_node& section,
    std::initializer_list<std::string_view> keys,
    const std::string& need
)
{
    for (const std::string_view key : keys)
    {
        const yaml_node* const found = section.find(key);
        if (found != nullptr && !in.failed(*found))
            in.fail(*found, found->key_at, quoted(key) + " needs " + need);
    }
}

} // namespace

listener_tls read_listener_tls(yaml_reader& in, const yaml_node& node)
{
    listener_tls out;
    in.map(
        node,
        {
            {"mode", [&](const yaml_node& v) { read_word(in, v, tls_mode_words, out.mode); }},
            {"cert", [&](const yaml_node& v) { in.text(v, out.cert); }},
            {"key", [&](const yaml_node& v) { in.text(v, out.key); }},
            {"ca", [&](const yaml_node& v) { in.text(v, out.ca); }},
            {"min_version",
             [&](const yaml_node& v) { read_word(in, v, tls_version_words, out.min_version); }},
            {"required", [&](const yaml_node& v) { in.boolean(v, out.required); }},
        }
    );
    if (out.mode == tls_mode::passthrough && !was_refused(in, node, "mode"))
        refuse_keys(
            in, node, {"cert", "key", "ca", "min_version", "required"}, "'mode: terminate'"
        );
    return out;
}

server_tls_settings read_server_tls(yaml_reader& in, const yaml_node& node)
{
    server_tls_settings out;
    in.map(
        node,
        {
            {"sslmode", [&](const yaml_node& v) { read_word(in, v, sslmode_words, out.sslmode); }},
            {"ca", [&](const yaml_node& v) { in.text(v, out.ca); }},
            {"cert", [&](const yaml_node& v) { in.text(v, out.cert); }},
            {"key", [&](const yaml_node& v) { in.text(v, out.key); }},
        }
    );
    if (out.sslmode == sslmode::disable && !was_refused(in, node, "sslmode"))
        refuse_keys(in, node, {"ca", "cert", "key"}, "an 'sslmode' other than 'disable'");
    return out;
}

} // namespace rolegate::config
