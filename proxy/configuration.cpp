// SPDX-License-Identifier: PostgreSQL
#include "proxy/configuration.hpp"

#include "config/diff.hpp"
#include "proxy/log.hpp"

#include <exception>
#include <utility>

namespace rolegate::proxy
{

namespace
{

using config::log_level;

void tell(const reload_report& r)
{
    for (const auto& p : r.problems)
        log::line(log_level::error, "reload_failed").text("error", p);
    if (!r.problems.empty())
        return;
    for (const auto& c : r.changes)
        log::line(log_level::info, "config_changed").text("text", c);
    for (const auto& w : r.waiting)
        log::line(log_level::warning, "needs_restart").text("text", w);
    log::line(log_level::info, "reloaded")
        .add("changes", static_cast<std::int64_t>(r.changes.size()))
        .text(
            "text",
            r.changes.empty() ? "nothing has changed; certificates are read again"
                              : "certificates are read again, too"
        );
}

} // namespace

configuration::configuration(config::settings first, source again)
    : settings_(std::move(first)), again_(std::move(again))
{
    state_.loaded = std::chrono::system_clock::now();
}

reload_report configuration::reload(const applier& apply)
{
    reload_report r;
    try
    {
        r = attempt(apply);
    }
    catch (const std::exception& e)
    {
        r = {};
        r.problems.emplace_back(e.what());
    }
    tell(r);
    ++(r.problems.empty() ? state_.reloads : state_.failed);
    state_.error.clear();
    for (const auto& p : r.problems)
        state_.error += (state_.error.empty() ? "" : "\n") + p;
    if (r.problems.empty())
        state_.loaded = std::chrono::system_clock::now();
    return r;
}

reload_report configuration::attempt(const applier& apply)
{
    reload_report r;
    const auto read = again_();
    for (const auto& p : read.problems)
        r.problems.push_back(config::to_string(p));
    if (!r.problems.empty())
        return r;
    auto next = config::without_restart(read.value, settings_);
    const auto changes = config::diff(settings_, read.value); // what may throw comes first
    r.problems = apply(next);
    if (!r.problems.empty())
        return r;
    settings_ = std::move(next);
    for (const auto& c : changes)
        (c.needs_restart ? r.waiting : r.changes).push_back(c.text);
    return r;
}

} // namespace rolegate::proxy
