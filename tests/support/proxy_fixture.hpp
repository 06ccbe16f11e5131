// SPDX-License-Identifier: PostgreSQL
//
// Real workers and a real listener on 127.0.0.1, with a topology that the test publishes by hand.
// At its end nothing may be left: no session, no held client, no buffer, no descriptor. Servers
// are declared before it, clients after it.
#pragma once

#include "proxy/listener.hpp"
#include "proxy/worker.hpp"
#include "tests/support/fake_postgres.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace rolegate::support
{

using health::admission;

// One listener that leads to the primary, with limits that only end what hangs.
[[nodiscard]] config::listener_settings
quick_listener(config::listener_role role = config::listener_role::primary);

// TLS ended here, with a certificate for 127.0.0.1.
[[nodiscard]] config::listener_settings
tls_listener(config::listener_role role = config::listener_role::primary);

// One believed member: its verdict for the fixture's role.
struct believed
{
    std::string name;
    std::uint16_t port = 0;
    admission verdict = admission::open;
    std::string host = "127.0.0.1";          // as it is called; its address is the same
    std::string folder = {};                 // of its unix socket, if that is where it listens
    std::vector<std::string> addresses = {}; // if it is not 127.0.0.1 alone
    const char* rule = "";                   // of its verdict
    health::operator_state order = health::operator_state::ready;
};

// What is believed of a cluster with these members; each verdict is that for all its listeners.
[[nodiscard]] std::shared_ptr<health::topology> topology_of(
    const std::vector<believed>& members,
    health::time_point confirmed = health::clock::now(),
    config::listener_role role = config::listener_role::primary,
    std::size_t listeners = 1
);

// Descriptors this process has open.
[[nodiscard]] std::size_t open_descriptors();

// What workers have told the control thread.
class told final : public proxy::worker_observer
{
public:
    void hint(std::size_t, const std::string& member, health::life_sign seen) override
    {
        const std::lock_guard lock(mutex);
        hints.push_back(member);
        signs.push_back(seen);
    }

    void sessions_cut(std::size_t, const std::string& member, std::size_t n) override
    {
        const std::lock_guard lock(mutex);
        cut.push_back(member + " " + std::to_string(n));
    }

    void first_session(std::size_t, const std::string& member) override
    {
        const std::lock_guard lock(mutex);
        first_sessions.push_back(member);
    }

    mutable std::mutex mutex;
    std::vector<std::string> hints;
    std::vector<health::life_sign> signs;
    std::vector<std::string> cut;
    std::vector<std::string> first_sessions;
};

class proxy_fixture
{
public:
    explicit proxy_fixture(
        config::listener_settings settings = quick_listener(),
        std::size_t workers = 1,
        config::cluster_settings cluster = {},
        std::size_t maxconn = static_cast<std::size_t>(-1) // of the process
    );
    ~proxy_fixture();
    proxy_fixture(const proxy_fixture&) = delete;
    proxy_fixture& operator=(const proxy_fixture&) = delete;

    // What all workers believe from now on; a new generation each time.
    void believe(const std::vector<believed>& members);

    // The same members, but last confirmed longer than stale_after ago.
    void believe_stale(
        const std::vector<believed>& members,
        config::stale_action then = config::stale_action::refuse_new
    );

    // For sessions yet to come.
    void use_tls(const proxy::listener_tls_contexts& tls);

    void stop_listening();
    void begin_shutdown();
    void cut_all();

    // Throws the workers away with whatever sessions they have.
    void stop_workers();

    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] proxy::hold& door() noexcept { return state_->door; }
    [[nodiscard]] proxy::process_state& process() noexcept { return process_; }
    [[nodiscard]] const std::vector<std::string>& bound() const noexcept { return bound_; }
    [[nodiscard]] proxy::listener_stats stats();
    [[nodiscard]] std::size_t sessions();
    [[nodiscard]] std::vector<std::size_t> sessions_by_worker();
    [[nodiscard]] std::size_t held() { return stats().held; }
    [[nodiscard]] std::size_t relaying();      // sessions counted as some member's
    [[nodiscard]] std::size_t parked();        // relay buffers that hold bytes
    [[nodiscard]] std::uint64_t allocations(); // by the workers' threads so far
    [[nodiscard]] std::vector<std::string> hints() const;
    [[nodiscard]] std::vector<health::life_sign> signs() const; // the hints' reasons
    [[nodiscard]] std::vector<std::string> cut() const;         // "MEMBER N"
    [[nodiscard]] std::vector<std::string> first_sessions() const;

    // Sessions ended with these two letters, whatever their member.
    [[nodiscard]] std::size_t ended(const std::string& termination);
    [[nodiscard]] std::size_t ended();

private:
    void publish(
        const std::vector<believed>& members,
        health::time_point confirmed,
        config::stale_action when_stale
    );
    [[nodiscard]] proxy::listener_ptr state_with(
        const config::listener_settings& settings,
        const config::cluster_settings& cluster,
        const proxy::listener_tls_contexts& tls,
        const proxy::listener_state* before
    );
    void expect_nothing_left();

    std::size_t descriptors_before_;
    std::vector<std::unique_ptr<proxy::worker>> workers_;
    proxy::process_state process_;
    const std::shared_ptr<proxy::doorway> way_;
    proxy::listener_ptr state_;
    told told_;
    std::vector<std::unique_ptr<proxy::listener>> listeners_; // one for each bind
    std::vector<std::string> bound_;
    std::uint64_t generation_ = 0;
};

// A client that has logged in through the proxy and is idle.
class logged_in_client : public client
{
public:
    explicit logged_in_client(proxy_fixture& proxy);
};

// The same inside TLS, asked for with SSLRequest.
class tls_client : public client
{
public:
    explicit tls_client(proxy_fixture& proxy);
};

} // namespace rolegate::support
