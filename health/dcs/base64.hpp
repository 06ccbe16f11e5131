// SPDX-License-Identifier: PostgreSQL
//
// Base64 as etcd's JSON gateway writes bytes: RFC 4648's standard alphabet, padded, no line breaks.
// Pure. Not Beast's: that lives in a `detail` namespace, and its decoder accepts anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rolegate::health::dcs
{

[[nodiscard]] std::string base64_encode(std::string_view bytes);

// Strict: exactly what base64_encode() writes, else nullopt.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

} // namespace rolegate::health::dcs
