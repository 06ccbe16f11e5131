// SPDX-License-Identifier: PostgreSQL
#include "proxy/predecessor.hpp"

#include "proxy/inherited_sockets.hpp"
#include "proxy/log.hpp"
#include "proxy/successor.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <utility>

namespace rolegate::proxy
{

namespace
{

std::string text_in(int file)
{
    std::string text;
    std::array<char, 4096> part{};
    for (;;)
    {
        const auto n = ::read(file, part.data(), part.size());
        if (n <= 0)
            return text;
        text.append(part.data(), static_cast<std::size_t>(n));
    }
}

// Open until this process accepts. Not a predecessor's, for whoever fails may have lost that
// already, or never have come to look for one.
unique_fd& way_back()
{
    static unique_fd fd;
    return fd;
}

// A sentence; more would be cut in the log.
constexpr std::size_t longest_complaint = 512;

} // namespace

void tell_failed(std::string_view why)
{
    inherited().adopt_environment();
    if (!way_back().is_open())
        way_back() = inherited().take_named(word_name);
    if (!way_back().is_open())
        return;
    const auto sentence = why.substr(0, std::min(why.find('\n'), longest_complaint));
    const auto line = failing + std::string(sentence) + "\n";
    const auto n = // there is room: it is the first word
        ::send(way_back().get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    static_cast<void>(n);
    way_back().reset();
}

std::optional<predecessor> predecessor::find(boost::asio::io_context& control)
{
    const auto state = inherited().take_named(state_name);
    auto word = inherited().take_named(word_name);
    if (!word.is_open())
        return std::nullopt;
    way_back() = unique_fd(::fcntl(word.get(), F_DUPFD_CLOEXEC, 0));
    predecessor p(control);
    p.word_.assign(boost::asio::local::stream_protocol(), word.get());
    word.release();
    if (auto left = handed_over_from(text_in(state.get())))
    {
        p.left_ = *std::move(left);
        inherited().own_files(p.left_.socket_files);
    }
    else // of another version: the sockets alone are worth it
        log::line(config::log_level::warning, "state_unreadable")
            .text("text", "what the process before has left cannot be read; it starts afresh");
    return p;
}

void predecessor::tell(std::string_view line)
{
    way_back().reset();
    (unsent_ += line) += '\n';
    send();
}

void predecessor::tell_orders(std::string line)
{
    orders_ = std::move(line) + '\n';
    send();
}

// It reads all the time, but not all at once. Half a line is never given up: the next would be
// read as its end.
void predecessor::send()
{
    constexpr int how = MSG_NOSIGNAL | MSG_DONTWAIT;
    while (word_.is_open() && !waits_)
    {
        if (unsent_.empty())
            unsent_.swap(orders_);
        if (unsent_.empty())
            return;
        const auto n = ::send(word_.native_handle(), unsent_.data(), unsent_.size(), how);
        if (n >= 0)
            unsent_.erase(0, static_cast<std::size_t>(n));
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            wait_for_room();
        else if (errno != EINTR)
            return; // it has ended, and await_end() finds out
    }
}

void predecessor::wait_for_room()
{
    waits_ = true;
    word_.async_wait(
        boost::asio::socket_base::wait_write,
        [this](const boost::system::error_code& stopped)
        {
            if (stopped)
                return;
            waits_ = false;
            send();
        }
    );
}

// It says nothing: what can be read is the end.
void predecessor::await_end()
{
    word_.async_wait(
        boost::asio::socket_base::wait_read,
        [this](const boost::system::error_code& stopped)
        {
            if (!stopped)
                word_.close();
        }
    );
}

} // namespace rolegate::proxy
