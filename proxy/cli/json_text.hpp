// SPDX-License-Identifier: PostgreSQL
//
// Values of the admin API's JSON, and how they are shown on a terminal. What is missing is null,
// or "-".
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace rolegate::proxy::cli
{

namespace json = boost::json;

// A missing key, or a key of something that is no object, is null, or empty.
[[nodiscard]] const json::value& at(const json::value& from, std::string_view key);
[[nodiscard]] const json::object& object_at(const json::value& from, std::string_view key);
[[nodiscard]] const json::array& array_at(const json::value& from, std::string_view key);

[[nodiscard]] bool is_true(const json::value& v);

[[nodiscard]] std::string text(const json::value& v);
[[nodiscard]] std::string text_at(const json::value& from, std::string_view key);
[[nodiscard]] std::string duration_at(const json::value& from, std::string_view key);
[[nodiscard]] std::string size_at(const json::value& from, std::string_view key);
[[nodiscard]] std::string list_at(const json::value& from, std::string_view key); // "a, b"
[[nodiscard]] std::string key_text(const json::key_value_pair& entry);

} // namespace rolegate::proxy::cli
