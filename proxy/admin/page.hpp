// SPDX-License-Identifier: PostgreSQL
//
// The status page for browsers: one document with its style and its script, joined at build time
// from the files in page/. Pure.
#pragma once

#include <string_view>

namespace rolegate::proxy::admin
{

[[nodiscard]] std::string_view page_text() noexcept;

// Content-Security-Policy: this style and this script by their hashes, requests to where the page
// came from, nothing else; in no frame, where a click could be stolen.
[[nodiscard]] std::string_view page_policy() noexcept;

} // namespace rolegate::proxy::admin
