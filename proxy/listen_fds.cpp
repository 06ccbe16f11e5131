// SPDX-License-Identifier: PostgreSQL
#include "proxy/listen_fds.hpp"

#include <charconv>

namespace rolegate::proxy
{

namespace
{

// 0, 1 and 2 are stdin, stdout and stderr.
constexpr int first_fd = 3;

template <class Number> std::optional<Number> number(const std::optional<std::string>& text)
{
    Number n = 0;
    if (!text)
        return std::nullopt;
    const char* end = text->data() + text->size();
    const auto [stopped, failed] = std::from_chars(text->data(), end, n);
    return stopped == end && failed == std::errc() ? std::optional(n) : std::nullopt;
}

} // namespace

std::vector<named_descriptor> listen_fds(const listen_environment& e, long self)
{
    std::vector<named_descriptor> found;
    const auto count = number<int>(e.fds);
    const bool ours = e.upgrades || number<long>(e.pid) == self;
    if (!ours || !count || *count < 0 || *count > most_listen_fds)
        return found;
    const auto names = e.names.value_or("");
    std::size_t begin = 0;
    for (int i = 0; i < *count; ++i)
    {
        const auto end = std::min(names.find(':', begin), names.size());
        const auto name = begin < end ? names.substr(begin, end - begin) : "unknown";
        found.push_back({first_fd + i, name});
        begin = std::min(end + 1, names.size());
    }
    return found;
}

} // namespace rolegate::proxy
