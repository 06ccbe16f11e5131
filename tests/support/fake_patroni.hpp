// SPDX-License-Identifier: PostgreSQL
//
// Patroni's REST API as a script: HTTP/1.0, an answer that ends with the connection, over TLS
// where wanted.
#pragma once

#include "tests/support/fake_server.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace rolegate::support
{

// What is sent for a request, piece by piece, before the FIN.
struct reply
{
    std::vector<std::string> pieces;
    bool silent = false; // nothing more and no FIN until the client has gone

    [[nodiscard]] static reply json(const std::string& body, int status = 200);
    [[nodiscard]] static reply in_bytes(const std::string& body); // every byte a piece
    [[nodiscard]] static reply nothing() { return {}; }
    [[nodiscard]] static reply silence() { return {{}, true}; }
};

class fake_patroni
{
public:
    fake_patroni();
    explicit fake_patroni(server_tls tls);

    [[nodiscard]] std::uint16_t port() const noexcept { return server_.port(); }
    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
    [[nodiscard]] std::string url() const;

    // For requests of this path from now on; "" = of any path without an answer of its own.
    void answer(const std::string& path, reply r);

    // Connects are refused, until listen().
    void refuse() { server_.refuse(); }
    void listen() { server_.listen(); }

    [[nodiscard]] std::size_t requests(const std::string& path) const;
    [[nodiscard]] std::size_t requests() const;
    [[nodiscard]] std::size_t connections() const { return server_.connections(); }
    [[nodiscard]] std::size_t most_at_once() const;

private:
    void serve(transport& t);
    [[nodiscard]] reply reply_for(const std::string& path);

    mutable std::mutex mutex_;
    std::map<std::string, reply> replies_;
    std::map<std::string, std::size_t> requests_;
    std::size_t now_ = 0;
    std::size_t most_ = 0;
    fake_server server_; // last: its handlers use the above
};

// A Patroni cluster of scripted REST APIs: members a, b, c...; the first one leads.
class fake_cluster
{
public:
    explicit fake_cluster(std::size_t size, const server_tls& tls = {});

    [[nodiscard]] fake_patroni& operator[](const std::string& name);

    // What every member answers from now on. "" = nobody holds the lock.
    void lead(const std::string& name);
    void list(const std::string& name);
    void unlist(const std::string& name);
    void lose_dcs();                                         // nobody can read it
    void place(const std::string& name, std::uint16_t port); // where its PostgreSQL listens

    [[nodiscard]] std::string cluster_body(const std::string& scope = "demo") const;
    [[nodiscard]] std::string
    member_body(const std::string& name, const std::string& scope = "demo") const;

private:
    struct node
    {
        std::string name;
        std::unique_ptr<fake_patroni> rest;
        bool listed = true;
        std::uint16_t port = 5432;
    };

    [[nodiscard]] node& find(const std::string& name);

    std::vector<node> nodes_;
    std::string leader_;
    std::string last_leader_;
    int timeline_ = 1;
};

} // namespace rolegate::support
