// SPDX-License-Identifier: PostgreSQL
//
// Whether a password is the right one. Slow on purpose where it is kept as a hash: not for the
// control thread.
#pragma once

#include <string>

namespace rolegate::proxy::admin
{

// `kept` is a hash for crypt(3) where it begins with $5$, $6$ or $y$, as in HAProxy's userlists,
// else the password itself. The time that it takes tells nothing of the latter.
[[nodiscard]] bool is_password(const std::string& given, const std::string& kept);

// So that whoever tries names of users that do not exist waits for as long as others.
[[nodiscard]] const std::string& nobodys_password();

} // namespace rolegate::proxy::admin
