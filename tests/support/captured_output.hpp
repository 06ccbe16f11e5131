// SPDX-License-Identifier: PostgreSQL
//
// What the process says on stderr meanwhile, its log, for a test to look into; passed on at the
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
    int kept_; // the real stderr
    int file_;
};

} // namespace rolegate::support
