// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/bind.hpp"

#include "config/haproxy/number.hpp"
#include "config/haproxy/place.hpp"
#include "config/quote.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace rolegate::config::haproxy
{
namespace
{

constexpr std::string_view of_the_machine = "changes nothing for clients";
constexpr std::string_view of_tls = "OpenSSL's own choice holds; see `tls.min_version`";

struct plain_word
{
    std::string_view name;
    std::size_t values; // that follow it
    verdict what;
    std::string_view why;
};

// What needs no more than a reason. `stats socket` has some of them, too.
constexpr std::array<plain_word, 45> plain_words{{
    {"name", 1, verdict::ignored, "is for HAProxy's statistics only"},
    {"id", 1, verdict::ignored, "is for HAProxy's statistics only"},
    {"nice", 1, verdict::ignored, of_the_machine},
    {"process", 1, verdict::ignored, of_the_machine},
    {"thread", 1, verdict::ignored, of_the_machine},
    {"shards", 1, verdict::ignored, of_the_machine},
    {"label", 1, verdict::ignored, of_the_machine},
    {"guid-prefix", 1, verdict::ignored, of_the_machine},
    {"idle-ping", 1, verdict::ignored, of_the_machine},
    {"backlog", 1, verdict::ignored, "the system's largest one is taken"},
    {"mss", 1, verdict::ignored, of_the_machine},
    {"cc", 1, verdict::ignored, of_the_machine},
    {"tfo", 0, verdict::ignored, of_the_machine},
    {"defer-accept", 0, verdict::ignored, of_the_machine},
    {"expose-fd", 1, verdict::ignored, "SIGUSR2 hands sockets over without it"},
    {"level", 1, verdict::ignored, "is for HAProxy's own commands"},
    {"severity-output", 1, verdict::ignored, "is for HAProxy's own commands"},
    {"user", 1, verdict::ignored, "everybody may connect to our unix sockets"},
    {"group", 1, verdict::ignored, "everybody may connect to our unix sockets"},
    {"uid", 1, verdict::ignored, "everybody may connect to our unix sockets"},
    {"gid", 1, verdict::ignored, "everybody may connect to our unix sockets"},
    {"alpn", 1, verdict::ignored, "clients of PostgreSQL name the one protocol there is"},
    {"npn", 1, verdict::ignored, "clients of PostgreSQL name the one protocol there is"},
    {"proto", 1, verdict::ignored, "is for HTTP"},
    {"ciphers", 1, verdict::ignored, of_tls},
    {"ciphersuites", 1, verdict::ignored, of_tls},
    {"curves", 1, verdict::ignored, of_tls},
    {"ecdhe", 1, verdict::ignored, of_tls},
    {"sigalgs", 1, verdict::ignored, of_tls},
    {"client-sigalgs", 1, verdict::ignored, of_tls},
    {"ssl-max-ver", 1, verdict::ignored, of_tls},
    {"no-sslv3", 0, verdict::ignored, "no such version is spoken"},
    {"no-tlsv10", 0, verdict::ignored, "no such version is spoken"},
    {"no-tlsv11", 0, verdict::ignored, "no such version is spoken"},
    {"no-tls-tickets", 0, verdict::ignored, of_tls},
    {"prefer-client-ciphers", 0, verdict::ignored, of_tls},
    {"strict-sni", 0, verdict::ignored, "there is one certificate, whatever name is asked for"},
    {"interface", 1, verdict::refused, "sockets are bound to addresses, not to interfaces"},
    {"namespace", 1, verdict::refused, "the whole program may run in another network namespace"},
    {"transparent", 0, verdict::refused, "addresses that are not the machine's are not bound"},
    {"accept-netscaler-cip", 1, verdict::refused, "use the PROXY protocol, see `accept_proxy`"},
    {"crl-file", 1, verdict::refused, "lists of revoked certificates are not read"},
    {"crt-list", 1, verdict::refused, "a listener has one certificate"},
    {"generate-certificates", 0, verdict::refused, "certificates are not made"},
    {"nbconn", 1, verdict::refused, "connects go the other way round"},
}};

class bind_reader
{
public:
    bind_reader(const line& l, const base_paths& base, ledger& book)
        : line_(l), base_(base), book_(book)
    {
    }

    bind_line run()
    {
        out_.number = line_.number;
        bind_places places = parse_binds(line_.word(1));
        if (!places.error.empty())
        {
            book_.refuse(line_.number, line_.text(), places.error);
            return std::move(out_);
        }
        book_.use(line_.number);
        out_.places = std::move(places.value);
        out_.also_ipv4 =
            std::ranges::any_of(out_.places, [](const host_port& p) { return p.host == "::"; });
        for (next_ = 2; next_ < line_.words.size();)
            take(line_.words[next_++]);
        settle_tls();
        return std::move(out_);
    }

private:
    void refuse(std::string_view what, std::string_view why)
    {
        book_.refuse(line_.number, what, why);
    }

    std::string value() { return line_.word(next_++); }

    void take(const std::string& word)
    {
        const auto plain = std::ranges::find(plain_words, word, &plain_word::name);
        if (plain != plain_words.end())
            return take_plain(*plain);
        if (word == "accept-proxy")
            out_.options.accept_proxy = true;
        else if (word == "v4v6")
            out_.also_ipv4 = true;
        else if (word == "v6only")
            out_.also_ipv4 = false;
        else if (word == "maxconn")
            take_maxconn(value());
        else if (word == "tcp-ut")
            take_user_timeout(value());
        else if (word == "mode")
            take_mode(value());
        else if (!take_tls(word))
            refuse(word, "is not known to this import");
    }

    void take_plain(const plain_word& word)
    {
        std::string what(word.name);
        for (std::size_t i = 0; i < word.values; ++i)
            what += " " + value();
        if (word.what == verdict::ignored)
            book_.ignore(line_.number, what, word.why);
        else
            refuse(what, word.why);
    }

    void take_maxconn(const std::string& text)
    {
        const auto number = parse_number(text);
        if (!number || *number > 1'000'000)
            return refuse("maxconn " + text, "expected a number of clients, up to 1000000");
        if (*number > 0)
            out_.options.maxconn = *number;
    }

    void take_user_timeout(const std::string& text)
    {
        const auto time = parse_time(text);
        if (!time || *time < milliseconds(1) || *time > std::chrono::hours(24))
            return refuse("tcp-ut " + text, "expected a time up to 1d");
        out_.options.tcp_user_timeout = *time;
    }

    void take_mode(const std::string& text)
    {
        if (text.ends_with("777") || text.ends_with("666"))
            return;
        refuse("mode " + text, "everybody may connect to our unix sockets: use its directory");
    }

    bool take_tls(const std::string& word)
    {
        listener_tls& tls = out_.options.tls;
        if (word == "ssl")
            tls.mode = tls_mode::terminate;
        else if (word == "crt" && tls.cert.empty())
            tls.cert = tls.key = resolved(base_.crt, value());
        else if (word == "crt")
            refuse("crt " + value(), "a listener has one certificate");
        else if (word == "ca-file")
            ca_ = resolved(base_.ca, value());
        else if (word == "verify")
            verify_ = value();
        else if (word == "ssl-min-ver" || word == "force-tlsv13" || word == "force-tlsv12")
            take_version(word == "ssl-min-ver" ? value() : word);
        else
            return false;
        return true;
    }

    void take_version(const std::string& version)
    {
        if (version == "TLSv1.3" || version == "force-tlsv13")
            out_.options.tls.min_version = tls_version::tls_1_3;
        else if (version != "TLSv1.2" && version != "force-tlsv12")
            book_.ignore(line_.number, version, "nothing older than TLSv1.2 is spoken");
    }

    void settle_tls()
    {
        listener_tls& tls = out_.options.tls;
        if (tls.mode != tls_mode::terminate)
        {
            tls = {};
            return;
        }
        if (verify_ == "required")
            tls.ca = ca_;
        else if (verify_ != "none")
            refuse("verify " + verify_, "a client's certificate is demanded or not asked for");
        tls.required = true; // as here: nothing else would be understood
        if (tls.cert.empty() || tls.cert.ends_with('/'))
        {
            refuse("ssl", "needs `crt` with one file that holds certificate and key");
            out_.places.clear();
            return;
        }
        book_.note(
            line_.number,
            "ssl crt",
            "TLS ends in Rolegate, also for clients that ask for it in PostgreSQL's own way, which "
            "HAProxy does not understand; the key is looked for in the same file"
        );
    }

    const line& line_;
    const base_paths& base_;
    ledger& book_;
    bind_line out_;
    std::string ca_;
    std::string verify_ = "none";
    std::size_t next_ = 2;
};

} // namespace

bind_line read_bind_line(const line& l, const base_paths& base, ledger& book)
{
    return bind_reader(l, base, book).run();
}

} // namespace rolegate::config::haproxy
