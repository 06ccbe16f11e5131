// SPDX-License-Identifier: PostgreSQL
//
// One client's life. session.cpp tells it in order: first packet, a server found (or waited for),
// the first answer, the relay, the end. session_client.cpp is about the client before that,
// session_server.cpp about the way to a server, session_server_tls.cpp about TLS on it,
// session_events.cpp about what comes from outside, session_operator.cpp about operators. All on
// one worker's thread; the worker owns the session and calls it about what it cannot see itself.
#pragma once

#include "health/topology.hpp"
#include "proxy/client_names.hpp"
#include "proxy/listener_state.hpp"
#include "proxy/opening.hpp"
#include "proxy/peer.hpp"
#include "proxy/relay.hpp"
#include "proxy/session_list.hpp"
#include "proxy/stats.hpp"
#include "proxy/termination.hpp"
#include "proxy/transport.hpp"

#include <boost/asio/awaitable.hpp>
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
    using time_point = std::chrono::steady_clock::time_point;

    session(worker& w, listener_ptr l, std::uint64_t id, unique_fd client, const peer& from);
    ~session();
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    void start();

    // --- what the worker tells a session ---

    // There is a new topology: leave a member that lost the role. True: the relay to that member
    // was ended.
    bool on_topology();

    void on_stale(); // the view of its cluster, and sessions are to end with it
    void on_wake();  // held no longer, perhaps: the door says it is this one's turn

    // About ten times a second while the session is in the worker's list of those that wait.
    void on_sweep(time_point now);

    // About once a second: timeouts.client and timeouts.server, while it relays.
    void on_idle_sweep(relay::tick now);

    // The client has closed its side (told only where watched_client() is not -1).
    void on_client_gone(time_point now);
    [[nodiscard]] int watched_client() noexcept;

    // To end for this reason when it is idle or its transaction ends, or at the deadline.
    void leave_when_idle(errc why, std::optional<time_point> deadline);

    // Another member should serve it: ends it for that if it is idle now, as far as can be seen.
    bool move_on();

    void end(errc why); // now, whatever is under way
    bool kill();        // with the message that is on its way. False: it was to end already
    // Its first packet has been awaited for long enough: somebody else gets the place, at once.
    void give_up_handshake();

    // Which of the worker's lists it is in: that of those which wait for something, or relay.
    bool waits = true;

    [[nodiscard]] bool is_undecided() const noexcept { return phase_ == phase::handshake; }
    [[nodiscard]] const listener_state& listener() const noexcept { return *listener_; }
    [[nodiscard]] const std::string& member() const noexcept { return member_; }
    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
    [[nodiscard]] time_point accepted() const noexcept { return accepted_; }
    [[nodiscard]] session_row describe(time_point now) const;

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
        server_tls,
        first_answer,
        message_end,
        peer_fin,
        goodbye,
    };

    awaitable<void> run();
    awaitable<bool> establish();
    awaitable<bool> open_any_protocol();
    awaitable<bool> start_up();
    awaitable<bool> negotiate();
    awaitable<bool> pass_on_unread();

    awaitable<bool> meet_client();
    bool enter_handshake(bool for_another);
    void end_handshake() noexcept;
    awaitable<bool> read_proxy_header();
    awaitable<bool> accept_direct_tls();
    awaitable<bool> accept_encryption();
    awaitable<bool> secure_client();
    awaitable<bool> read_packet();
    awaitable<void> forward_cancel();
    errc find_listener();
    void move_to(listener_state& l) noexcept;
    void take_new_settings();
    [[nodiscard]] bool settles_encryption() const noexcept;
    [[nodiscard]] std::optional<std::byte> early_byte();
    [[nodiscard]] bool ends_tls() const noexcept;
    [[nodiscard]] bool is_any_protocol() const noexcept;

    awaitable<bool> reach_server();
    awaitable<bool> hold_for(hold::turn why, time_point until);
    hold::turn take_place(time_point now);
    awaitable<bool> go_to_member();
    awaitable<boost::system::error_code> connect_to(const health::member& m);
    awaitable<bool> secure_server(std::string host);
    awaitable<bool> ask_server(pgwire::bytes data);
    awaitable<bool> tell_server(pgwire::bytes data);
    awaitable<bool> hear_server(std::size_t at_least);
    awaitable<bool> tell_client(pgwire::bytes data);
    [[nodiscard]] bool wants_server_tls(const std::string& member) const;
    [[nodiscard]] bool flips_server_tls();
    void count_retry();
    void lose_server(health::life_sign seen = health::life_sign::ended);
    time_point rest_members(time_point now);
    [[nodiscard]] bool has_untried_member(time_point now) const;
    void end_hold(const char* result);

    awaitable<void> say_goodbye(std::string last_words);
    void start_relay();
    void on_half_closed() override;
    void on_relay_end(errc why) override;
    void on_backend_key(pgwire::bytes key) override;
    void on_idle() override;
    void end_at_boundary(errc why);
    void obey_maintenance(bool must_go);
    [[nodiscard]] const char* state_text() const noexcept;
    void try_to_leave(time_point now);
    void on_peer_fin_due();
    void finish();
    void record_end();
    void leave_member();
    [[nodiscard]] std::string last_words() const;

    void set_deadline(deadline what, std::chrono::milliseconds after);
    void clear_deadline() noexcept { deadline_ = deadline::none; }
    bool fail(errc why) noexcept;

    worker& worker_;
    listener_ptr listener_; // the first that shares its bind, until it is known which
    std::uint64_t id_;
    transport client_;
    transport server_;
    peer peer_;
    client_names names_;
    hold::visit visit_;
    cancel_keys::entry cancel_key_;

    std::unique_ptr<opening> opening_;
    std::optional<relay> relay_;

    std::string member_;              // "" = none chosen
    member_stats* counted_ = nullptr; // where this session counts as one of `member_`'s
    errc why_ = errc::none;
    phase phase_ = phase::handshake;
    deadline deadline_ = deadline::none;
    errc leaving_ = errc::none; // why it is to end when it is idle
    bool held_ = false;
    bool recorded_ = false;
    time_point deadline_at_{};
    time_point leave_by_ = time_point::max();
    time_point accepted_;
    time_point held_since_{};
    time_point routed_{};                              // a server was connected
    std::chrono::steady_clock::duration waited_{};     // tw
    std::chrono::steady_clock::duration connecting_{}; // tc
    std::uint64_t opening_in_ = 0;                     // bytes that passed before the relay
    std::uint64_t opening_out_ = 0;
};

} // namespace rolegate::proxy
