// SPDX-License-Identifier: PostgreSQL
#include "proxy/descriptors.hpp"

#include "proxy/log.hpp"

#include <algorithm>
#include <cstdint>
#include <sys/resource.h>

namespace rolegate::proxy
{

namespace
{

// Descriptors that are not clients' or their servers': sources, admin, log, files.
constexpr rlim_t own_descriptors = 256;

} // namespace

void raise_descriptor_limit()
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

std::size_t most_clients(std::optional<std::size_t> configured)
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return configured.value_or(SIZE_MAX);
    const auto own = std::min(own_descriptors, limit.rlim_cur / 2);
    const auto possible = (limit.rlim_cur - own) / 2;
    if (configured && *configured > possible)
        log::line(config::log_level::warning, "maxconn_lowered")
            .add("maxconn", static_cast<std::int64_t>(possible))
            .text("text", "the limit on open files allows no more; every client costs two");
    return std::min<std::size_t>(configured.value_or(possible), possible);
}

} // namespace rolegate::proxy
