// SPDX-License-Identifier: PostgreSQL
//
// How tests wait: for a condition, never for a time to pass.
#pragma once

#include <chrono>
#include <functional>

namespace rolegate::support
{

// How long what must happen may take before a test gives up. Every limit of the tests goes through
// scaled(): the environment variable ROLEGATE_TEST_TIMEOUT_SCALE stretches them all.
inline constexpr std::chrono::milliseconds patience{20000};

[[nodiscard]] std::chrono::milliseconds scaled(std::chrono::milliseconds limit);

// Asks again and again until `predicate` holds; false when the limit has passed.
[[nodiscard]] bool
run_until(const std::function<bool()>& predicate, std::chrono::milliseconds limit = patience);

} // namespace rolegate::support
