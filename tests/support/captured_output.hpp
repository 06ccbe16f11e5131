// SPDX-License-Identifier: PostgreSQL
//
// What the process writes meanwhile, its log above all, for a test to look into; passed on at the
// end.
#pragma once

#include <string>

namespace rolegate::support
{

class captured_output
{
public:
    captured_output();
    ~captured_output();
    captured_output(const captured_output&) = delete;
    captured_output& operator=(const captured_output&) = delete;

    [[nodiscard]] std::string text() const;

    // Waits until it has been written.
    [[nodiscard]] bool has(const std::string& words) const;

private:
    int kept_; // the real standard output
    int file_;
};

} // namespace rolegate::support
