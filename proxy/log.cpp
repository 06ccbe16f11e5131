// SPDX-License-Identifier: PostgreSQL
#include "proxy/log.hpp"

#include "proxy/log_text.hpp"
#include "proxy/log_writer.hpp"
#include "proxy/repeats.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <mutex>

#include <sys/stat.h>
#include <unistd.h>

namespace rolegate::proxy::log
{

namespace
{

using namespace std::chrono_literals;
using config::log_level;

constexpr auto repeat_window = 10s;

// At the end of the process; somebody is waiting for that, too.
constexpr auto flush_limit = 1s;

// What the same internal error is worth.
constexpr unsigned internal_errors_told = 5;

std::atomic<log_level> least{log_level::info};
std::atomic<form> current_form{form::text};
std::atomic<config::session_log> sessions_told{config::session_log::all};

std::string time_text()
{
    const auto now = std::chrono::system_clock::now();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - seconds).count();
    const std::time_t t = std::chrono::system_clock::to_time_t(seconds);

    // localtime_r takes a lock, and a second has many lines.
    thread_local std::time_t known = -1;
    thread_local std::array<char, 24> date{};
    thread_local std::array<char, 16> zone{}; // +01:00
    if (t != known)
    {
        std::tm local{};
        ::localtime_r(&t, &local);
        std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &local);
        const auto minutes = local.tm_gmtoff / 60;
        const auto away = std::abs(minutes);
        std::snprintf(
            zone.data(),
            zone.size(),
            "%c%02ld:%02ld",
            minutes < 0 ? '-' : '+',
            away / 60 % 100,
            away % 60
        );
        known = t;
    }
    std::array<char, 8> fraction{};
    std::snprintf(fraction.data(), fraction.size(), ".%03d", static_cast<int>(ms));
    return std::string(date.data()) + fraction.data() + zone.data();
}

// systemd tells which stream its journal reads, sd_journal_stream_fd(3).
bool is_journal(int fd)
{
    const char* told = std::getenv("JOURNAL_STREAM");
    struct ::stat is
    {
    };
    if (!told || ::fstat(fd, &is) != 0)
        return false;
    return told == std::to_string(is.st_dev) + ":" + std::to_string(is.st_ino);
}

form form_of(config::log_format format)
{
    if (format == config::log_format::json)
        return form::json;
    return is_journal(STDERR_FILENO) ? form::journal : form::text;
}

bool is_important(log_level level)
{
    return level == log_level::warning || level == log_level::error;
}

// The thread that writes, and what it has to tell of its own accord.
class service
{
public:
    void push(std::string line, log_level level)
    {
        writer_.push(std::move(line), is_important(level));
    }

    [[nodiscard]] std::optional<std::size_t>
    note(std::string_view what, log_level level, unsigned at_most)
    {
        const std::lock_guard lock(mutex_);
        return repeats_.note(what, level, at_most, std::chrono::steady_clock::now());
    }

    // What has been kept back so far, in the form that it was noted in.
    void tell_repeats()
    {
        tell(
            [this]
            {
                const std::lock_guard lock(mutex_);
                return repeats_.all();
            }()
        );
    }

    void flush()
    {
        tell_repeats();
        writer_.flush(flush_limit);
    }

    [[nodiscard]] std::uint64_t dropped() const { return writer_.dropped(); }

private:
    void tell(const std::vector<repeats::kept_back>& all)
    {
        for (const auto& each : all)
        {
            auto r = record::again(current_form, each.level, time_text(), each.what);
            r.number("repeated", static_cast<std::int64_t>(each.count));
            push(std::move(r).take(), each.level);
        }
    }

    // On the writer's thread.
    void each_second()
    {
        std::vector<repeats::kept_back> ended;
        {
            const std::lock_guard lock(mutex_);
            ended = repeats_.ended(std::chrono::steady_clock::now());
        }
        tell(ended);
        const auto lost = writer_.dropped();
        if (lost == lost_told_ || !writer_.has_room())
            return;
        line(log_level::warning, "log_dropped")
            .add("count", static_cast<std::int64_t>(lost - lost_told_));
        lost_told_ = lost;
    }

    std::mutex mutex_;
    repeats repeats_{repeat_window};
    std::uint64_t lost_told_ = 0;
    log_writer writer_{STDERR_FILENO, log_writer::usual_capacity, [this] { each_second(); }};
};

std::atomic<service*> running{nullptr};

// It is never destroyed: its thread may be waiting for a reader that has stopped, and others may
// have something to say to the last.
void start()
{
    static service& s = *std::make_unique<service>().release();
    running = &s;
}

void write(std::string line, log_level level)
{
    if (auto* s = running.load())
        return s->push(std::move(line), level);
    static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
}

} // namespace

void init(log_level level, config::log_format format, config::session_log sessions)
{
    least = level;
    const auto next = form_of(format);
    if (auto* s = running.load(); s && next != current_form)
        s->tell_repeats();
    current_form = next;
    sessions_told = sessions;
    start();
}

void flush()
{
    if (auto* s = running.load())
        s->flush();
}

std::uint64_t dropped()
{
    const auto* s = running.load();
    return s ? s->dropped() : 0;
}

bool wants_session_end(bool well)
{
    switch (sessions_told.load())
    {
    case config::session_log::none:
        return false;
    case config::session_log::errors:
        return !well;
    case config::session_log::all:
        break;
    }
    return true;
}

std::string quoted(std::string_view text, std::size_t limit)
{
    std::string out;
    append_quoted(out, text, limit);
    return out;
}

line::line(log_level level, std::string_view event)
    : level_(level), wanted_(level >= least.load()), event_(event)
{
    if (wanted_)
        record_ = record(current_form, level, time_text(), event);
}

line::~line()
{
    if (wanted_)
        write(std::move(record_).take(), level_);
}

line& line::add(std::string_view key, std::string_view value)
{
    if (wanted_)
        record_.word(key, value);
    return *this;
}

line& line::add(std::string_view key, std::int64_t value)
{
    if (wanted_)
        record_.number(key, value);
    return *this;
}

line& line::name(std::string_view key, std::string_view value)
{
    if (value.empty())
        return add(key, value);
    if (wanted_)
        record_.text(key, value, record::short_text);
    return *this;
}

line& line::text(std::string_view key, std::string_view value)
{
    if (wanted_)
        record_.text(key, value);
    return *this;
}

line& line::limit(unsigned at_most, fields alike)
{
    auto* s = running.load();
    if (!wanted_ || !s)
        return *this;
    record what(current_form, level_, "", event_);
    for (const auto& [key, value] : alike)
        what.text(key, value);
    const auto kept_back = s->note(what.body(), level_, at_most);
    if (!kept_back)
        wanted_ = false;
    else if (*kept_back > 0)
        record_.number("repeated", static_cast<std::int64_t>(*kept_back));
    return *this;
}

void internal_error(const std::exception_ptr& e)
{
    std::string error = "unknown";
    try
    {
        std::rethrow_exception(e);
    }
    catch (const std::exception& x)
    {
        error = x.what();
    }
    catch (...)
    {
    }
    line(log_level::error, "internal_error")
        .limit(internal_errors_told, {{"error", error}})
        .text("error", error);
}

} // namespace rolegate::proxy::log
