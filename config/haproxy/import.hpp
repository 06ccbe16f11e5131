// SPDX-License-Identifier: PostgreSQL
//
// A haproxy.cfg as used in front of Patroni to a configuration of ours, and what became of each of
// its lines. Pure: the text is a stranger's, its size is the caller's business.
#pragma once

#include "config/haproxy/ledger.hpp"
#include "config/haproxy/split.hpp"
#include "config/settings.hpp"

#include <string_view>

namespace rolegate::config::haproxy
{

struct import_result
{
    settings value; // without listeners: nothing could be taken over
    ledger book;    // has every line but empty ones and comments
};

[[nodiscard]] import_result import_text(std::string_view text, const variables& environment);

} // namespace rolegate::config::haproxy
