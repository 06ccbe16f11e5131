// SPDX-License-Identifier: PostgreSQL
#include "tests/support/client.hpp"

#include "tests/support/tls_peers.hpp"

#include <openssl/x509.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace rolegate::support
{

namespace
{

using clock = std::chrono::steady_clock;

// False when the limit has passed.
bool wait_for(int fd, short events, clock::time_point until)
{
    for (;;)
    {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()).count();
        ::pollfd p{fd, events, 0};
        const int n = ::poll(&p, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
        if (n > 0)
            return true;
        if (n == 0 || errno != EINTR)
            return false;
    }
}

int checked_socket(int family)
{
    const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        throw std::system_error(errno, std::generic_category(), "socket");
    return fd;
}

void connect_to(int fd, std::uint16_t port, const std::string& address)
{
    ::sockaddr_in v4{};
    ::sockaddr_in6 v6{};
    auto* to = reinterpret_cast<::sockaddr*>(&v4);
    ::socklen_t size = sizeof v4;
    if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1)
    {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
    }
    else
    {
        ::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr);
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        to = reinterpret_cast<::sockaddr*>(&v6);
        size = sizeof v6;
    }
    if (::connect(fd, to, size) != 0)
        throw std::system_error(errno, std::generic_category(), "connect");
}

int connected(std::uint16_t port, const std::string& address, int receive_buffer)
{
    const bool ipv6 = address.find(':') != std::string::npos;
    const int fd = checked_socket(ipv6 ? AF_INET6 : AF_INET);
    if (receive_buffer > 0)
        ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    try
    {
        connect_to(fd, port, address);
    }
    catch (...)
    {
        ::close(fd);
        throw;
    }
    return fd;
}

std::string text_of(const byte_vector& bytes)
{
    std::string out;
    for (const auto b : bytes)
        out += static_cast<char>(b);
    return out;
}

std::size_t length_at(const byte_vector& bytes, std::size_t at)
{
    std::size_t length = 0;
    for (std::size_t i = at; i < at + 4; ++i)
        length = length << 8 | std::to_integer<std::size_t>(bytes[i]);
    return length;
}

} // namespace

