// SPDX-License-Identifier: PostgreSQL
//
// Bytes for tests, as people write them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::support
{

using byte_vector = std::vector<std::byte>;

// "00000008 04d2162f": spaces are for reading only.
[[nodiscard]] inline byte_vector hex(std::string_view text)
{
    const auto digit = [](char c) -> unsigned
    {
        if (c >= '0' && c <= '9')
            return static_cast<unsigned>(c - '0');
        if (c >= 'a' && c <= 'f')
            return static_cast<unsigned>(c - 'a' + 10);
        throw std::invalid_argument("not a hexadecimal digit");
    };
    std::string digits;
    for (const char c : text)
        if (c != ' ')
            digits += c;
    if (digits.size() % 2 != 0)
        throw std::invalid_argument("half a byte");

    byte_vector out;
    for (std::size_t i = 0; i < digits.size(); i += 2)
        out.push_back(static_cast<std::byte>(digit(digits[i]) << 4 | digit(digits[i + 1])));
    return out;
}

[[nodiscard]] inline byte_vector bytes_of(std::string_view text)
{
    byte_vector out;
    for (const char c : text)
        out.push_back(static_cast<std::byte>(c));
    return out;
}

[[nodiscard]] inline byte_vector operator+(byte_vector left, const byte_vector& right)
{
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

[[nodiscard]] inline byte_vector int32(std::uint32_t value)
{
    byte_vector out;
    for (int shift = 24; shift >= 0; shift -= 8)
        out.push_back(static_cast<std::byte>(value >> shift & 0xff));
    return out;
}

// Byte1 type, Int32 length, body; the length as it should be.
[[nodiscard]] inline byte_vector message(char type, std::string_view body = {})
{
    const auto length = static_cast<std::uint32_t>(body.size() + 4);
    return bytes_of({&type, 1}) + int32(length) + bytes_of(body);
}

} // namespace rolegate::support
