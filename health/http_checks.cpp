// SPDX-License-Identifier: PostgreSQL
#include "health/http_checks.hpp"

#include <utility>

namespace rolegate::health
{

http_checks::http_checks(
    boost::asio::io_context& control,
    const config::cluster_settings& settings,
    check_reports& reports,
    observer& to,
    std::function<void()> changed
)
    : control_(control), cluster_(settings.name), settings_(*settings.check),
      names_(control, [] {}), reports_(reports), observer_(to), changed_(std::move(changed))
{
}

void http_checks::follow(const topology& t, const std::shared_ptr<const void>& owner)
{
    if (stopped_)
        return;
    for (const auto& m : t.members)
    {
        if (m.host.empty())
            continue; // asked when it is known where
        auto& loop = loops_[m.name];
        if (loop)
        {
            loop->aim(m.host, m.port);
            continue;
        }
        loop = std::make_shared<check_loop>(
            control_,
            settings_,
            names_,
            [this, name = m.name](const auto& error, auto took) { take(name, error, took); }
        );
        loop->aim(m.host, m.port);
        loop->start(clock::now(), owner);
    }
    for (auto it = loops_.begin(); it != loops_.end();)
    {
        if (t.find(it->first))
        {
            ++it;
            continue;
        }
        it->second->stop();
        reports_.erase(it->first);
        it = loops_.erase(it);
    }
}

void http_checks::stop()
{
    stopped_ = true;
    names_.stop();
    for (const auto& [name, loop] : loops_)
        loop->stop();
}

void http_checks::take(const std::string& member, const std::string& error, clock::duration took)
{
    const auto& count = loops_.at(member)->count();
    check_report report{count.is_up(), count.text(), count.reason(error)};
    auto& known = reports_[member];
    const bool changed = known.text.empty() || known.passed != report.passed;
    known = std::move(report);

    check c;
    c.cluster = cluster_;
    c.member = member;
    c.address = member;
    c.source = "http";
    c.path = settings_.http->uri;
    c.error = error;
    c.took = took;
    observer_.on_check(c);
    if (changed)
        changed_();
}

} // namespace rolegate::health
