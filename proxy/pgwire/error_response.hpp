// SPDX-License-Identifier: PostgreSQL
//
// ErrorResponse: Byte1('E'), Int32 length, { Byte1 field, String }*, Byte1 0.
//
// Pure. Parsing is safe on hostile input: never allocates, never throws.
#pragma once

#include "proxy/pgwire/first_packet.hpp"

#include <string>
#include <string_view>

namespace rolegate::pgwire
{

// A whole FATAL message with the fields S, V, C and M, as a server would send it.
[[nodiscard]] std::string fatal_error(std::string_view sqlstate, std::string_view message);

// A server's errors before authentication are far shorter; a longer one is passed on unread.
inline constexpr std::size_t max_first_error_size = 4096;

// The whole start-up dialogue of a server that asks for no password is about 400 bytes.
inline constexpr std::size_t max_first_answer_size = 16384;

// How a server's first answer to a StartupMessage ends. AuthenticationOk alone is no end: a server
// that asks for no password sends it together with all that follows up to ReadyForQuery, or with
// the error that it was shut down in the middle of it.
//   complete with "" : ReadyForQuery, a request for a password, an ErrorResponse without field C,
//                      longer than max_first_error_size, or malformed, or the whole answer longer
//                      than max_first_answer_size: the client should see it as it is
//   complete         : an ErrorResponse; five characters, pointing into `answer`
//   need_more        : the answer has not ended
struct first_answer
{
    parse_status status = parse_status::need_more;
    std::string_view sqlstate;
};

[[nodiscard]] first_answer parse_first_answer(bytes answer) noexcept;

} // namespace rolegate::pgwire
