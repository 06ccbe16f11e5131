// SPDX-License-Identifier: PostgreSQL
#include "health/schedule.hpp"

#include <algorithm>

namespace rolegate::health
{

namespace
{

using namespace std::chrono_literals;

constexpr int latency_factor = 4;
constexpr auto ttl_interval = 30s; // the ttl changes by an operator's hand only
constexpr auto idle_wait = 1s;     // nothing known to be due: everything is in flight

class planner
{
public:
    planner(const std::vector<rest_endpoint>& endpoints, const pace& p, time_point now)
        : endpoints_(endpoints), pace_(p), now_(now), busy_(endpoints.size(), false)
    {
        plan_.next = now + idle_wait;
        for (std::size_t i = 0; i < endpoints.size(); ++i)
            busy_[i] = endpoints[i].in_flight;
    }

    plan make()
    {
        // The word of the members in focus first: while they are asked, others list the cluster.
        ask_words(true);
        if (pace_.watched)
        {
            ask_words(false);
            return std::move(plan_);
        }
        if (pace_.have_listing)
            ask_one_listing();
        else
            ask_every_seed();
        ask_words(false);
        ask_ttl();
        return std::move(plan_);
    }

private:
    [[nodiscard]] bool in_focus(const rest_endpoint& e) const
    {
        return std::ranges::find(pace_.focus, e.member) != pace_.focus.end();
    }

    [[nodiscard]] time_point rested(const rest_endpoint& e) const
    {
        if (e.finished == time_point{})
            return now_;
        // One slow answer in the middle of a promotion must not silence the member that matters.
        if (!e.failed)
            return e.finished + std::min(latency_factor * e.latency, pace_.interval);
        const bool burst = pace_.fast && in_focus(e);
        return e.finished + (burst ? std::min(latency_factor * pace_.fast_interval, pace_.interval)
                                   : pace_.interval);
    }

    // Asks now, or notes when it will be time.
    void ask_when(std::size_t i, question what, time_point due)
    {
        due = std::max(due, rested(endpoints_[i]));
        if (due > now_)
        {
            plan_.next = std::min(plan_.next, due);
            return;
        }
        busy_[i] = true;
        plan_.asks.push_back({i, what});
    }

    void ask_words(bool focus)
    {
        for (std::size_t i = 0; i < endpoints_.size(); ++i)
        {
            const auto& e = endpoints_[i];
            if (busy_[i] || e.member.empty() || in_focus(e) != focus)
                continue;
            // The only one that can list the members takes turns: its word must not starve them.
            if (focus && listing_waits_for(i))
                continue;
            const auto what = pace_.lock_doubtful ? question::claim : question::word;
            ask_when(i, what, e.word_asked == time_point{} ? now_ : e.word_asked + every(e, focus));
        }
    }

    [[nodiscard]] clock::duration every(const rest_endpoint& e, bool focus) const
    {
        if (pace_.fast && focus)
            return pace_.fast_interval;
        return e.touched ? clock::duration{} : std::max(pace_.interval, pace_.quiet_interval);
    }

    // Nobody else could list the members now, and this one was asked for its word since.
    [[nodiscard]] bool listing_waits_for(std::size_t i) const
    {
        return pace_.have_listing && !pace_.watched &&
               pace_.listing_asked < endpoints_[i].word_asked && !listed_by_another(i);
    }

    // In a burst a slow /cluster must not stand in the way of the word that everybody waits for.
    [[nodiscard]] bool others_can_list(std::size_t i) const
    {
        return pace_.fast && in_focus(endpoints_[i]) && listed_by_another(i);
    }

    [[nodiscard]] bool listed_by_another(std::size_t i) const
    {
        for (std::size_t k = 0; k < endpoints_.size(); ++k)
            if (k != i && !endpoints_[k].failed && !in_focus(endpoints_[k]))
                return true;
        return false;
    }

    // In turn, so that no reporter's stale view rules for long; one that failed only when all did.
    void ask_one_listing()
    {
        const auto every = pace_.fast ? pace_.fast_interval : pace_.interval;
        const auto due = pace_.listing_asked + every;
        if (due > now_)
        {
            plan_.next = std::min(plan_.next, due);
            return;
        }
        std::size_t best = endpoints_.size();
        for (std::size_t i = 0; i < endpoints_.size(); ++i)
        {
            if (busy_[i] || word_goes_first(endpoints_[i]) || others_can_list(i))
                continue;
            if (rested(endpoints_[i]) > now_)
                plan_.next = std::min(plan_.next, rested(endpoints_[i]));
            else if (best == endpoints_.size() || before(endpoints_[i], endpoints_[best]))
                best = i;
        }
        if (best < endpoints_.size())
            ask_when(best, question::listing, now_);
    }

    // Of one endpoint, what was asked longer ago: its listings must not starve its word either.
    [[nodiscard]] bool word_goes_first(const rest_endpoint& e) const
    {
        return !e.member.empty() && e.word_asked < e.listing_asked &&
               e.word_asked + pace_.interval <= now_;
    }

    [[nodiscard]] static bool before(const rest_endpoint& a, const rest_endpoint& b)
    {
        if (a.failed != b.failed)
            return b.failed;
        return a.listing_asked < b.listing_asked;
    }

    // Nobody has listed the members yet: a seed that hangs must not delay the others.
    void ask_every_seed()
    {
        for (std::size_t i = 0; i < endpoints_.size(); ++i)
            if (!busy_[i])
                ask_when(
                    i,
                    question::listing,
                    endpoints_[i].listing_asked == time_point{}
                        ? now_
                        : endpoints_[i].listing_asked + pace_.interval
                );
    }

    void ask_ttl()
    {
        if (!pace_.have_listing || pace_.fast)
            return;
        if (pace_.ttl_asked != time_point{} && pace_.ttl_asked + ttl_interval > now_)
            return;
        for (std::size_t i = 0; i < endpoints_.size(); ++i)
        {
            if (busy_[i] || endpoints_[i].failed)
                continue;
            // Not rested yet: noted in next, or a lone member would always be busy.
            ask_when(i, question::ttl, now_);
            if (busy_[i])
                return;
        }
    }

    const std::vector<rest_endpoint>& endpoints_;
    const pace& pace_;
    time_point now_;
    std::vector<bool> busy_;
    plan plan_;
};

} // namespace

plan make_plan(const std::vector<rest_endpoint>& endpoints, const pace& p, time_point now)
{
    return planner(endpoints, p, now).make();
}

} // namespace rolegate::health
