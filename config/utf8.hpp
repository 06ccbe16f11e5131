// SPDX-License-Identifier: PostgreSQL
//
// UTF-8 as RFC 3629 has it: text of others goes to terminals and into JSON. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rolegate::config
{

// Bytes of the character that `text`, which is not empty, begins with; 0: there is none, because of
// a stray byte, a form that is too long, a surrogate, or the end.
[[nodiscard]] std::size_t utf8_length(std::string_view text) noexcept;

// U+0080 to U+009F: to some terminals they are what ESC and a letter are.
[[nodiscard]] bool is_c1_control(std::string_view character) noexcept;

// In one line: what is no character, or controls something, is a question mark. At most `limit`
// bytes.
[[nodiscard]] std::string readable(std::string_view text, std::size_t limit);

} // namespace rolegate::config
