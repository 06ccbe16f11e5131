// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/watch.hpp"

#include "proxy/cli/colour.hpp"
#include "proxy/cli/format.hpp"
#include "proxy/cli/json_text.hpp"
#include "proxy/cli/reload_text.hpp"

#include <boost/json/parse.hpp>

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <iostream>

#include <unistd.h>

namespace rolegate::proxy::cli
{

namespace
{

using namespace std::chrono_literals;

constexpr auto limit = 5s;
constexpr auto watch_limit = 1s; // Ctrl-C waits for a request that hangs
constexpr ::timespec redraw_every{1, 0};

// The alternate screen leaves the shell's history as it was; long lines are cut, not wrapped.
constexpr const char* enter_screen = "\x1b[?1049h\x1b[?7l";
constexpr const char* leave_screen = "\x1b[?7h\x1b[?1049l";
constexpr const char* clear_screen = "\x1b[H\x1b[2J";

// A configuration that cannot be used.
constexpr int unprocessable = 422;

struct fetched
{
    std::string text;
    std::string error;
    int code = error.empty() ? 0 : 1;
};

// {"error": "..."} in words; else what there is.
std::string refusal(const http_answer& answer)
{
    boost::system::error_code ec;
    const auto said = json::parse(answer.body, ec);
    if (!ec && !at(said, "error").is_null())
        return text_at(said, "error");
    return "HTTP status " + std::to_string(answer.status) + ": " +
           printable(answer.body.substr(0, answer.body.find('\n')).substr(0, 500));
}

// NO_COLOR: see no-color.org.
bool wants_colours(const query& q)
{
    const char* none = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    return q.colours && !(none && *none) && terminal && std::string(terminal) != "dumb" &&
           ::isatty(STDOUT_FILENO) == 1;
}

fetched fetch(const query& q, std::chrono::milliseconds at_most)
{
    const auto answer =
        q.post ? http_post(q.admin, q.path, at_most, q.body) : http_get(q.admin, q.path, at_most);
    const auto where = shown(q.admin);
    if (!answer.error.empty())
        return {
            "",
            "cannot reach the admin HTTP at " + where + ": " + answer.error +
                "\n`-a URL` or the environment's ROLEGATE_ADMIN says where it is"};
    if (answer.status == unprocessable)
        return {"", problems_text(answer.body), 2};
    if (answer.status != 200)
        return {"", where + ": " + refusal(answer)};
    if (!q.render)
        return {answer.body, ""};
    try
    {
        auto text = q.render(answer.body);
        return {wants_colours(q) ? coloured(text) : std::move(text), ""};
    }
    catch (const std::exception& e)
    {
        return {"", where + q.path + ": no answer of Rolegate: " + e.what()};
    }
}

// Blocks the signals that end the watch, so that they are taken where we wait, not in between.
::sigset_t block_end_signals()
{
    ::sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGINT);
    ::sigaddset(&set, SIGTERM);
    ::sigaddset(&set, SIGHUP);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    return set;
}

} // namespace

int show(const query& q)
{
    const auto s = fetch(q, limit);
    if (!s.error.empty())
    {
        std::cerr << "rolegate: " << s.error << '\n';
        return s.code;
    }
    std::cout << s.text << std::flush;
    return std::cout ? 0 : 1;
}

int watch(const query& q)
{
    const bool screen = ::isatty(STDOUT_FILENO) == 1;
    const auto end_signals = block_end_signals();
    if (screen)
        std::cout << enter_screen;
    int ended = -1;
    while (ended < 0 && std::cout)
    {
        const auto s = fetch(q, watch_limit);
        std::cout << (screen ? clear_screen : "")
                  << (s.error.empty() ? s.text : "rolegate: " + s.error + "\n") << std::flush;
        ended = ::sigtimedwait(&end_signals, nullptr, &redraw_every);
    }
    if (screen)
        std::cout << leave_screen << std::flush;
    return std::cout ? 0 : 1;
}

} // namespace rolegate::proxy::cli
