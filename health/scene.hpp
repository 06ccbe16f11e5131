// SPDX-License-Identifier: PostgreSQL
//
// One decision's material: the evidence, the rules, what was believed before, and the lock as it
// is believed now. Shared by decide, writer and reader; of no use to anybody else. Pure.
#pragma once

#include "health/decide.hpp"
#include "health/heard.hpp"

#include <string>

namespace rolegate::health
{

struct scene
{
    const evidence& seen;
    const policy& rules;
    const topology& before;
    time_point now;
    lock_belief lock;
    const cluster_listing* listing = nullptr; // nullptr while the lock is unknown
    std::map<std::string, heard> voices{};    // what members say of themselves now

    [[nodiscard]] const word_report* report_of(const std::string& name) const
    {
        const auto it = seen.words.find(name);
        return it == seen.words.end() ? nullptr : &it->second;
    }

    // What a member says of itself, if it has said so lately and still answers.
    [[nodiscard]] const heard* voice_of(const std::string& name) const
    {
        const auto it = voices.find(name);
        return it == voices.end() ? nullptr : &it->second;
    }

    [[nodiscard]] const member_word* word_of(const std::string& name) const
    {
        const auto* v = voice_of(name);
        return v ? &v->word : nullptr;
    }

    // Where its clients are led.
    [[nodiscard]] config::host_port place_of(const listed_member& m) const
    {
        const auto it = seen.poolers.find(m.name);
        return it == seen.poolers.end() ? config::host_port{m.host, m.port} : it->second;
    }

    // It has refused clients since it last spoke: a crash and a restart may lie between.
    [[nodiscard]] bool doubted(const std::string& name) const
    {
        const auto* r = report_of(name);
        const auto* v = voice_of(name);
        if (!r || r->refusals.since() == time_point{})
            return false;
        return (v ? v->asked : r->asked) <= r->refusals.since();
    }

    // It was silent to a client as well since it last spoke to us.
    [[nodiscard]] bool unanswered(const std::string& name) const
    {
        const auto* r = report_of(name);
        return r && r->unanswered != time_point{} && r->asked <= r->unanswered;
    }

    // What a client met tells for a ttl that a key in the DCS may be a dead Patroni's. One that is
    // still there was renewed since, and nobody is led to a closed member who could say more.
    [[nodiscard]] bool met_lately(time_point met) const
    {
        return now - met < seen.known_ttl().value_or(default_ttl);
    }

    // Opened for writes, and nothing has been said against it since.
    [[nodiscard]] bool was_writer(const std::string& name) const
    {
        return before.last_writer == name;
    }

    [[nodiscard]] bool was_open_for_reads(const std::string& name) const
    {
        const auto* m = before.find(name);
        return m && m->read.verdict == admission::open;
    }
};

[[nodiscard]] inline std::string quoted(const std::string& text)
{
    return "'" + text + "'";
}

} // namespace rolegate::health
