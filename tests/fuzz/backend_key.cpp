// SPDX-License-Identifier: PostgreSQL
//
// Contract: any cut of a stream finds the key that reading its messages one by one finds, and the
// key is the one that a CancelRequest with it has.
// Input: a number of cuts, the sizes of the pieces, then the stream.
#include "proxy/pgwire/backend_key.hpp"

#include "tests/fuzz/require.hpp"

#include <algorithm>
#include <vector>

using namespace rolegate::pgwire;
using rolegate::fuzz::require;

namespace
{

struct outcome
{
    bool done = false;
    bytes key;
};

// The manual's words in code, for a stream that is there as a whole.
outcome expected_of(bytes stream)
{
    while (stream.size() >= 5)
    {
        const auto type = std::to_integer<char>(stream[0]);
        std::uint64_t length = 0;
        for (std::size_t i = 1; i < 5; ++i)
            length = length << 8 | std::to_integer<std::uint64_t>(stream[i]);
        if (length < 4 || type == 'Z')
            return {true, {}};
        if (type == 'K' && (length < 12 || length > 4 + 4 + 256))
            return {true, {}};
        if (stream.size() < 1 + length)
            return {};
        if (type == 'K')
            return {true, stream.subspan(5, length - 4)};
        stream = stream.subspan(1 + length);
    }
    return {};
}

void require_same(const backend_key& found, const outcome& expected)
{
    require(found.done() == expected.done);
    require(std::ranges::equal(found.key(), expected.key));
}

void check_cancel(bytes key)
{
    std::vector<std::byte> packet(8);
    packet.insert(packet.end(), key.begin(), key.end());
    for (std::size_t i = 0; i < 4; ++i)
    {
        packet[i] = static_cast<std::byte>(packet.size() >> (24 - 8 * i) & 0xff);
        packet[4 + i] = static_cast<std::byte>(0x04d2162eu >> (24 - 8 * i) & 0xff);
    }
    require(std::ranges::equal(cancel_key(packet), key));
    packet.push_back(std::byte{0});
    require(cancel_key(packet).empty());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    const auto cuts = std::min<std::size_t>(data[0], size - 1);
    const auto sizes = std::span(data, size).subspan(1, cuts);
    const auto stream = std::as_bytes(std::span(data, size).subspan(1 + cuts));

    backend_key in_pieces;
    std::size_t fed = 0;
    for (const auto piece : sizes)
    {
        const auto n = std::min<std::size_t>(piece, stream.size() - fed);
        in_pieces.feed(stream.subspan(fed, n));
        fed += n;
        require_same(in_pieces, expected_of(stream.first(fed)));
    }
    in_pieces.feed(stream.subspan(fed));
    const auto expected = expected_of(stream);
    require_same(in_pieces, expected);

    backend_key whole;
    whole.feed(stream);
    require_same(whole, expected);
    if (expected.done)
    {
        whole.feed(stream);
        require_same(whole, expected);
    }
    if (!expected.key.empty())
        check_cancel(expected.key);

    const auto key = cancel_key(stream);
    require(
        key.empty() || (key.size() >= min_cancel_key_size && key.size() <= max_cancel_key_size)
    );
    require(key.empty() || key.size() + 8 == stream.size());
    return 0;
}
