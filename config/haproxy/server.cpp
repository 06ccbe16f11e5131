// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/server.hpp"

#include "config/haproxy/number.hpp"
#include "config/haproxy/place.hpp"
#include "config/haproxy/server_words.hpp"

#include <array>

namespace rolegate::config::haproxy
{
namespace
{

using namespace std::chrono_literals;

// The bounds of config/reference.yaml.
struct time_range
{
    milliseconds least;
    milliseconds most;
    const char* text;
};

constexpr time_range pace_range{10ms, 1h, "expected a time from 10ms to 1h"};
constexpr time_range slowstart_range{0ms, 24h, "expected a time up to 1d"};
constexpr time_range user_timeout_range{1ms, 24h, "expected a time up to 1d"};

class word_reader
{
public:
    word_reader(const line& l, std::size_t first, server& to, const base_paths& base, ledger& book)
        : line_(l), to_(to), base_(base), book_(book), next_(first)
    {
    }

    void run()
    {
        while (next_ < line_.words.size())
        {
            word_ = line_.words[next_++];
            to_.said[word_] = line_.number;
            take();
        }
    }

private:
    // The word with its value, for remarks.
    [[nodiscard]] std::string both(const std::string& value) const { return word_ + " " + value; }

    std::string value() { return line_.word(next_++); }

    void take()
    {
        if (const server_word* known = find_server_word(word_); known != nullptr)
            return take_known(*known);
        if (word_ == "source")
            return take_source();
        if (!take_flag() && !take_check() && !take_limit() && !take_tls())
            book_.refuse(line_.number, word_, "is not known to this import");
    }

    void take_known(const server_word& known)
    {
        std::string what = word_;
        for (std::size_t i = 0; i < known.values; ++i)
            what += " " + value();
        if (known.what == verdict::ignored)
            book_.ignore(line_.number, what, known.why);
        else
            book_.refuse(line_.number, what, known.why);
    }

    // source ADDR[:PORT] [usesrc ADDR] [interface NAME]
    void take_source()
    {
        std::string what = both(value());
        while (line_.word(next_) == "usesrc" || line_.word(next_) == "interface")
        {
            what += " " + value();
            what += " " + value();
        }
        book_.refuse(line_.number, what, "the system chooses the address to connect from");
    }

    bool take_flag()
    {
        struct flag
        {
            std::string_view name;
            bool server::*target;
            bool value;
        };
        constexpr std::array<flag, 6> flags{{
            {"check", &server::check, true},
            {"no-check", &server::check, false},
            {"check-ssl", &server::check_tls, true},
            {"no-check-ssl", &server::check_tls, false},
            {"disabled", &server::disabled, true},
            {"enabled", &server::disabled, false},
        }};
        for (const flag& f : flags)
        {
            if (f.name != word_)
                continue;
            to_.*f.target = f.value;
            return true;
        }
        if (word_ != "backup" && word_ != "no-backup")
            return false;
        to_.options.backup = word_ == "backup";
        return true;
    }

    bool take_check()
    {
        if (word_ == "port")
            take_port(value());
        else if (word_ == "addr")
            take_check_host(value());
        else if (word_ == "inter")
            take_time(pace_range, [this](milliseconds t) { to_.pace.inter = t; });
        else if (word_ == "fastinter")
            take_time(pace_range, [this](milliseconds t) { to_.pace.fastinter = t; });
        else if (word_ == "downinter")
            take_time(pace_range, [this](milliseconds t) { to_.pace.downinter = t; });
        else if (word_ == "rise")
            take_number(1, 1000, [this](std::size_t n) { to_.pace.rise = unsigned(n); });
        else if (word_ == "fall")
            take_number(1, 1000, [this](std::size_t n) { to_.pace.fall = unsigned(n); });
        else if (word_ == "on-marked-down")
            take_marked_down(value());
        else
            return false;
        return true;
    }

