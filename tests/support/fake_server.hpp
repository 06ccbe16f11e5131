// SPDX-License-Identifier: PostgreSQL
//
// What the scripted servers share: a port of their own, a thread for every connection, TLS where
// wanted.
#pragma once

#include "tests/support/run_until.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace rolegate::support
{

// PEM files. `ca` is that of the clients' certificates: set, a client without one is refused.
struct server_tls
{
    std::string cert;
    std::string key;
    std::string client_ca;
};

// The server's end of one connection, plain or TLS; blocking, each call for a limited time.
class transport
{
public:
    transport(int fd, const server_tls& tls);
    ~transport();
    transport(const transport&) = delete;
    transport& operator=(const transport&) = delete;

    std::string read_some(); // "" = it is over
    void write(const std::string& data);

    // Nothing is left to be said: the peer has gone, or something else has broken it.
    [[nodiscard]] bool usable() const noexcept { return usable_; }

    // The peer has said something, if only that it leaves.
    [[nodiscard]] bool stirs() const;

private:
    struct session;

    int fd_;
    std::unique_ptr<session> session_;
    bool usable_ = true;
};

class fake_server
{
public:
    using handler = std::function<void(transport&)>;

    // `serve` runs on the connection's own thread.
    fake_server(server_tls tls, handler serve);
    ~fake_server();
    fake_server(const fake_server&) = delete;
    fake_server& operator=(const fake_server&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] bool encrypts() const noexcept { return !tls_.cert.empty(); }

    // Connects are refused, until listen().
    void refuse();
    void listen();

    // Ends every connection, as a process does that is killed.
    void end_all();

    // Refuses, ends all and waits for the handlers: before what they use goes away.
    void stop();

    [[nodiscard]] std::size_t connections() const;

private:
    struct connection;

    void accept_all(int fd);
    [[nodiscard]] int bound_socket() const;

    server_tls tls_;
    handler serve_;
    int reserved_ = -1; // bound, never listens: keeps the port ours
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::thread acceptor_;
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<connection>> connections_;
};

} // namespace rolegate::support
