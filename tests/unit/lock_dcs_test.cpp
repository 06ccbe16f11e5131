// SPDX-License-Identifier: PostgreSQL
//
// Who holds the lock where a DCS is known besides reports over REST.
#include "health/lock.hpp"

#include "tests/support/evidence_builder.hpp"

#include <doctest/doctest.h>

using namespace rolegate::health;
using namespace rolegate::support;
using kind = lock_belief::kind;

namespace
{

// "a etcd3 by lease": the holder, who says so, and on what grounds.
std::string text_of(const lock_belief& l)
{
    const std::string who = l.what == kind::held ? l.holder : l.what == kind::none ? "none" : "?";
    return who + (*l.source ? " " : "") + l.source + (l.by_lease ? " by lease" : "");
}

} // namespace

TEST_SUITE_BEGIN("health/lock");

TEST_CASE("the lock is what a connected DCS says, else what is reported last, else the lease's")
{
    const struct
    {
        const char* name;
        void (*then)(story&);
        const char* belief;
        const char* fenced; // the same under on_dcs_loss: fence
    } rows[] = {
        {"connected", [](story& s) { s.dcs("a"); }, "a etcd3", "a etcd3"},
        {"connected, nobody holds it", [](story& s) { s.dcs(""); }, "none etcd3", "none etcd3"},
        {"connected, reports disagree",
         [](story& s) { s.dcs("a").after(1s).lock("b"); },
         "a etcd3",
         "a etcd3"},
        {"connected, nobody holds it, reports disagree",
         [](story& s) { s.dcs("").after(1s).lock("b"); },
         "none etcd3",
         "none etcd3"},
        {"connected, its last answer just counts",
         [](story& s) { s.dcs("a").after(5s).lock("b"); },
         "a etcd3",
         "a etcd3"},
        {"connected by its own account, its last answer is too old",
         [](story& s) { s.dcs("a").after(5001ms).lock("b"); },
         "b rest",
         "a etcd3 by lease"},
        {"never reached",
         [](story& s)
         {
             s.seen.dcs.emplace();
             s.lock("a");
         },
         "a rest",
         "?"},
        {"lost, nothing is reported",
         [](story& s) { s.dcs("a").dcs_lost_at(); },
         "a etcd3",
         "a etcd3"},
        {"lost, a report that is older",
         [](story& s) { s.lock("b").after(1s).dcs("a").dcs_lost_at(); },
         "a etcd3",
         "a etcd3"},
        {"lost, a report that is newer",
         [](story& s) { s.dcs("a").dcs_lost_at().after(1s).lock("b"); },
         "b rest",
         "a etcd3"},
        {"lost, a report that is newer: the key is gone",
         [](story& s) { s.dcs("a").dcs_lost_at().after(1s).no_lock(); },
         "none rest",
         "a etcd3"},
        {"lost, a report that only repeats an older view",
         [](story& s) { s.lock("b").after(1s).dcs("a").dcs_lost_at().after(1s).lock("b"); },
         "a etcd3",
         "a etcd3"},
        {"lost, a report that says the same",
         [](story& s) { s.dcs("a").dcs_lost_at().after(1s).lock("a"); },
         "a rest",
         "a etcd3"},
        {"lost, a report that is newer, but behind the promotion",
         [](story& s) {
             s.dcs("b")
                 .says("b", primary(2))
                 .says("a", primary())
                 .dcs_lost_at()
                 .after(1s)
                 .lock("a");
         },
         "b etcd3",
         "b etcd3"},
        {"lost for long, the lease has not ended",
         [](story& s) { s.dcs("a").dcs_lost_at().after(20s - 1ms); },
         "a etcd3 by lease",
         "a etcd3 by lease"},
        {"lost for long, the lease has ended",
         [](story& s) { s.dcs("a").dcs_lost_at().after(20s); },
         "?",
         "?"},
        {"lost for long, the lease has not ended, a fresh report says otherwise",
         [](story& s) { s.dcs("a").dcs_lost_at().after(10s).lock("b"); },
         "b rest",
         "a etcd3 by lease"},
        {"lost for long, the lease has not ended, a report that is too old says otherwise",
         [](story& s) { s.dcs("a").dcs_lost_at().after(2s).lock("b").after(6s); },
         "a etcd3 by lease",
         "a etcd3 by lease"},
        {"lost for long, nobody held it",
         [](story& s) { s.dcs("").dcs_lost_at().after(6s); },
         "?",
         "?"},
        {"lost for long, a lease that was of no known length",
         [](story& s)
         {
             s.dcs("a").dcs_lost_at().after(6s);
             s.seen.dcs->lease_ends.reset();
         },
         "?",
         "?"},
        {"connected again",
         [](story& s) { s.dcs("a").dcs_lost_at().after(30s).dcs("c"); },
         "c etcd3",
         "c etcd3"},
    };
    for (const auto& row : rows)
    {
        CAPTURE(row.name);
        story s;
        row.then(s);
        auto rules = s.rules;
        CHECK(text_of(believe_lock(s.seen, {}, rules, s.now)) == row.belief);
        rules.fence_without_dcs = true;
        CHECK(text_of(believe_lock(s.seen, {}, rules, s.now)) == row.fenced);
    }
}

TEST_CASE("a holder that stays keeps its beginning, whoever says so")
{
    story s;
    s.dcs("a");
    const auto first = believe_lock(s.seen, {}, s.rules, s.now);
    CHECK(first.since == s.now);
    CHECK(first.seen == s.now);
    CHECK(first.reporter == "etcd-1:2379");

    s.dcs_lost_at().after(1s).lock("a");
    const auto by_rest = believe_lock(s.seen, first, s.rules, s.now);
    CHECK(text_of(by_rest) == "a rest");
    CHECK(by_rest.since == first.since);
    CHECK(by_rest.seen == s.now);
    CHECK_FALSE(by_rest.ends); // REST does not tell

    s.after(6s);
    const auto by_lease = believe_lock(s.seen, by_rest, s.rules, s.now);
    CHECK(text_of(by_lease) == "a etcd3 by lease");
    CHECK(by_lease.since == first.since);
    CHECK(by_lease.seen == first.seen);
    CHECK(by_lease.ends == first.ends);

    s.dcs("");
    const auto gone = believe_lock(s.seen, by_lease, s.rules, s.now);
    CHECK(gone.since == s.now);
    CHECK_FALSE(gone.ends);
}

TEST_CASE("the lease's end is told of the holder that it belongs to")
{
    story s;
    s.dcs("a").dcs_lost_at().after(1s).lock("b");

    const auto belief = believe_lock(s.seen, {}, s.rules, s.now);

    CHECK(belief.holder == "b");
    CHECK_FALSE(belief.ends);
}

TEST_CASE("the listing behind a belief is its source's")
{
    story s;
    s.dcs("a").lock("b");
    CHECK(listing_behind(s.seen, believe_lock(s.seen, {}, s.rules, s.now)) == &s.seen.dcs->listing);

    s.after(6s);
    const auto by_lease = believe_lock(s.seen, {}, s.rules, s.now);
    CHECK(listing_behind(s.seen, by_lease) == &s.seen.dcs->listing);

    s.lock("b");
    const auto by_rest = believe_lock(s.seen, {}, s.rules, s.now);
    CHECK(listing_behind(s.seen, by_rest) == &s.seen.reports["a:8008"].listing);

    s.after(30s);
    CHECK(listing_behind(s.seen, believe_lock(s.seen, {}, s.rules, s.now)) == nullptr);
}