    bool take_limit()
    {
        if (word_ == "weight")
            take_weight();
        else if (word_ == "maxconn")
            take_number(0, 1'000'000, [this](std::size_t n) { set_maxconn(n); });
        else if (word_ == "maxqueue")
            take_number(0, 1'000'000, [this](std::size_t n) { to_.options.maxqueue = n; });
        else if (word_ == "slowstart")
            take_time(slowstart_range, [this](milliseconds t) { to_.options.slowstart = t; });
        else if (word_ == "tcp-ut")
            take_time(user_timeout_range, [this](milliseconds t) { to_.tcp_user_timeout = t; });
        else
            return false;
        return true;
    }

    bool take_tls()
    {
        if (word_ == "verify")
            to_.tls.verify = value() != "none";
        else if (word_ == "ca-file")
            take_ca(value());
        else if (word_ == "crt")
            to_.tls.cert = to_.tls.key = resolved(base_.crt, value()); // one file for both
        else
            return false;
        return true;
    }

    void take_ca(const std::string& file)
    {
        // OpenSSL's own store, which is what no file means here.
        to_.tls.ca = file == "@system-ca" ? std::string() : resolved(base_.ca, file);
    }

    template <class Set> void take_time(const time_range& range, Set set)
    {
        const std::string text = value();
        const auto time = parse_time(text);
        if (!time || *time < range.least || *time > range.most)
            return book_.refuse(line_.number, both(text), range.text);
        set(*time);
    }

    template <class Set> void take_number(std::size_t least, std::size_t most, Set set)
    {
        const std::string text = value();
        const auto number = parse_number(text);
        if (!number || *number < least || *number > most)
            return book_.refuse(
                line_.number,
                both(text),
                "expected a number from " + std::to_string(least) + " to " + std::to_string(most)
            );
        set(*number);
    }

    // 0 is any number in HAProxy.
    void set_maxconn(std::size_t n)
    {
        to_.options.maxconn = n > 0 ? std::optional(n) : std::nullopt;
    }

    void take_weight()
    {
        if (line_.word(next_) == "0")
            return book_.refuse(
                line_.number,
                both(value()),
                "a member without a share is drained: rolegate set-member CLUSTER/MEMBER drain"
            );
        take_number(1, 256, [this](std::size_t n) { to_.options.weight = unsigned(n); });
    }

    void take_port(const std::string& text)
    {
        const auto number = parse_number(text);
        if (!number || *number < 1 || *number > 65535)
            return book_.refuse(line_.number, both(text), "expected a port");
        to_.check_port = static_cast<std::uint16_t>(*number);
    }

    void take_check_host(const std::string& text)
    {
        const server_place place = parse_server(text);
        if (!place.error.empty())
            return book_.refuse(line_.number, both(text), place.error);
        to_.check_host = place.host;
        if (place.port)
            to_.check_port = place.port;
    }

    void take_marked_down(const std::string& action)
    {
        if (action != "shutdown-sessions")
            return book_.refuse(line_.number, both(action), "expected shutdown-sessions");
        to_.shutdown_sessions = true;
    }

    const line& line_;
    server& to_;
    const base_paths& base_;
    ledger& book_;
    std::size_t next_;
    std::string word_;
};

} // namespace

void read_default_server(const line& l, server& defaults, const base_paths& base, ledger& book)
{
    book.use(l.number);
    word_reader(l, 1, defaults, base, book).run();
}

std::optional<server>
read_server(const line& l, const server& defaults, const base_paths& base, ledger& book)
{
    server out = defaults;
    out.number = l.number;
    out.name = l.word(1);
    out.is_template = l.words.front() == "server-template";
    const std::size_t at = out.is_template ? 3 : 2; // server-template PREFIX COUNT ADDRESS
    server_place place = parse_server(l.word(at));
    if (out.is_template && l.word(at).starts_with('_'))
        place.error = "SRV records are not asked for: name the members";
    if (!place.error.empty())
    {
        book.refuse(l.number, l.text(), place.error);
        return std::nullopt;
    }
    out.host = place.host;
    out.port = place.port;
    book.use(l.number);
    word_reader(l, at + 1, out, base, book).run();
    return out;
}

} // namespace rolegate::config::haproxy
