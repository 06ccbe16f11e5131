// SPDX-License-Identifier: PostgreSQL
//
// Contract: any cut of a stream ends in the state that counting its bytes one by one gives.
// Input: a number of cuts, the sizes of the pieces, then the stream.
#include "proxy/pgwire/frame_tracker.hpp"

#include "tests/fuzz/require.hpp"

#include <algorithm>
#include <string_view>

using namespace rolegate::pgwire;
using rolegate::fuzz::require;

namespace
{

// The manual's words in code, slow and plain.
class model
{
public:
    explicit model(std::string_view counted_types) : counted_types_(counted_types) {}

    void feed(bytes in)
    {
        for (const auto b : in)
            if (!lost)
                take(std::to_integer<std::uint8_t>(b));
    }

    [[nodiscard]] bool at_boundary() const { return !lost && seen == 0; }
    [[nodiscard]] char status() const { return at_boundary() ? ready : '\0'; }
    [[nodiscard]] std::uint64_t into() const { return lost ? 0 : seen; }
    [[nodiscard]] std::uint64_t left() const
    {
        if (lost || seen == 0)
            return 0;
        return seen < 5 ? 5 - seen : std::uint64_t{length} + 1 - seen;
    }

    bool lost = false;
    std::uint32_t counted = 0;

private:
    void take(std::uint8_t b)
    {
        if (seen == 0)
        {
            type = b;
            length = 0;
        }
        else if (seen <= 4)
            length = length << 8 | b;
        last = b;
        ++seen;
        if (seen == 5 && length < 4)
            lost = true;
        if (seen == 5 && !lost &&
            counted_types_.find(static_cast<char>(type)) != std::string_view::npos)
            ++counted;
        if (seen >= 5 && seen == std::uint64_t{length} + 1)
            end_message();
    }

    void end_message()
    {
        const bool known = last == 'I' || last == 'T' || last == 'E';
        ready = type == 'Z' && length == 5 && known ? static_cast<char>(last) : '\0';
        seen = 0;
    }

    std::string_view counted_types_;
    std::uint64_t seen = 0;
    std::uint32_t length = 0;
    std::uint8_t type = 0;
    std::uint8_t last = 0;
    char ready = '\0';
};

void require_same(const frame_tracker& tracker, const model& expected)
{
    require(tracker.lost() == expected.lost);
    require(tracker.at_boundary() == expected.at_boundary());
    require(tracker.ready_status() == expected.status());
    require(tracker.into_message() == expected.into());
    require(tracker.message_left() == expected.left());
    require(tracker.counted() == expected.counted);
}

void check_cuts(
    std::span<const std::uint8_t> sizes, bytes stream, frame_tracker::side side, const char* counted
)
{
    frame_tracker in_pieces(side);
    model expected(counted);
    auto rest = stream;
    for (const auto piece : sizes)
    {
        const auto n = std::min<std::size_t>(piece, rest.size());
        in_pieces.feed(rest.first(n));
        expected.feed(rest.first(n));
        require_same(in_pieces, expected);
        rest = rest.subspan(n);
    }
    in_pieces.feed(rest);
    expected.feed(rest);
    require_same(in_pieces, expected);

    frame_tracker whole(side);
    whole.feed(stream);
    require_same(whole, expected);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    const auto cuts = std::min<std::size_t>(data[0], size - 1);
    const auto sizes = std::span(data, size).subspan(1, cuts);
    const auto stream = std::as_bytes(std::span(data, size).subspan(1 + cuts));

    check_cuts(sizes, stream, frame_tracker::side::server, "Z");
    check_cuts(sizes, stream, frame_tracker::side::client, "QSF");

    frame_tracker whole;
    whole.feed(stream);

    // What is missing ends the header or the message, and not a byte before it does.
    if (const auto left = whole.message_left(); left > 0 && left < 4096)
    {
        const std::byte zeros[4096] = {};
        const bool in_header = whole.into_message() < 5;
        auto short_of = whole;
        short_of.feed(std::span(zeros).first(left - 1));
        require(short_of.message_left() == 1);
        whole.feed(std::span(zeros).first(left));
        require(in_header ? whole.lost() || whole.into_message() % 5 == 0 : whole.at_boundary());
        return 0;
    }

    // Once lost, always lost; and never at a place where a message might be inserted.
    if (whole.lost())
    {
        whole.feed(stream);
        require(whole.lost() && !whole.at_boundary() && whole.ready_status() == '\0');
    }
    return 0;
}
