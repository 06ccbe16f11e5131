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

// Whether behind this message a server takes in COPY data, or a client owes a Sync.
bool open_after(frame_tracker::side whose, std::byte type, bool before) noexcept
{
    const auto t = std::to_integer<char>(type);
    if (whose == frame_tracker::side::server)
        return t == 'G' || (before && t != 'Z');
    if (t == 'P' || t == 'B' || t == 'D' || t == 'E' || t == 'C')
        return true;
    return before && t != 'Q' && t != 'S' && t != 'F';
}

char known_status(std::byte status) noexcept
{
    const char c = std::to_integer<char>(status);
    return c == 'I' || c == 'T' || c == 'E' ? c : '\0';
}

} // namespace

bool frame_tracker::is_counted(side whose, std::byte type) noexcept
{
    const auto t = std::to_integer<char>(type);
    return whose == side::server ? t == 'Z' : t == 'Q' || t == 'S' || t == 'F';
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
    open_ = open_after(side_, *header, open_);
    counted_ += !lost_ && is_counted(side_, *header) ? 1U : 0U;
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
    auto counted = counted_;
    auto open = open_;
    const auto whose = side_;
    while (left >= header_size)
    {
        const auto next = length_in(at);
        if (next < min_length)
        {
            lost_ = true;
            counted_ = counted;
            open_ = open;
            return {};
        }
        if (next > left - 1)
            break;
        last = at;
        length = next;
        counted += is_counted(whose, *at) ? 1U : 0U;
        open = open_after(whose, *at, open);
        at += next + std::size_t{1};
        left -= next + std::size_t{1};
    }
    counted_ = counted;
    open_ = open;
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
