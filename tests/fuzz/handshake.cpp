// SPDX-License-Identifier: PostgreSQL
//
// Contract: the handshake ends, never sets aside more than a first packet may have, takes nothing
// behind what it waits for, and the way the bytes are cut changes nothing.
//
// Input: a byte with the number of cuts (0..15), so many lengths, two answers of the server to an
// encryption request, and what the client sends.
#include "proxy/handshake.hpp"

#include "tests/fuzz/require.hpp"

#include <algorithm>
#include <vector>

using namespace rolegate::proxy;
using rolegate::fuzz::require;
using rolegate::pgwire::bytes;
using rolegate::pgwire::first_packet;
using rolegate::pgwire::first_packet_header_size;
using rolegate::pgwire::max_first_packet_size;

namespace
{

struct outcome
{
    handshake::next step;
    first_packet kind;
    std::vector<std::byte> packet;
    std::size_t taken;   // bytes of the client
    std::size_t answers; // of the server

    friend bool operator==(const outcome&, const outcome&) = default;
};

// Empty `cuts`: as many bytes at a time as there is room for.
outcome run(bytes client, bytes answers, bytes cuts)
{
    handshake h;
    std::size_t taken = 0;
    std::size_t answered = 0;
    std::size_t reads = 0;
    for (;;)
    {
        if (h.step() == handshake::next::read && taken < client.size())
        {
            const auto room = h.room();
            require(!room.empty() && room.size() <= 1024);
            require(h.packet().size() + room.size() <= max_first_packet_size);
            auto n = std::min(room.size(), client.size() - taken);
            if (!cuts.empty())
                n = std::min(n, 1 + std::to_integer<std::size_t>(cuts[reads % cuts.size()]));
            std::ranges::copy(client.subspan(taken, n), room.begin());
            h.filled(n);
            taken += n;
            require(++reads <= 2 * first_packet_header_size + max_first_packet_size);
        }
        else if (h.step() == handshake::next::negotiate && answered < answers.size())
        {
            require(h.packet().size() == first_packet_header_size);
            require(taken == first_packet_header_size * (answered + 1));
            h.answered(static_cast<char>(answers[answered++]));
        }
        else
        {
            return {h.step(), h.kind(), {h.packet().begin(), h.packet().end()}, taken, answered};
        }
    }
}

void check_end(const outcome& o, bytes client)
{
    using next = handshake::next;
    const auto before = first_packet_header_size * o.answers;
    const bool passed_on = o.step == next::opaque && o.packet.empty();
    if (!passed_on)
        require(
            std::ranges::equal(o.packet, client.subspan(o.taken - o.packet.size(), o.packet.size()))
        );
    require(o.taken == before + (passed_on ? 0 : o.packet.size()));
    require(o.step != next::read || o.taken == client.size());
    require(o.step != next::reject || o.packet.size() == first_packet_header_size);
    require(o.step != next::cancel || (o.packet.size() >= 16 && o.packet.size() <= 268));
    require(o.step != next::startup || o.packet.size() >= first_packet_header_size);
    // One SSLRequest and one GSSENCRequest: there is no third question to the server.
    require(o.step != next::negotiate || o.answers < 2);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    auto in = std::as_bytes(std::span(data, size));
    if (in.empty())
        return 0;
    const auto wanted = std::to_integer<std::size_t>(in.front()) & 15;
    in = in.subspan(1);
    const auto cuts = in.first(std::min(wanted, in.size()));
    in = in.subspan(cuts.size());
    const auto answers = in.first(std::min<std::size_t>(2, in.size()));
    const auto client = in.subspan(answers.size());

    const auto whole = run(client, answers, {});
    check_end(whole, client);
    require(run(client, answers, cuts) == whole);
    constexpr std::byte one_byte[] = {std::byte{0}};
    require(run(client, answers, one_byte) == whole);
    return 0;
}
