// SPDX-License-Identifier: PostgreSQL
#include "proxy/tls_stream.hpp"

#include "tests/support/run_until.hpp"
#include "tests/support/tls_peers.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <vector>

using namespace rolegate;
using namespace rolegate::support;

namespace
{

constexpr std::size_t megabyte = 1024 * 1024;

// --- much data ---------------------------------------------------------------------------------

byte_vector pattern(std::size_t size, unsigned seed)
{
    byte_vector data(size);
    for (std::size_t i = 0; i < size; ++i)
        data[i] = static_cast<std::byte>((i * 2654435761U + seed) >> 7 & 0xff);
    return data;
}

// One direction of a conversation, in pieces of sizes that fit nothing.
template <class From, class To> class flow
{
public:
    flow(From& from, To& to, std::size_t total, unsigned seed)
        : from_(from), to_(to), total_(total), data_(pattern(total, seed)), copy_(data_)
    {
    }

    [[nodiscard]] bool finished() const { return received_ == total_; }
    [[nodiscard]] bool good() const { return good_; }

    // True when a byte has moved.
    bool turn()
    {
        const auto before = sent_ + received_;
        send();
        receive();
        return sent_ + received_ != before;
    }

private:
    void send()
    {
        if (left_ == 0)
            left_ = std::min(sizes[piece_++ % sizes.size()], total_ - sent_);
        if (left_ == 0)
            return;
        // Elsewhere in memory each time.
        const std::span from(turn_++ % 2 == 0 ? data_ : copy_);
        const auto r = from_.write(from.subspan(sent_, left_));
        good_ = good_ && r.status != io_status::broken && r.status != io_status::ended;
        sent_ += r.size;
        left_ -= r.size;
    }

    void receive()
    {
        const auto r = to_.read(std::span(room_).first(sizes[rooms_++ % sizes.size()]));
        good_ = good_ && r.status != io_status::broken && r.status != io_status::ended;
        good_ = good_ && r.size <= total_ - received_ &&
                std::memcmp(room_.data(), data_.data() + received_, r.size) == 0;
        received_ += r.size;
    }

    static constexpr std::array<std::size_t, 7> sizes{1, 7, 1021, 16384, 16385, 65543, 5};

    From& from_;
    To& to_;
    std::size_t total_;
    byte_vector data_;
    byte_vector copy_;
    byte_vector room_ = byte_vector(65543);
    std::size_t sent_ = 0;
    std::size_t left_ = 0; // of the piece that is offered
    std::size_t received_ = 0;
    std::size_t piece_ = 0;
    std::size_t rooms_ = 3;
    std::size_t turn_ = 0;
    bool good_ = true;
};

// One record is a number of turns in which no byte comes out.
template <class There, class Back, class Between>
bool run_both(There& there, Back& back, const Between& between)
{
    for (int idle_turns = 0; idle_turns < 1000; ++idle_turns)
    {
        between();
        if (there.turn() | back.turn())
            idle_turns = 0;
        if (there.finished() && back.finished())
            return true;
    }
    return false;
}

// What the peer's peer sends of them.
void count_key_updates(raw_peer& peer, int& count)
{
    ::SSL_set_msg_callback(
        peer.native(),
        [](int sent, int, int type, const void* data, std::size_t size, SSL*, void* counter)
        {
            if (sent == 0 && type == SSL3_RT_HANDSHAKE && size > 0 &&
                *static_cast<const unsigned char*>(data) == SSL3_MT_KEY_UPDATE)
                ++*static_cast<int*>(counter);
        }
    );
    ::SSL_ctrl(peer.native(), SSL_CTRL_SET_MSG_CALLBACK_ARG, 0, &count);
}

// --- waiting as a worker does ------------------------------------------------------------------

bool wait_for(int fd, io_status what)
{
    const short events = what == io_status::want_write ? POLLOUT : POLLIN;
    ::pollfd p{fd, events, 0};
    return ::poll(&p, 1, static_cast<int>(scaled(patience).count())) == 1;
}

bool handshake_on(tls_stream& s, int fd)
{
    for (;;)
    {
        const auto status = s.handshake().status;
        if (is_final(status))
            return status == io_status::done;
        if (!wait_for(fd, status))
            return false;
    }
}

bool write_on(tls_stream& s, int fd, std::span<const std::byte> data)
{
    while (!data.empty())
    {
        const auto r = s.write(data);
        data = data.subspan(r.size);
        if (r.status != io_status::done && (is_final(r.status) || !wait_for(fd, r.status)))
            return false;
    }
    return true;
}

// Waits after every short read, unless something is known to be there.
byte_vector read_to_end_on(tls_stream& s, int fd)
{
    byte_vector all;
    byte_vector room(50000);
    for (;;)
    {
        const auto r = s.read(room);
        all.insert(all.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(r.size));
        if (r.status == io_status::ended || r.status == io_status::broken)
            return all;
        const auto next = r.status == io_status::done ? io_status::want_read : r.status;
        if (r.size < room.size() && !s.has_buffered() && !wait_for(fd, next))
            return all;
    }
}

} // namespace

