// SPDX-License-Identifier: PostgreSQL
#include "proxy/pgwire/frame_tracker.hpp"

#include "proxy/pgwire/big_endian.hpp"

#include <algorithm>

namespace rolegate::pgwire
{
namespace
{

constexpr std::uint32_t min_length = 4; // the length counts itself
constexpr std::uint32_t ready_for_query_length = 5;

std::uint32_t length_in(const std::byte* header) noexcept
{
    return big_endian_32(std::span<const std::byte, 4>(header + 1, 4));
}

bool is_ready_for_query(const std::byte* header, std::uint32_t length) noexcept
{
    return *header == std::byte{'Z'} && length == ready_for_query_length;
}

char known_status(std::byte status) noexcept
{
    const char c = std::to_integer<char>(status);
    return c == 'I' || c == 'T' || c == 'E' ? c : '\0';
}

} // namespace

void frame_tracker::conversation::see(side whose, std::byte type) noexcept
{
    const auto t = std::to_integer<char>(type);
    if (whose == side::server)
    {
        if (t == 'G')
            open = true;
        if (t != 'Z')
            return;
        ++counted;
        if (open)
            ++copies_ended;
        open = false;
        return;
    }
    switch (t)
    {
    case 'Q':
    case 'F':
        ++counted;
        open = false;
        syncs = 0;
        return;
    case 'S':
        ++counted;
        open = false;
        ++syncs;
        return;
    case 'E':
        open = true;
        syncs = 0;
        return;
    case 'P':
    case 'B':
    case 'D':
    case 'C':
        open = true;
        return;
    case 'c':
    case 'f':
        ignorable = syncs;
        return;
    default:
        return;
    }
}

void frame_tracker::feed(bytes in) noexcept
{
    if (lost_)
        return;
    // At most one message was left open by the cut before these bytes, and at most one will be by
    // the cut behind them; all between are whole.
    if (header_cut_ > 0)
        in = continue_header(in);
    if (body_left_ > 0)
        in = continue_body(in);
    if (!lost_)
        in = skip_whole(in);
    if (!lost_)
        keep_cut(in);
}

bytes frame_tracker::continue_header(bytes in) noexcept
{
    const auto n = std::min(header_size - header_cut_, in.size());
    std::copy_n(in.begin(), n, header_ + header_cut_);
    header_cut_ = static_cast<std::uint8_t>(header_cut_ + n);
    if (header_cut_ == header_size)
    {
        header_cut_ = 0;
        begin_body(header_);
    }
    return in.subspan(n);
}

void frame_tracker::begin_body(const std::byte* header) noexcept
{
    const auto length = length_in(header);
    lost_ = length < min_length;
    body_left_ = lost_ ? 0 : length - min_length;
    body_size_ = body_left_;
    in_ready_ = is_ready_for_query(header, length);
    ready_ = '\0';
    if (!lost_)
        seen_.see(side_, *header);
}

bytes frame_tracker::continue_body(bytes in) noexcept
{
    if (in.empty())
        return in;
    if (in_ready_)
        ready_ = known_status(in.front());
    const auto n = std::min<std::size_t>(body_left_, in.size());
    body_left_ -= static_cast<std::uint32_t>(n);
    return in.subspan(n);
}

// The hot loop: per message one type and one length are read.
bytes frame_tracker::skip_whole(bytes in) noexcept
{
    const std::byte* at = in.data();
    const std::byte* last = nullptr;
    std::size_t left = in.size();
    std::uint32_t length = 0;
    // Not the members: what is read through `at` might be them, for all the compiler knows.
    auto seen = seen_;
    const auto whose = side_;
    while (left >= header_size)
    {
        const auto next = length_in(at);
        if (next < min_length)
        {
            lost_ = true;
            seen_ = seen;
            return {};
        }
        if (next > left - 1)
            break;
        last = at;
        length = next;
        seen.see(whose, *at);
        at += next + std::size_t{1};
        left -= next + std::size_t{1};
    }
    seen_ = seen;
    if (last != nullptr)
        ready_ = is_ready_for_query(last, length) ? known_status(last[header_size]) : '\0';
    return in.last(left);
}

// `in` holds less than a whole message.
void frame_tracker::keep_cut(bytes in) noexcept
{
    if (in.size() < header_size)
    {
        std::copy(in.begin(), in.end(), header_ + header_cut_);
        header_cut_ = static_cast<std::uint8_t>(header_cut_ + in.size());
        return;
    }
    begin_body(in.data());
    body_left_ -= static_cast<std::uint32_t>(in.size() - header_size);
}

} // namespace rolegate::pgwire
