// SPDX-License-Identifier: PostgreSQL
//
// One end of a TCP connection, a client's or a scripted server's, and what PostgreSQL says over
// it. Calls block, each for a limited time: what would hang a test ends it instead.
#pragma once

#include "tests/support/bytes.hpp"
#include "tests/support/run_until.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

struct ssl_ctx_st; // OpenSSL's SSL_CTX

namespace rolegate::support
{

class raw_peer;
struct server_tls;

// How the peer's side has ended.
enum class ending
{
    none,
    fin,   // inside TLS: with a close_notify
    cut,   // inside TLS: FIN without one
    reset, // or an alert
};

class stream
{
public:
    // Takes over a connected socket.
    explicit stream(int fd);
    ~stream();
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;

    // False: not all was taken, because the peer has broken the connection or the limit passed.
    bool send(const byte_vector& data);

    // As much as the kernel takes without waiting; the number of bytes.
    std::size_t send_some(const byte_vector& data);

    // Fewer than `size` bytes only when the peer has ended or the limit has passed.
    byte_vector receive(std::size_t size, std::chrono::milliseconds limit = patience);
    byte_vector receive_to_end(std::chrono::milliseconds limit = patience);

    // A first packet (Int32 length, body), or a message (Byte1 type, Int32 length, body); empty
    // when the peer has ended before.
    byte_vector receive_packet();
    byte_vector receive_message();

    // These bytes, which stay where they are; in clear text only. Fewer as above.
    byte_vector peek(std::size_t size);

    // TLS from here on: all the other calls are about what is inside it. False: there was no
    // handshake, and tls_error() says why.
    bool start_tls(const std::function<void(ssl_ctx_st*)>& prepare = [](ssl_ctx_st*) {});
    bool accept_tls(const server_tls& tls);
    [[nodiscard]] bool encrypted() const;
    [[nodiscard]] const std::string& tls_error() const noexcept { return tls_error_; }

    // The CN of the certificate that the other side has shown; "" if none.
    [[nodiscard]] std::string peer_name() const;

    // Nothing has come, and nothing has ended.
    [[nodiscard]] bool quiet() const;

    void finish_sending(); // close_notify, FIN
    void close();
    void reset(); // RST, whatever is under way

    // Wakes whoever blocks in a call above, from any thread.
    void interrupt();

    [[nodiscard]] ending ended() const;
    [[nodiscard]] byte_vector received() const; // every byte so far; from any thread
    [[nodiscard]] std::size_t received_size() const;
    [[nodiscard]] int fd() const noexcept { return fd_; }

    // Large transfers are compared by their owner, not kept here.
    void stop_recording();

private:
    struct attempt;

    attempt take(std::byte* room, std::size_t size);
    attempt give(const std::byte* data, std::size_t size);
    bool shake_hands(raw_peer peer);
    byte_vector receive_until(std::size_t size, std::chrono::milliseconds limit, bool to_end);
    void note(const byte_vector& data);
    void note_end(ending how);

    int fd_;
    std::unique_ptr<raw_peer> tls_;
    mutable std::mutex tls_mutex_; // one thread may send while another receives
    std::string tls_error_;
    mutable std::mutex mutex_;
    bool recording_ = true;
    byte_vector received_;
    std::size_t received_size_ = 0;
    ending ended_ = ending::none;
};

struct unconnected_tag
{
};
inline constexpr unconnected_tag unconnected;

// Connects to a numeric address, IPv4 or IPv6; throws std::system_error.
class client : public stream
{
public:
    explicit client(std::uint16_t port, const std::string& address = "127.0.0.1");

    // With a receive buffer this small: what is not read soon stops the sender.
    client(std::uint16_t port, int receive_buffer);

    // A socket only, for connect() at a moment when no further descriptor can be had.
    explicit client(unconnected_tag);
    void connect(std::uint16_t port);
};

// What connect() says; 0 is success.
[[nodiscard]] int connect_error(std::uint16_t port, const std::string& address = "127.0.0.1");

// SSLRequest, S, and the handshake.
bool ask_for_tls(
    client& c, const std::function<void(ssl_ctx_st*)>& prepare = [](ssl_ctx_st*) {}
);

// --- what clients say ---

[[nodiscard]] byte_vector startup(); // StartupMessage 3.0, user=u database=postgres
[[nodiscard]] byte_vector ssl_request();
[[nodiscard]] byte_vector gssenc_request();
[[nodiscard]] byte_vector cancel_request();
[[nodiscard]] byte_vector query(std::string_view text);
[[nodiscard]] byte_vector terminate();

// --- what servers say ---

[[nodiscard]] byte_vector login_answer(); // AuthenticationOk, BackendKeyData, ReadyForQuery
[[nodiscard]] byte_vector ready(char status);
[[nodiscard]] byte_vector query_answer(char status);
[[nodiscard]] byte_vector fatal(std::string_view sqlstate, std::string_view text);

// Text of a field of an ErrorResponse ('C' SQLSTATE, 'M' message); "" if these bytes are not
// exactly one ErrorResponse with this field.
[[nodiscard]] std::string error_field(const byte_vector& message, char field);

// `size` bytes that repeat nowhere soon.
[[nodiscard]] byte_vector pattern(std::size_t size, std::uint32_t seed);

} // namespace rolegate::support