TEST_SUITE("tls_stream: bytes")
{
    TEST_CASE("megabytes both ways at once, in odd pieces, through tiny sockets")
    {
        connection c(true);
        flow there(c.client, c.server, 10 * megabyte, 1);
        flow back(c.server, c.client, 10 * megabyte, 2);
        CHECK(run_both(there, back, [] {}));
        CHECK(there.finished());
        CHECK(back.finished());
        CHECK(there.good());
        CHECK(back.good());
        CHECK(talk(c.server, c.client));
    }

    TEST_CASE("keys are updated while data flows both ways")
    {
        wire w(true);
        auto server = tls_stream::accept(terminating(), w.ours());
        auto client = raw_peer::client(w.theirs());
        REQUIRE(shake_hands(server, client).good());
        flow there(client, server, 2 * megabyte, 1);
        flow back(server, client, 2 * megabyte, 2);
        // One at a time (rfc8446bis, KeyUpdate): a second one that overtakes the answer to the
        // first, while a record of ours is half sent, makes OpenSSL 3.0 give up ("bad length").
        int answers = 0;
        count_key_updates(client, answers);
        int updates = 0;
        const auto update = [&]
        {
            // Refused while a record of the client's is half sent.
            if (updates == answers &&
                ::SSL_key_update(client.native(), SSL_KEY_UPDATE_REQUESTED) == 1)
                ++updates;
        };
        CHECK(run_both(there, back, update));
        CHECK(updates > 20);
        CHECK(answers >= updates - 1);
        CHECK(there.finished());
        CHECK(back.finished());
        CHECK(there.good());
        CHECK(back.good());
        CHECK(server.error() == "");
    }

    TEST_CASE("the answer to a key update that is stuck does not break a small write")
    {
        wire w(true);
        auto server = tls_stream::accept(terminating(), w.ours());
        auto client = raw_peer::client(w.theirs());
        REQUIRE(shake_hands(server, client).good());
        byte_vector junk(64);
        while (::send(w.ours(), junk.data(), junk.size(), MSG_DONTWAIT) > 0)
        {
        }
        REQUIRE(::SSL_key_update(client.native(), SSL_KEY_UPDATE_REQUESTED) == 1);
        REQUIRE(client.handshake().status == io_status::done);
        CHECK(status_of_read(server) == io_status::want_read);
        CHECK(server.write(bytes_of("x")).status == io_status::want_write);
        CHECK(server.write(bytes_of("x")).status == io_status::want_write);
        CHECK(server.error() == "");
        while (::recv(w.theirs(), junk.data(), junk.size(), MSG_DONTWAIT) > 0)
        {
        }
        CHECK(server.write(bytes_of("x")).size == 1);
        CHECK(read_text(client) == "x");
        CHECK(talk(server, client));
    }

    TEST_CASE("what is decrypted already is known to be there")
    {
        connection c;
        REQUIRE(c.client.write(byte_vector(20000)).size == 20000);
        byte_vector room(100);
        CHECK(!c.server.has_buffered());
        CHECK(c.server.read(room).size == 100);
        CHECK(c.server.has_buffered());
        room.resize(16384 - 100);
        CHECK(c.server.read(room).size == room.size());
        room.resize(30000);
        CHECK(c.server.read(room).size == 20000 - 16384);
        CHECK(!c.server.has_buffered());
        CHECK(c.server.read(room).status == io_status::want_read);
        CHECK(c.server.read({}).status == io_status::done);
        CHECK(c.server.write({}).status == io_status::done);
    }

    TEST_CASE("an end behind bytes is known to be there")
    {
        connection c;
        REQUIRE(c.client.write(bytes_of("last")).size == 4);
        REQUIRE(c.client.shut_down().status == io_status::done);
        CHECK(read_text(c.server) == "last");
        CHECK(c.server.has_buffered());
        CHECK(status_of_read(c.server) == io_status::ended);
        CHECK(!c.server.has_buffered());
        CHECK(status_of_read(c.server) == io_status::ended);
    }

    TEST_CASE("moved, a stream goes on where it was")
    {
        connection c;
        auto server = std::move(c.server);
        CHECK(talk(server, c.client));
        connection other;
        other.server = std::move(server);
        CHECK(talk(other.server, c.client));
        CHECK(status_of_read(other.client) == io_status::want_read);
    }
}

