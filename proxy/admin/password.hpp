// SPDX-License-Identifier: PostgreSQL
//
// Whether a password is the right one. Slow on purpose where it is kept as a hash: not for the
// control thread.
#pragma once

#include <cstddef>
#include <map>
#include <string>

namespace rolegate::proxy::admin
{

// `kept` is a hash for crypt(3) where it begins with $5$, $6$ or $y$, as in HAProxy's userlists,
// else the password itself. The time that it takes tells nothing of the latter.
[[nodiscard]] bool is_password(const std::string& given, const std::string& kept);

// What the password of `user` is compared with. For a name that is none of them it is that of
// another, whom `any` picks, so that whoever tries names waits for as long as one of them does: the
// outcome is not to be believed then. There is a user at least.
[[nodiscard]] const std::string&
kept_for(const std::map<std::string, std::string>& users, const std::string& user, std::size_t any);

} // namespace rolegate::proxy::admin
