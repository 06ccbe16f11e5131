// SPDX-License-Identifier: PostgreSQL
//
// YAML as the reader here takes it back, two spaces a level, one key a line. Pure.
#pragma once

#include "config/places.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rolegate::config
{

// In double quotes, and every dollar doubled so that nothing in it is expanded again.
[[nodiscard]] std::string in_quotes(std::string_view text);

// Bare only where every YAML reader sees text: "no" and "1e3" are something else to some.
[[nodiscard]] std::string as_text(std::string_view text);

// The same for a key, in which nothing is expanded.
[[nodiscard]] std::string as_key(std::string_view text);

// Items always in quotes: a bare * starts an alias, and [::] a list.
[[nodiscard]] std::string as_list(const std::vector<std::string>& items);
[[nodiscard]] std::string as_list(const std::vector<host_port>& addresses);

[[nodiscard]] std::string as_bool(bool value);

class yaml_writer
{
public:
    // Without a value: a map follows.
    void line(int level, std::string_view key, std::string_view value = {});
    void comment(int level, std::string_view text);

    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    std::string out_;
};

} // namespace rolegate::config
