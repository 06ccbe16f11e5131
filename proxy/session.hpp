// SPDX-License-Identifier: PostgreSQL
//
// One client's life. session.cpp tells it in order: first packet, encryption request, a server
// found (or waited for), the first answer, the relay, the end. Everything runs on one worker's
// thread; the worker owns the session and calls it about what it cannot see itself.
#pragma once

#include "health/member.hpp"
#include "proxy/handshake.hpp"
#include "proxy/listener.hpp"
#include "proxy/relay.hpp"
#include "proxy/stats.hpp"
#include "proxy/termination.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>

#include <memory>
#include <optional>
#include <string>

namespace rolegate::proxy
{

class worker;

class session final : public relay_owner,
                      public boost::intrusive::list_base_hook<
                          boost::intrusive::link_mode<boost::intrusive::auto_unlink>>
{
public:
    using socket = boost::asio::ip::tcp::socket;
    using time_point = std::chrono::steady_clock::time_point;

    session(worker& w, listener_state& l, std::uint64_t id, socket client);
    ~session();
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    void start();

    // --- what the worker tells a session ---

    // There is a new topology: leave a member that lost the role; go on if held. True: the relay to
    // that member was ended.
    bool on_topology();

    // About ten times a second while the session is in the worker's list of those that wait.
    void on_sweep(time_point now);

    // The client has closed its side (told only where watched_client() is not -1).
    void on_client_gone(time_point now);
    [[nodiscard]] int watched_client() noexcept;

    // The process is to end: idle and waiting sessions leave now, the others when they are idle.
    void on_shutdown();

    // End now, whatever is under way.
    void end(errc why);

    [[nodiscard]] const listener_state& listener() const noexcept { return listener_; }
    [[nodiscard]] const std::string& member() const noexcept { return member_; }

    // What has passed so far, while the session is not counted as ended yet.
    void add_live_bytes(member_stats& to) const;

private:
    template <class T> using awaitable = boost::asio::awaitable<T>;

    // What a deadline that passes means.
    enum class deadline
    {
        none,
        handshake,
        connect,
        first_answer,
        peer_fin,
        goodbye,
    };

    awaitable<void> run();
    awaitable<bool> establish();
    awaitable<bool> read_packet();
    awaitable<bool> negotiate();
    awaitable<bool> start_up();
    awaitable<bool> pass_on_unread();
    awaitable<void> forward_cancel();

    awaitable<bool> reach_server();
    awaitable<bool> hold(time_point until);
    awaitable<boost::system::error_code>
    connect_to(const std::string& name, const std::string& address, std::uint16_t port);
    awaitable<bool> ask_server(pgwire::bytes data);
    awaitable<bool> tell_server(pgwire::bytes data);
    awaitable<bool> hear_server(std::size_t at_least);
    awaitable<bool> tell_client(pgwire::bytes data);
    void lose_server(health::life_sign seen = health::life_sign::ended);
    time_point rest_members(time_point now);
    void end_hold(const char* result);

    awaitable<void> say_goodbye(std::string last_words);
    void start_relay();
    void on_half_closed() override;
    void on_relay_end(errc why) override;
    void finish();
    void record_end();
    void leave_member();
    [[nodiscard]] std::string last_words() const;

    void set_deadline(deadline what, std::chrono::milliseconds after);
    void clear_deadline() noexcept { deadline_ = deadline::none; }
    bool fail(errc why) noexcept;

    worker& worker_;
    listener_state& listener_;
    std::uint64_t id_;
    socket client_;
    socket server_;
    boost::asio::ip::tcp::endpoint client_endpoint_;

    // A member that has refused, or said "not now".
    struct refusal
    {
        std::string member;
        time_point until{}; // not to be tried again before
        std::chrono::milliseconds pause{0};
    };

    // Before the relay; gone with it.
    struct opening
    {
        handshake hands;
        std::vector<std::byte> answer;        // the server's first words
        boost::asio::steady_timer timer;      // holds
        bool waiting = false;                 // in hold(), the timer runs
        std::optional<time_point> hold_until; // set when a server is first wanted
        std::vector<std::string> resting;     // members that refused and are not to be tried now
        std::vector<refusal> refusals;        // by member; as many as the listener leads to
        bool client_left = false;             // it has closed its side while a server was sought
        bool role_gone = false; // the server was closed because its member lost the role
        bool said_no = false;   // answered an encryption request with N

        explicit opening(const boost::asio::any_io_executor& ex) : timer(ex) {}
    };
    std::unique_ptr<opening> opening_;
    std::optional<relay> relay_;

    std::string member_;              // "" = none chosen
    member_stats* counted_ = nullptr; // where this session counts as one of `member_`'s
    errc why_ = errc::none;
    phase phase_ = phase::handshake;
    deadline deadline_ = deadline::none;
    bool held_ = false;
    bool leaving_ = false; // the process ends
    bool recorded_ = false;
    time_point deadline_at_{};
    time_point accepted_;
    time_point held_since_{};
    time_point routed_{};                              // a server was connected
    std::chrono::steady_clock::duration waited_{};     // tw
    std::chrono::steady_clock::duration connecting_{}; // tc
    std::uint64_t quiet_at_ = ~0ULL; // bytes from the client at the last look for idleness
    std::uint64_t opening_in_ = 0;   // bytes that passed before the relay
    std::uint64_t opening_out_ = 0;
};

} // namespace rolegate::proxy
