// SPDX-License-Identifier: PostgreSQL
//
// Body of GET /patroni (and of every health check with GET) to a member's word. Patroni 1.6-4.1.
// Pure; safe on hostile input: never throws, allocates no more than a small multiple of the body.
#pragma once

#include "health/evidence.hpp"

#include <boost/system/result.hpp>

#include <string_view>

namespace rolegate::health::patroni
{

// An error is a sentence for people ("not JSON", "no 'state'"). Unknown, missing and odd fields
// are no error: what is not understood stays at its default.
template <class T> using decoded = boost::system::result<T, std::string>;

[[nodiscard]] decoded<member_word> decode_member(std::string_view body);

// Patroni's words to ours; shared with the listing.
[[nodiscard]] member_state state_from(std::string_view text) noexcept;
[[nodiscard]] member_role role_from(std::string_view text) noexcept;

} // namespace rolegate::health::patroni
