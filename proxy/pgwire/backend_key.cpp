// SPDX-License-Identifier: PostgreSQL
#include "proxy/pgwire/backend_key.hpp"

#include "proxy/pgwire/big_endian.hpp"

#include <algorithm>

namespace rolegate::pgwire
{
namespace
{

constexpr std::uint32_t min_length = 4; // the length counts itself

} // namespace

void backend_key::feed(bytes in) noexcept
{
    while (!in.empty() && !done())
    {
        switch (state_)
        {
        case state::header:
            in = take_header(in);
            break;
        case state::skipped_body:
        {
            const auto n = std::min<std::size_t>(left_, in.size());
            left_ -= static_cast<std::uint32_t>(n);
            if (left_ == 0)
                state_ = state::header;
            in = in.subspan(n);
            break;
        }
        case state::key_body:
            in = take_key(in);
            break;
        case state::done:
            return;
        }
    }
}

bytes backend_key::take_header(bytes in) noexcept
{
    const auto n = std::min(header_size - cut_, in.size());
    std::copy_n(in.begin(), n, header_.begin() + cut_);
    cut_ = static_cast<std::uint8_t>(cut_ + n);
    if (cut_ == header_size)
    {
        cut_ = 0;
        begin_body();
    }
    return in.subspan(n);
}

void backend_key::begin_body() noexcept
{
    const auto length = big_endian_32(std::span(header_).last<4>());
    if (length < min_length)
        return give_up();
    left_ = length - min_length;
    switch (std::to_integer<char>(header_.front()))
    {
    case 'K':
        if (left_ < min_cancel_key_size || left_ > max_cancel_key_size)
            return give_up();
        state_ = state::key_body;
        return;
    case 'Z': // whatever its length: the start-up is over
        return give_up();
    default:
        state_ = left_ > 0 ? state::skipped_body : state::header;
    }
}

bytes backend_key::take_key(bytes in) noexcept
{
    const auto n = std::min<std::size_t>(left_, in.size());
    std::copy_n(in.begin(), n, key_.begin() + size_);
    size_ = static_cast<std::uint16_t>(size_ + n);
    left_ -= static_cast<std::uint32_t>(n);
    if (left_ == 0)
        state_ = state::done;
    return in.subspan(n);
}

// Done without a key: size_ is still 0.
void backend_key::give_up() noexcept
{
    state_ = state::done;
}

bytes cancel_key(bytes cancel_packet) noexcept
{
    first_packet_header header;
    if (parse_first_packet_header(cancel_packet, header) != parse_status::complete ||
        header.kind != first_packet::cancel_request || header.size != cancel_packet.size())
        return {};
    return cancel_packet.subspan(first_packet_header_size);
}

} // namespace rolegate::pgwire
