// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/server_words.hpp"

#include <algorithm>
#include <array>

namespace rolegate::config::haproxy
{
namespace
{

constexpr verdict ignored = verdict::ignored;
constexpr verdict refused = verdict::refused;

constexpr std::string_view of_names =
    "names are asked of the system's resolver, again and again, and the last good answer is kept";
constexpr std::string_view of_http = "is for HTTP";
constexpr std::string_view of_traffic =
    "a connection that fails makes Rolegate look at once, whatever the pace of its checks";
constexpr std::string_view of_statistics = "is for HAProxy's statistics only";
constexpr std::string_view of_tls = "OpenSSL's own choice holds";
constexpr std::string_view is_default = "is so by default";
constexpr std::string_view needs_proxy_header =
    "PostgreSQL does not understand the PROXY protocol, and none is sent to members";
constexpr std::string_view of_agents = "agents are not asked; use `rolegate set-member`";

constexpr std::array<server_word, 74> words{{
    {"resolvers", 1, ignored, of_names},
    {"init-addr", 1, ignored, of_names},
    {"resolve-opts", 1, ignored, of_names},
    {"resolve-prefer", 1, ignored, of_names},
    {"resolve-net", 1, ignored, of_names},
    {"init-state", 1, ignored, "no member gets a client before it is known what it is"},
    {"observe", 1, ignored, of_traffic},
    {"error-limit", 1, ignored, of_traffic},
    {"on-error", 1, ignored, of_traffic},
    {"id", 1, ignored, of_statistics},
    {"guid", 1, ignored, of_statistics},
    {"cookie", 1, ignored, of_http},
    {"redir", 1, ignored, of_http},
    {"proto", 1, ignored, of_http},
    {"check-proto", 1, ignored, of_http},
    {"ws", 1, ignored, of_http},
    {"pool-low-conn", 1, ignored, of_http},
    {"pool-max-conn", 1, ignored, of_http},
    {"pool-purge-delay", 1, ignored, of_http},
    {"pool-conn-name", 1, ignored, of_http},
    {"max-reuse", 1, ignored, of_http},
    {"idle-ping", 1, ignored, of_http},
    {"log-bufsize", 1, ignored, of_http},
    {"tfo", 0, ignored, "a connection is opened in the usual way"},
    {"no-tfo", 0, ignored, is_default},
    {"strict-maxconn", 0, ignored, is_default},
    {"stick", 0, ignored, "there is no stick-table"},
    {"non-stick", 0, ignored, is_default},
    {"check-sni", 1, ignored, "the name asked for is that of the member"},
    {"check-alpn", 1, ignored, of_tls},
    {"sni", 1, ignored, of_tls},
    {"alpn", 1, ignored, of_tls},
    {"npn", 1, ignored, of_tls},
    {"ciphers", 1, ignored, of_tls},
    {"ciphersuites", 1, ignored, of_tls},
    {"curves", 1, ignored, of_tls},
    {"sigalgs", 1, ignored, of_tls},
    {"client-sigalgs", 1, ignored, of_tls},
    {"ssl-min-ver", 1, ignored, of_tls},
    {"ssl-max-ver", 1, ignored, of_tls},
    {"force-sslv3", 0, ignored, of_tls},
    {"force-tlsv10", 0, ignored, of_tls},
    {"force-tlsv11", 0, ignored, of_tls},
    {"force-tlsv12", 0, ignored, of_tls},
    {"force-tlsv13", 0, ignored, of_tls},
    {"no-sslv3", 0, ignored, of_tls},
    {"no-tlsv10", 0, ignored, of_tls},
    {"no-tlsv11", 0, ignored, of_tls},
    {"no-tlsv12", 0, ignored, of_tls},
    {"no-tlsv13", 0, ignored, of_tls},
    {"no-tls-tickets", 0, ignored, of_tls},
    {"no-ssl-reuse", 0, ignored, of_tls},
    {"ssl-reuse", 0, ignored, is_default},
    {"no-ssl", 0, ignored, is_default},
    {"no-send-proxy", 0, ignored, is_default},
    {"no-send-proxy-v2", 0, ignored, is_default},
    {"no-check-send-proxy", 0, ignored, is_default},
    {"no-agent-check", 0, ignored, is_default},
    {"no-verifyhost", 0, ignored, is_default},
    {"ssl",
     0,
     refused,
     "this is TLS from the first byte, where PostgreSQL's begins with a request: `server_tls` of "
     "the listener asks as libpq does"},
    {"send-proxy", 0, refused, needs_proxy_header},
    {"send-proxy-v2", 0, refused, needs_proxy_header},
    {"send-proxy-v2-ssl", 0, refused, needs_proxy_header},
    {"send-proxy-v2-ssl-cn", 0, refused, needs_proxy_header},
    {"check-send-proxy", 0, refused, needs_proxy_header},
    {"proxy-v2-options", 1, refused, needs_proxy_header},
    {"agent-check", 0, refused, of_agents},
    {"agent-port", 1, refused, of_agents},
    {"agent-inter", 1, refused, of_agents},
    {"agent-addr", 1, refused, of_agents},
    {"agent-send", 1, refused, of_agents},
    {"track", 1, refused, "each cluster looks at its own members"},
    {"on-marked-up", 1, refused, "sessions stay on a backup member; see `rebalance`"},
    {"minconn", 1, refused, "`maxconn` of a member does not depend on the load"},
}};

// The same, for words that nobody writes together with the others.
constexpr std::array<server_word, 6> rare_words{{
    {"crl-file", 1, refused, "lists of revoked certificates are not read"},
    {"verifyhost", 1, refused, "the certificate's name must be that of the member's address"},
    {"namespace", 1, refused, "members are reached from where Rolegate runs"},
    {"socks4", 1, refused, "members are reached directly"},
    {"check-via-socks4", 0, refused, "members are reached directly"},
    {"log-proto", 1, refused, "is for HAProxy's log"},
}};

} // namespace

const server_word* find_server_word(std::string_view name)
{
    const auto found = std::ranges::find(words, name, &server_word::name);
    if (found != words.end())
        return &*found;
    const auto rare = std::ranges::find(rare_words, name, &server_word::name);
    return rare == rare_words.end() ? nullptr : &*rare;
}

} // namespace rolegate::config::haproxy