TEST_SUITE("tls_stream: the end")
{
    TEST_CASE("after close_notify the other direction goes on")
    {
        connection c;
        REQUIRE(c.client.shut_down().status == io_status::done);
        CHECK(status_of_read(c.server) == io_status::ended);
        CHECK(c.server.write(bytes_of("still here")).size == 10);
        CHECK(read_text(c.client) == "still here");
        CHECK(c.server.shut_down().status == io_status::done);
        CHECK(status_of_read(c.client) == io_status::ended);
        CHECK(c.client.error() == "");
        CHECK(c.server.error() == "");
    }

    TEST_CASE("after a FIN without close_notify, too")
    {
        connection c;
        REQUIRE(c.client.write(bytes_of("last")).size == 4);
        ::shutdown(c.w.theirs(), SHUT_WR);
        CHECK(read_text(c.server) == "last");
        CHECK(status_of_read(c.server) == io_status::ended);
        CHECK(c.server.write(bytes_of("still here")).size == 10);
        CHECK(read_text(c.client) == "still here");
        CHECK(c.server.error() == "");
    }

    TEST_CASE("a FIN within a record is an end as well")
    {
        connection c;
        const auto part = hex("1703030100 00112233");
        ::send(c.w.theirs(), part.data(), part.size(), 0);
        CHECK(status_of_read(c.server) == io_status::want_read);
        CHECK(!c.server.has_buffered());
        ::shutdown(c.w.theirs(), SHUT_WR);
        CHECK(status_of_read(c.server) == io_status::ended);
    }

    TEST_CASE("a forged record breaks it, and nothing of it is handed out")
    {
        connection c;
        const auto forged = hex("1703030020") + byte_vector(32, std::byte{7});
        ::send(c.w.theirs(), forged.data(), forged.size(), 0);
        CHECK(status_of_read(c.server) == io_status::broken);
        CHECK(c.server.error() == "decryption failed or bad record mac");
    }

    TEST_CASE("a peer that has gone breaks it without a signal")
    {
        auto* const before = std::signal(SIGPIPE, SIG_DFL);
        connection c;
        REQUIRE(c.server.write(bytes_of("unread")).size == 6);
        c.w.close_theirs();
        CHECK(c.server.write(bytes_of("x")).status == io_status::broken);
        CHECK(c.server.error() == "Broken pipe");
        CHECK(status_of_read(c.server) == io_status::broken);
        CHECK(c.server.shut_down().status == io_status::broken);

        connection reset;
        REQUIRE(reset.server.write(bytes_of("unread")).size == 6);
        reset.w.close_theirs();
        CHECK(status_of_read(reset.server) == io_status::broken);
        CHECK(reset.server.error() == "Connection reset by peer");
        std::signal(SIGPIPE, before);
    }
}

TEST_SUITE("tls_stream: threads")
{
    TEST_CASE("workers share contexts, and what they wait for comes")
    {
        const auto server_context = terminating({}, pki().ca());
        config::server_tls_settings s;
        s.sslmode = config::sslmode::verify_full;
        s.ca = pki().ca();
        s.cert = pki().client_cert();
        s.key = pki().client_key();
        const auto client_context = proxy::make_server_facing(s);

        std::atomic<int> good = 0;
        const auto serve = [&](int fd)
        {
            auto stream = tls_stream::accept(server_context, fd);
            if (!handshake_on(stream, fd))
                return;
            const auto all = read_to_end_on(stream, fd);
            if (write_on(stream, fd, all) && stream.shut_down().status == io_status::done)
                ++good;
        };
        const auto ask = [&](int fd)
        {
            auto stream = tls_stream::connect(client_context, fd, "127.0.0.1");
            const byte_vector data(300001, std::byte{'x'});
            if (handshake_on(stream, fd) && write_on(stream, fd, data) &&
                stream.shut_down().status == io_status::done && read_to_end_on(stream, fd) == data)
                ++good;
        };
        const auto many = [](const auto& work, const auto& fd_of, std::vector<wire>& wires)
        {
            for (auto& w : wires)
                work(fd_of(w));
        };
        std::vector<std::vector<wire>> wires;
        for (int i = 0; i < 3; ++i)
            wires.emplace_back(5);
        std::vector<std::thread> threads;
        for (auto& some : wires)
        {
            threads.emplace_back(
                [&]
                {
                    many(
                        serve, [](wire& w) { return w.ours(); }, some
                    );
                }
            );
            threads.emplace_back(
                [&]
                {
                    many(
                        ask, [](wire& w) { return w.theirs(); }, some
                    );
                }
            );
        }
        for (auto& t : threads)
            t.join();
        CHECK(good == 2 * 3 * 5);
    }
}
