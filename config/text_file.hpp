// SPDX-License-Identifier: PostgreSQL
//
// A whole file as text, read at start-up: configuration files and files that hold one secret.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace rolegate::config
{

// A thousand listeners take a tenth of it; more is another file than the one that was meant.
inline constexpr std::size_t max_file_bytes = std::size_t{1} << 20;

struct file_text
{
    std::optional<std::string> value; // at most one byte longer than max_file_bytes
    std::string error;                // "cannot read: No such file or directory"
};

[[nodiscard]] file_text read_text_file(const std::string& path);

// Its first line without the line end, as PostgreSQL's tools and editors leave a secret. An empty
// one is an error: it stands for a secret that nobody has written yet.
[[nodiscard]] file_text read_first_line(const std::string& path);

} // namespace rolegate::config
