// SPDX-License-Identifier: PostgreSQL
//
// A PostgreSQL that does what a script says. Every connection has a thread of its own, on which
// the script runs once, and is closed when it returns. Scripts report nothing themselves: tests
// look at what has been received.
#pragma once

#include "tests/support/client.hpp"
#include "tests/support/fake_server.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace rolegate::support
{

using script = std::function<void(stream&)>;

// Says N to encryption requests, accepts the login, answers every Query and ends on Terminate or
// FIN. "begin" and "commit" change the status in ReadyForQuery; "wait" is not
// answered before a Flush comes.
[[nodiscard]] script serving();

// Like serving() once the startup packet is in: for scripts that have played the beginning.
void serve_queries(stream& s);

// Reads the startup packet after saying N to encryption requests; empty if none comes.
byte_vector take_startup(stream& s);

[[nodiscard]] script refusing_startup(const byte_vector& error); // e.g. fatal("57P03", "...")
// A server with TLS: says S to SSLRequest and plays `inside`; whoever comes in clear text gets the
// other.
[[nodiscard]] script with_tls(const server_tls& tls, script inside, script in_clear);

// The same with a pg_hba.conf that lets nobody in without TLS.
[[nodiscard]] script only_tls(const server_tls& tls, script inside = serving());

[[nodiscard]] script silent();    // takes everything, answers nothing
[[nodiscard]] script resetting(); // RST as soon as something has been read
[[nodiscard]] script one_after_another(std::vector<script> scripts); // the last one stays

class fake_postgres
{
public:
    explicit fake_postgres(script s = serving());
    ~fake_postgres();
    fake_postgres(const fake_postgres&) = delete;
    fake_postgres& operator=(const fake_postgres&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

    // For connections accepted from now on.
    void play(script s);

    void refuse(); // connects are refused; the port stays ours
    void ignore(); // connects are not answered at all
    void listen(); // connects are accepted again

    // Ends every connection, as a server does that is killed.
    void interrupt_all();

    [[nodiscard]] std::size_t accepted() const;
    [[nodiscard]] std::size_t open() const; // connections whose script still plays
    [[nodiscard]] byte_vector received(std::size_t nth = 0) const;
    [[nodiscard]] std::size_t received_size(std::size_t nth = 0) const;
    [[nodiscard]] ending ended(std::size_t nth = 0) const;
    [[nodiscard]] bool encrypted(std::size_t nth = 0) const;
    [[nodiscard]] std::string peer_name(std::size_t nth = 0) const; // in its certificate
    [[nodiscard]] std::size_t cancel_requests() const; // connections that sent exactly one

private:
    struct connection
    {
        explicit connection(int fd) : peer(fd) {}

        stream peer;
        std::atomic<bool> done{false};
        std::thread thread;
    };

    void stop_listening();
    void accept_all(int fd);
    [[nodiscard]] int bound_socket() const;

    int reserved_ = -1; // bound, never listens: keeps the port ours
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::vector<int> fillers_;
    std::thread acceptor_;
    mutable std::mutex mutex_;
    script script_;
    std::vector<std::unique_ptr<connection>> connections_;
};

} // namespace rolegate::support