stream::stream(int fd) : fd_(fd)
{
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

stream::~stream()
{
    close();
}

// What one call has done that does not wait.
struct stream::attempt
{
    std::size_t size = 0;
    short wait = 0; // for this event before the next; 0: there is no next
    ending how = ending::none;

    static attempt in_clear(::ssize_t n, short event);
    static attempt in_tls(io_result r, const raw_peer& peer);
};

stream::attempt stream::attempt::in_clear(::ssize_t n, short event)
{
    if (n > 0)
        return {static_cast<std::size_t>(n), event, {}};
    if (n == 0)
        return {0, 0, ending::fin};
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return {0, event, {}};
    return {0, 0, ending::reset};
}

stream::attempt stream::attempt::in_tls(io_result r, const raw_peer& peer)
{
    switch (r.status)
    {
    case io_status::done:
    case io_status::want_read:
        return {r.size, POLLIN, {}};
    case io_status::want_write:
        return {0, POLLOUT, {}};
    case io_status::ended:
        return {0, 0, ending::fin};
    case io_status::broken:
        break;
    }
    const bool eof = peer.error() == "unexpected eof while reading";
    return {0, 0, eof ? ending::cut : ending::reset};
}

stream::attempt stream::take(std::byte* room, std::size_t size)
{
    if (!tls_)
        return attempt::in_clear(::recv(fd_, room, size, MSG_DONTWAIT), POLLIN);
    const std::lock_guard lock(tls_mutex_);
    return attempt::in_tls(tls_->read({room, size}), *tls_);
}

stream::attempt stream::give(const std::byte* data, std::size_t size)
{
    if (!tls_)
        return attempt::in_clear(::send(fd_, data, size, MSG_NOSIGNAL | MSG_DONTWAIT), POLLOUT);
    const std::lock_guard lock(tls_mutex_);
    return attempt::in_tls(tls_->write({data, size}), *tls_);
}

bool stream::send(const byte_vector& data)
{
    const auto until = clock::now() + scaled(patience);
    for (std::size_t sent = 0; sent < data.size();)
    {
        const auto a = give(data.data() + sent, data.size() - sent);
        sent += a.size;
        if (a.wait == 0 || (a.size == 0 && !wait_for(fd_, a.wait, until)))
            return false;
    }
    return true;
}

std::size_t stream::send_some(const byte_vector& data)
{
    return give(data.data(), data.size()).size;
}

byte_vector stream::receive(std::size_t size, std::chrono::milliseconds limit)
{
    return receive_until(size, limit, false);
}

byte_vector stream::receive_to_end(std::chrono::milliseconds limit)
{
    return receive_until(0, limit, true);
}

byte_vector stream::receive_until(std::size_t size, std::chrono::milliseconds limit, bool to_end)
{
    const auto until = clock::now() + scaled(limit);
    byte_vector out;
    std::vector<std::byte> room(64 * 1024);
    while (to_end || out.size() < size)
    {
        const auto wanted = to_end ? room.size() : std::min(room.size(), size - out.size());
        const auto a = take(room.data(), wanted);
        if (a.size > 0)
        {
            const byte_vector data(
                room.begin(), room.begin() + static_cast<std::ptrdiff_t>(a.size)
            );
            note(data);
            out.insert(out.end(), data.begin(), data.end());
            continue;
        }
        if (a.wait == 0)
            note_end(a.how);
        if (a.wait == 0 || !wait_for(fd_, a.wait, until))
            break;
    }
    return out;
}

byte_vector stream::peek(std::size_t size)
{
    byte_vector seen(size);
    const bool whole = run_until(
        [&]
        {
            const auto n = ::recv(fd_, seen.data(), size, MSG_PEEK | MSG_DONTWAIT);
            const bool ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
            return ended || n == static_cast<::ssize_t>(size);
        }
    );
    return whole ? seen : byte_vector();
}

bool stream::start_tls(const std::function<void(ssl_ctx_st*)>& prepare)
{
    return shake_hands(raw_peer::client(fd_, prepare));
}

bool stream::accept_tls(const server_tls& tls)
{
    const auto ask = [&tls](SSL_CTX* ctx)
    {
        if (tls.client_ca.empty())
            return;
        ::SSL_CTX_load_verify_file(ctx, tls.client_ca.c_str());
        ::SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    };
    return shake_hands(raw_peer::server(fd_, tls, ask));
}

bool stream::shake_hands(raw_peer peer)
{
    std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes without MSG_NOSIGNAL
    const auto until = clock::now() + scaled(patience);
    for (;;)
    {
        const auto r = peer.handshake();
        if (r.status == io_status::done)
        {
            const std::lock_guard lock(tls_mutex_);
            tls_ = std::make_unique<raw_peer>(std::move(peer));
            return true;
        }
        const auto a = attempt::in_tls(r, peer);
        if (a.wait == 0 || !wait_for(fd_, a.wait, until))
        {
            tls_error_ = peer.error();
            note_end(a.how);
            return false;
        }
    }
}

bool stream::encrypted() const
{
    const std::lock_guard lock(tls_mutex_);
    return tls_ != nullptr;
}

std::string stream::peer_name() const
{
    const std::lock_guard lock(tls_mutex_);
    const auto* shown = tls_ ? ::SSL_get0_peer_certificate(tls_->native()) : nullptr;
    if (!shown)
        return {};
    std::array<char, 256> name{};
    ::X509_NAME_get_text_by_NID(
        ::X509_get_subject_name(shown), NID_commonName, name.data(), static_cast<int>(name.size())
    );
    return name.data();
}

byte_vector stream::receive_packet()
{
    auto packet = receive(4);
    if (packet.size() < 4 || length_at(packet, 0) < 4)
        return {};
    return packet + receive(length_at(packet, 0) - 4);
}

byte_vector stream::receive_message()
{
    auto message = receive(5);
    if (message.size() < 5 || length_at(message, 1) < 4)
        return {};
    return message + receive(length_at(message, 1) - 4);
}

bool stream::quiet() const
{
    ::pollfd p{fd_, POLLIN | POLLRDHUP, 0};
    const std::lock_guard lock(tls_mutex_);
    return ::poll(&p, 1, 0) == 0 && !(tls_ && ::SSL_has_pending(tls_->native()) == 1);
}

void stream::finish_sending()
{
    if (tls_)
    {
        const std::lock_guard lock(tls_mutex_);
        ::SSL_shutdown(tls_->native());
    }
    ::shutdown(fd_, SHUT_WR);
}

void stream::close()
{
    const std::lock_guard lock(mutex_);
    if (fd_ >= 0)
        ::close(fd_);
    fd_ = -1;
}

void stream::reset()
{
    const ::linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
}

void stream::interrupt()
{
    const std::lock_guard lock(mutex_);
    if (fd_ >= 0)
        ::shutdown(fd_, SHUT_RDWR);
}

ending stream::ended() const
{
    const std::lock_guard lock(mutex_);
    return ended_;
}

byte_vector stream::received() const
{
    const std::lock_guard lock(mutex_);
    return received_;
}

std::size_t stream::received_size() const
{
    const std::lock_guard lock(mutex_);
    return received_size_;
}

void stream::stop_recording()
{
    const std::lock_guard lock(mutex_);
    recording_ = false;
}

void stream::note(const byte_vector& data)
{
    const std::lock_guard lock(mutex_);
    received_size_ += data.size();
    if (recording_)
        received_.insert(received_.end(), data.begin(), data.end());
}

void stream::note_end(ending how)
{
    const std::lock_guard lock(mutex_);
    ended_ = how;
}

client::client(std::uint16_t port, const std::string& address) : stream(connected(port, address, 0))
{
}

client::client(std::uint16_t port, int receive_buffer)
    : stream(connected(port, "127.0.0.1", receive_buffer))
{
}

client::client(unconnected_tag) : stream(checked_socket(AF_INET)) {}

void client::connect(std::uint16_t port)
{
    connect_to(fd(), port, "127.0.0.1");
}

bool ask_for_tls(client& c, const std::function<void(ssl_ctx_st*)>& prepare)
{
    return c.send(ssl_request()) && c.receive(1) == bytes_of("S") && c.start_tls(prepare);
}

byte_vector startup()
{
    return hex("00000022 00030000 7573657200 7500 646174616261736500 706f73746772657300 00");
}

byte_vector ssl_request()
{
    return hex("00000008 04d2162f");
}

byte_vector gssenc_request()
{
    return hex("00000008 04d21630");
}

byte_vector cancel_request()
{
    return hex("00000010 04d2162e 00001234 89abcdef");
}

byte_vector query(std::string_view text)
{
    return message('Q', std::string(text) + '\0');
}

byte_vector terminate()
{
    return hex("58 00000004");
}

byte_vector login_answer()
{
    return hex("52 00000008 00000000") + hex("4b 0000000c 00001234 89abcdef") + ready('I');
}

byte_vector ready(char status)
{
    return message('Z', {&status, 1});
}

byte_vector query_answer(char status)
{
    return message('C', std::string("SELECT 1") + '\0') + ready(status);
}

byte_vector fatal(std::string_view sqlstate, std::string_view text)
{
    std::string body;
    for (const std::string_view field : {"SFATAL", "VFATAL", "C"})
        (body += field) += '\0';
    body.pop_back();
    (body += sqlstate) += '\0';
    ((body += 'M') += text) += '\0';
    return message('E', body + '\0');
}

std::string error_field(const byte_vector& message, char field)
{
    const auto text = text_of(message);
    if (text.size() < 6 || text[0] != 'E' || length_at(message, 1) + 1 != text.size())
        return {};
    for (std::size_t at = 5; at < text.size() && text[at] != '\0';)
    {
        const auto end = text.find('\0', at);
        if (end == text.npos)
            return {};
        if (text[at] == field)
            return text.substr(at + 1, end - at - 1);
        at = end + 1;
    }
    return {};
}

byte_vector pattern(std::size_t size, std::uint32_t seed)
{
    byte_vector out(size);
    for (auto& b : out)
    {
        seed = seed * 1664525 + 1013904223;
        b = static_cast<std::byte>(seed >> 24);
    }
    return out;
}

int connect_error(std::uint16_t port, const std::string& address)
{
    try
    {
        const client c(port, address);
        return 0;
    }
    catch (const std::system_error& e)
    {
        return e.code().value();
    }
}

} // namespace rolegate::support
