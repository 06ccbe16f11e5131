// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/directives.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace rolegate::config::haproxy
{
namespace
{

constexpr verdict ignored = verdict::ignored;
constexpr verdict refused = verdict::refused;

constexpr std::string_view of_log = "our log goes to stderr, see `log`";
constexpr std::string_view of_http = "means nothing in mode tcp";
constexpr std::string_view of_systemd = "is the business of systemd, see deploy/systemd";
constexpr std::string_view of_haproxy = "is about HAProxy's own insides";
constexpr std::string_view of_tls = "OpenSSL's own choice holds; see `tls.min_version`";
constexpr std::string_view of_tracking = "clients are not counted or remembered";
constexpr std::string_view of_rates = "there is no limit on how many come in a second";
constexpr std::string_view of_commands = "Rolegate's commands and its API are at the admin address";
constexpr std::string_view of_state = "states set by operators are not read from a file";

constexpr std::array<directive, 62> global_directives{{
    {"log*", ignored, of_log},
    {"user", ignored, of_systemd},
    {"group", ignored, of_systemd},
    {"uid", ignored, of_systemd},
    {"gid", ignored, of_systemd},
    {"chroot", ignored, of_systemd},
    {"daemon", ignored, of_systemd},
    {"pidfile", ignored, of_systemd},
    {"master-worker", ignored, of_systemd},
    {"mworker-*", ignored, of_systemd},
    {"ulimit-n", ignored, "the limit of open files is raised as far as it goes"},
    {"fd-hard-limit", ignored, "the limit of open files is raised as far as it goes"},
    {"strict-limits", ignored, of_haproxy},
    {"set-dumpable", ignored, of_systemd},
    {"setcap", ignored, of_systemd},
    {"no-quic", ignored, of_haproxy},
    {"nbproc", ignored, "one process has a worker for each CPU, see `workers`"},
    {"cpu-*", ignored, of_haproxy},
    {"thread-*", ignored, of_haproxy},
    {"numa-cpu-mapping", ignored, of_haproxy},
    {"tune.*", ignored, of_haproxy},
    {"ssl-default-*", ignored, of_tls},
    {"ssl-dh-*", ignored, of_tls},
    {"ssl-load-extra-*", ignored, of_tls},
    {"ssl-mode-async", ignored, of_tls},
    {"ssl-engine", ignored, of_tls},
    {"ssl-propquery", ignored, of_tls},
    {"ssl-provider*", ignored, of_tls},
    {"ssl-security-level", ignored, of_tls},
    {"ssl-skip-self-issued-ca", ignored, of_tls},
    {"issuers-chain-path", refused, "the chain stands in the file of the certificate"},
    {"stats", ignored, of_commands},
    {"spread-checks", ignored, "checks are spread anyway"},
    {"max-spread-checks", ignored, "checks are spread anyway"},
    {"external-check", ignored, "no program is run to check a member"},
    {"insecure-*", ignored, of_haproxy},
    {"description", ignored, of_haproxy},
    {"node", ignored, of_haproxy},
    {"localpeer", ignored, of_haproxy},
    {"server-state-*", ignored, of_state},
    {"default-path", ignored, "name files by their whole path"},
    {"zero-warning", ignored, of_haproxy},
    {"quiet", ignored, of_haproxy},
    {"debug", ignored, of_haproxy},
    {"busy-polling", ignored, of_haproxy},
    {"no*", ignored, of_haproxy},
    {"profiling*", ignored, of_haproxy},
    {"hash-*", ignored, of_haproxy},
    {"harden.*", ignored, of_haproxy},
    {"h1-*", ignored, of_http},
    {"h2-*", ignored, of_http},
    {"httpclient.*", ignored, of_http},
    {"http-*", ignored, of_http},
    {"unix-bind", ignored, "everybody may connect to our unix sockets"},
    {"maxpipes", ignored, of_haproxy},
    {"maxconnrate", refused, of_rates},
    {"maxsessrate", refused, of_rates},
    {"maxsslrate", refused, of_rates},
    {"maxsslconn", refused, "clients in TLS are not counted apart, see `maxconn`"},
    {"lua-*", refused, "no programs are run inside"},
    {"set-var*", ignored, of_http},
    {"expose-*", ignored, of_haproxy},
}};

constexpr std::array<directive, 45> proxy_directives{{
    {"log*", ignored, of_log},
    {"unique-id-*", ignored, of_log},
    {"error-log-format", ignored, of_log},
    {"errorfile*", ignored, of_http},
    {"errorloc*", ignored, of_http},
    {"http-*", ignored, of_http},
    {"cookie", ignored, of_http},
    {"capture", ignored, of_http},
    {"declare", ignored, of_http},
    {"compression", ignored, of_http},
    {"redirect", ignored, of_http},
    {"monitor-*", ignored, "see /livez and /readyz at the admin address"},
    {"monitor", ignored, "see /livez and /readyz at the admin address"},
    {"stats", ignored, of_http},
    {"max-keep-alive-queue", ignored, of_http},
    {"retry-on", ignored, of_http},
    {"backlog", ignored, "the system's largest one is taken"},
    {"grace", ignored, of_haproxy},
    {"description", ignored, of_haproxy},
    {"id", ignored, of_haproxy},
    {"guid", ignored, of_haproxy},
    {"enabled", ignored, "is so by default"},
    {"bind-process", ignored, of_haproxy},
    {"fullconn", ignored, "`maxconn` of a member does not depend on the load"},
    {"load-server-state-from-file", ignored, of_state},
    {"server-state-file-name", ignored, of_state},
    {"hash-type", ignored, "`balance: source` is HAProxy's `hash-type consistent`"},
    {"hash-balance-factor", ignored, "see `maxconn` of members"},
    {"hash-preserve-affinity", ignored, "see `maxconn` of members"},
    {"email-alert", ignored, "deploy/prometheus-alerts.yaml has alerts for Prometheus"},
    {"retries",
     ignored,
     "another try is made, at another member where there is one, as long as the client may be held "
     "(`queue.timeout`)"},
    {"stick-table", refused, of_tracking},
    {"stick", refused, "`balance: source` leads an address to the same member"},
    {"persist", refused, of_tracking},
    {"force-persist", refused, of_tracking},
    {"ignore-persist", refused, of_tracking},
    {"tcp-response", refused, "what members send is not judged"},
    {"filter", refused, "nothing is put between client and member"},
    {"rate-limit", refused, of_rates},
    {"dispatch", refused, "name the member as a server"},
    {"use-server", refused, "no member is chosen by a condition; see `match` and `prefer`"},
    {"external-check", refused, "no program is run to check a member"},
    {"use-fcgi-app", refused, of_http},
    {"quic-initial", refused, "QUIC is not spoken"},
    {"force-be-switch", refused, "there is no such condition"},
}};

constexpr std::array<directive, 42> options{{
    {"tcplog", ignored, of_log},
    {"httplog", ignored, of_log},
    {"httpslog", ignored, of_log},
    {"logasap", ignored, of_log},
    {"dontlognull", ignored, "who says nothing is not logged"},
    {"dontlog-normal", ignored, "that is `session_log: errors`, see `log`"},
    {"log-*", ignored, of_log},
    {"contstats", ignored, of_haproxy},
    {"socket-stats", ignored, of_haproxy},
    {"splice-*", ignored, of_haproxy},
    {"tcp-smart-*", ignored, of_haproxy},
    {"nolinger", ignored, "sessions end with FIN"},
    {"redispatch", ignored, "a refused connection is tried again at another member anyway"},
    {"abortonclose", ignored, "a client that leaves while it is held is forgotten anyway"},
    {"tcpka", ignored, "both sides have it always, see `keepalive`"},
    {"clitcpka", ignored, "both sides have it always, see `keepalive`"},
    {"srvtcpka", ignored, "both sides have it always, see `keepalive`"},
    {"independent-streams", ignored, "each side's silence counts by itself anyway"},
    {"idle-close-on-response", ignored, of_http},
    {"prefer-last-server", ignored, of_http},
    {"forwardfor", ignored, of_http},
    {"forwarded", ignored, of_http},
    {"originalto", ignored, of_http},
    {"checkcache", ignored, of_http},
    {"accept-*", ignored, of_http},
    {"disable-h2-upgrade", ignored, of_http},
    {"h1-*", ignored, of_http},
    {"h2-*", ignored, of_http},
    {"http_proxy", refused, "HTTP is not spoken to clients"},
    {"http-*", ignored, of_http},
    {"httpclose", ignored, of_http},
    {"forceclose", ignored, of_http},
    {"persist", ignored, of_http},
    {"transparent", refused, "clients come to addresses of the machine"},
    {"external-check", refused, "no program is run to check a member"},
    {"mysql-check", refused, "is a check of another service"},
    {"redis-check", refused, "is a check of another service"},
    {"smtpchk", refused, "is a check of another service"},
    {"ldap-check", refused, "is a check of another service"},
    {"spop-check", refused, "is a check of another service"},
    {"ssl-hello-chk", refused, "a check is a connect, or a request over HTTP"},
    {"use-small-buffers", ignored, of_haproxy},
}};

const directive* find(std::span<const directive> table, std::string_view name)
{
    const auto fits = [name](const directive& d)
    {
        if (!d.name.ends_with('*'))
            return d.name == name;
        return name.starts_with(d.name.substr(0, d.name.size() - 1));
    };
    const auto found = std::ranges::find_if(table, fits);
    return found == table.end() ? nullptr : &*found;
}

// What remarks do not repeat: stats auth NAME:PASSWORD.
bool is_secret(const line& l)
{
    return l.word(0) == "stats" && l.word(1) == "auth";
}

} // namespace

const directive* find_global_directive(std::string_view name)
{
    return find(global_directives, name);
}

const directive* find_proxy_directive(std::string_view name)
{
    return find(proxy_directives, name);
}

const directive* find_option(std::string_view name)
{
    return find(options, name);
}

void settle(const line& l, const directive& d, ledger& book)
{
    const std::string what = is_secret(l) ? l.words[0] + " " + l.words[1] : l.text();
    if (d.what == ignored)
        book.ignore(l.number, what, d.why);
    else
        book.refuse(l.number, what, d.why);
}

} // namespace rolegate::config::haproxy
