// SPDX-License-Identifier: PostgreSQL
//
// Forgiving access to the fields of a JSON object from Patroni: what is missing or of an odd type
// reads as absent. Pure; safe on hostile input.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <boost/system/result.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace rolegate::health::patroni
{

// Names, words and addresses that are longer than this are not Patroni's. 255 is what a file name
// or a DNS name may have.
inline constexpr std::size_t max_text = 255;

// A whole body, which must be one JSON object. An error is a sentence for people.
[[nodiscard]] boost::system::result<boost::json::object, std::string>
parse_object(std::string_view body);

// A string of at most max_text bytes without control characters (it is going to be printed on
// terminals and in logs), else "". Points into `in`.
[[nodiscard]] std::string_view
text_at(const boost::json::object& in, std::string_view key) noexcept;

// true, "true", "on", "yes", and numbers other than 0; anything else is false.
[[nodiscard]] bool flag_at(const boost::json::object& in, std::string_view key) noexcept;

// A whole number that is not negative.
[[nodiscard]] std::optional<std::int64_t>
count_at(const boost::json::object& in, std::string_view key) noexcept;

// The same, also as a string of digits.
[[nodiscard]] std::optional<std::int64_t>
count_or_digits_at(const boost::json::object& in, std::string_view key) noexcept;

// PostgreSQL's timelines are 1..2^32-1.
[[nodiscard]] std::optional<std::uint32_t>
timeline_at(const boost::json::object& in, std::string_view key) noexcept;

// Tags of a member: max_tags at most, values as Patroni's `?tag_NAME=VALUE` compares them: texts as
// they are, all else as Python writes it, in lower case. What is nested is left out.
inline constexpr std::size_t max_tags = 64;
[[nodiscard]] std::map<std::string, std::string>
tags_at(const boost::json::object& in, std::string_view key);

// nullptr: absent, or something else.
[[nodiscard]] const boost::json::object*
object_at(const boost::json::object& in, std::string_view key) noexcept;
[[nodiscard]] const boost::json::array*
array_at(const boost::json::object& in, std::string_view key) noexcept;

} // namespace rolegate::health::patroni
