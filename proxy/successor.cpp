// SPDX-License-Identifier: PostgreSQL
#include "proxy/successor.hpp"

#include "proxy/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <spawn.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <system_error>

namespace rolegate::proxy
{

namespace
{

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

// Until it accepts: it waits 10 s for its first view of each cluster, and goes on without.
constexpr auto ready_limit = 15s;

// From its last word to its end; what takes longer is ended.
constexpr auto end_limit = 1s;
constexpr auto end_poll = 10ms;

constexpr int first_fd = 3; // of LISTEN_FDS

// Of a line: what operators have ordered, some 100 bytes a member or a listener.
constexpr std::size_t longest_line = 128 * 1024;

int checked(int result, const char* what)
{
    if (result < 0)
        throw std::system_error(errno, std::generic_category(), what);
    return result;
}

// posix_spawn and its helpers return what others leave in errno.
void check_spawn(int error, const std::string& what)
{
    if (error != 0)
        throw std::system_error(error, std::generic_category(), what);
}

// To be read from its begin.
unique_fd file_with(const std::string& text)
{
    unique_fd file(checked(::memfd_create("rolegate-state", MFD_CLOEXEC), "memfd_create"));
    for (std::size_t done = 0; done < text.size();)
        done += static_cast<std::size_t>(checked(
            static_cast<int>(::write(file.get(), text.data() + done, text.size() - done)), "write"
        ));
    checked(static_cast<int>(::lseek(file.get(), 0, SEEK_SET)), "lseek");
    return file;
}

// What it inherits, in this order from `first_fd` on, and how that is told.
class inheritance
{
public:
    void add(int fd, const std::string& name)
    {
        (names_ += names_.empty() ? "" : ":") += name;
        fds_.push_back(fd);
    }

    // Their places may be taken by one another: each goes there from beyond the last.
    void place(::posix_spawn_file_actions_t& actions)
    {
        const auto beyond = first_fd + static_cast<int>(fds_.size());
        int place = first_fd;
        for (const int fd : fds_)
        {
            const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, beyond);
            copies_.emplace_back(checked(copy, "fcntl"));
            check_spawn(::posix_spawn_file_actions_adddup2(&actions, copy, place++), "dup2");
        }
        check_spawn(::posix_spawn_file_actions_addclosefrom_np(&actions, beyond), "closefrom");
    }

    // Ours, but for what was meant for us alone.
    [[nodiscard]] std::vector<std::string> environment() const
    {
        constexpr std::string_view not_its[] = {
            "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "ROLEGATE_UPGRADES=", "WATCHDOG_PID="};
        std::vector<std::string> all;
        for (char** each = environ; *each; ++each)
        {
            const auto begins = [each](auto name)
            { return std::string_view(*each).starts_with(name); };
            if (std::ranges::none_of(not_its, begins))
                all.emplace_back(*each);
        }
        all.push_back("LISTEN_FDS=" + std::to_string(fds_.size()));
        all.push_back("LISTEN_FDNAMES=" + names_);
        all.push_back("ROLEGATE_UPGRADES=" + std::to_string(::getpid()));
        return all;
    }

private:
    std::vector<int> fds_;
    std::vector<unique_fd> copies_;
    std::string names_;
};

std::vector<char*> pointers_to(std::vector<std::string>& words)
{
    std::vector<char*> all;
    for (auto& w : words)
        all.push_back(w.data());
    all.push_back(nullptr);
    return all;
}

pid_t start(const command_line& how, inheritance what)
{
    ::posix_spawn_file_actions_t actions;
    check_spawn(::posix_spawn_file_actions_init(&actions), "posix_spawn");
    const auto free_actions = [](auto* a) { ::posix_spawn_file_actions_destroy(a); };
    const std::unique_ptr<::posix_spawn_file_actions_t, decltype(free_actions)> owner(
        &actions, free_actions
    );
    what.place(actions);
    auto arguments = how.arguments;
    auto environment = what.environment();
    pid_t pid = -1;
    const int error = ::posix_spawn(
        &pid,
        how.program.c_str(),
        &actions,
        nullptr,
        pointers_to(arguments).data(),
        pointers_to(environment).data()
    );
    check_spawn(error, how.program);
    return pid;
}

} // namespace

successor::successor(
    asio::io_context& control,
    const command_line& how,
    const std::vector<shared_socket>& sockets,
    const std::string& state
)
    : word_(control), timer_(control)
{
    int ends[2];
    checked(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
    word_.assign(asio::local::stream_protocol(), ends[0]);
    const unique_fd its_end(ends[1]);
    const auto file = file_with(state);
    inheritance what;
    for (const auto& s : sockets)
        what.add(s.fd, s.name);
    what.add(file.get(), state_name);
    what.add(its_end.get(), word_name);
    pid_ = start(how, std::move(what));
}

successor::~successor()
{
    reap();
}

void successor::kill() noexcept
{
    if (!ended_)
        ::kill(pid_, SIGKILL);
}

bool successor::reap() noexcept
{
    if (ended_)
        return false;
    // Somebody may have waited for it before us: then nobody knows how it ended.
    const auto found = ::waitpid(pid_, &status_, WNOHANG);
    ended_ = found == pid_ || (found < 0 && errno == ECHILD);
    return ended_;
}

std::string successor::last_words() const
{
    const auto how = WIFSIGNALED(status_)
                         ? "it was ended by signal " + std::to_string(WTERMSIG(status_))
                         : "it ended with exit code " + std::to_string(WEXITSTATUS(status_));
    return complaint_.empty() ? how : how + ": " + complaint_;
}

asio::awaitable<std::string> successor::accepts()
{
    timer_.expires_after(ready_limit);
    timer_.async_wait(
        [this](const boost::system::error_code& stopped)
        {
            if (stopped || accepted_) // it may have been due already when it was cancelled
                return;
            in_time_ = false;
            boost::system::error_code ignored;
            word_.cancel(ignored);
        }
    );
    const auto said = co_await line();
    accepted_ = said == accepting;
    if (said.starts_with(failing))
        complaint_ = said.substr(std::string_view(failing).size());
    timer_.cancel();
    if (accepted_)
        co_return "";
    auto why = co_await end();
    co_return why;
}

// "" at the end, and when it writes nonsense.
asio::awaitable<std::string> successor::line()
{
    auto buffer = asio::dynamic_buffer(read_, longest_line);
    const auto [ec, n] = co_await asio::async_read_until(word_, buffer, '\n', nothrow);
    if (ec && ec != asio::error::eof && ec != asio::error::operation_aborted)
        log::line(config::log_level::warning, "successor_unheard")
            .add("successor", pid_)
            .text("error", ec == asio::error::not_found ? "a line is too long" : ec.message());
    if (ec)
        co_return "";
    auto text = read_.substr(0, n - 1);
    read_.erase(0, n);
    co_return text;
}

asio::awaitable<std::string> successor::end()
{
    const auto give_up = std::chrono::steady_clock::now() + (in_time_ ? end_limit : 0s);
    bool killed = false;
    while (!ended_)
    {
        timer_.expires_after(end_poll);
        static_cast<void>(co_await timer_.async_wait(nothrow));
        reap();
        if (!ended_ && !killed && std::chrono::steady_clock::now() >= give_up)
        {
            killed = true;
            kill();
        }
    }
    if (killed && complaint_.empty())
        co_return "it did not accept in time";
    co_return last_words();
}

} // namespace rolegate::proxy
