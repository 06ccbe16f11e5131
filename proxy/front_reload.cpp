// SPDX-License-Identifier: PostgreSQL
//
// From one set of listeners to the next. What has not changed goes on as the same object: sockets
// by their address, whoever they belong to; a listener's doorway by its name; its state, and those
// it shares a bind with, if nothing of them has changed and no file must be read again.
#include "config/sharing.hpp"
#include "proxy/descriptors.hpp"
#include "proxy/front.hpp"

#include <algorithm>
#include <exception>
#include <set>
#include <utility>

namespace rolegate::proxy
{

namespace
{

const config::cluster_settings&
cluster_of(const config::settings& settings, const config::listener_settings& l)
{
    return *std::ranges::find(settings.clusters, l.cluster, &config::cluster_settings::name);
}

// Where the kernel chooses the port the address says little.
bool same_address(const listener& one, const config::host_port& bind, bool same_owner)
{
    return one.address == text_of(bind) && (same_owner || bind.port != 0 || bind.is_unix());
}

// Whether `l` would be what it is already.
bool goes_on(
    const listener_state& before,
    const config::listener_settings& l,
    const config::cluster_settings& c,
    const seat_ptr& place,
    const listener_tls_contexts& tls
)
{
    return before.settings == l && before.cluster_settings == c && before.place == place &&
           !tls.client && !tls.server;
}

std::set<std::shared_ptr<listener>> entrances_of(const listener_set& s)
{
    std::set<std::shared_ptr<listener>> all;
    for (const auto& g : s.groups)
        all.insert(g.entrances.begin(), g.entrances.end());
    return all;
}

} // namespace

listener_set front::prepare(const config::settings& settings, const cluster_numbers& clusters)
{
    listener_set next;
    next.maxconn = most_clients(settings.maxconn);
    next.states.resize(settings.listeners.size());
    next.group_of.resize(settings.listeners.size());
    for (const auto& [name, number] : clusters)
        seatings_.try_emplace(number, number);
    for (const auto& which : config::groups_of(settings.listeners))
    {
        next.groups.push_back(prepare_group(settings, which, clusters, next.problems));
        for (std::size_t i = 0; i < which.size(); ++i)
        {
            next.states[which[i]] = next.groups.back().states[i];
            next.group_of[which[i]] = next.groups.size() - 1;
        }
    }
    return next;
}

listener_set::group front::prepare_group(
    const config::settings& settings,
    const indexes& which,
    const cluster_numbers& clusters,
    std::vector<std::string>& problems
)
{
    const auto& first = settings.listeners[which.front()];
    const auto was = find(first.name);
    bool same = was && was->sharing.front() == was.get() && was->sharing.size() == which.size();
    const auto made = std::make_shared<listener_group>();
    for (std::size_t i = 0; i < which.size(); ++i)
    {
        const auto& l = settings.listeners[which[i]];
        const auto& c = cluster_of(settings, l);
        const auto before = find(l.name);
        auto place = seatings_.at(clusters.at(l.cluster)).take({l.name, l});
        listener_tls_contexts tls;
        try
        {
            tls = make_tls_contexts(l);
        }
        catch (const std::exception& e)
        {
            problems.emplace_back(e.what());
        }
        same = same && goes_on(*was->sharing[i], l, c, place, tls);
        auto way = before ? before->way : make_doorway(l);
        made->emplace_back(
            l, c, std::move(place), std::move(way), std::move(tls), process_, before.get()
        );
    }

    listener_set::group group;
    std::vector<listener_state*> sharing;
    for (auto& state : *made)
        sharing.push_back(&state);
    for (std::size_t i = 0; i < which.size(); ++i)
    {
        sharing[i]->sharing = sharing;
        group.states.push_back(
            same ? neighbour(was, *was->sharing[i]) : listener_ptr(made, sharing[i])
        );
    }
    group.entrances = prepare_entrances(group.states.front(), first.bind, problems);
    return group;
}

std::shared_ptr<doorway> front::make_doorway(const config::listener_settings& l)
{
    const auto id = listeners_made_++;
    return std::make_shared<doorway>(
        id,
        workers_.size(),
        l,
        [this, id](std::size_t worker, ticket whose) { workers_[worker]->wake(id, whose); }
    );
}

std::vector<std::shared_ptr<listener>> front::prepare_entrances(
    const listener_ptr& first,
    const std::vector<config::host_port>& bind,
    std::vector<std::string>& problems
)
{
    std::vector<worker*> all;
    for (const auto& w : workers_)
        all.push_back(w.get());
    std::vector<std::shared_ptr<listener>> entrances;
    for (const auto& b : bind)
    {
        std::shared_ptr<listener> kept;
        for (const auto& g : now_.groups)
            for (const auto& e : g.entrances)
                if (same_address(*e, b, g.states.front()->id == first->id))
                    kept = e;
        try
        {
            auto& home = *all[first->id % all.size()];
            entrances.push_back(kept ? kept : std::make_shared<listener>(first, b, home, all));
        }
        catch (const std::exception& e)
        {
            problems.emplace_back(e.what());
        }
    }
    return entrances;
}

void front::commit(listener_set next)
{
    const auto now = health::clock::now();
    const auto before = std::exchange(now_, std::move(next));
    process_.maxconn = now_.maxconn;
    for (const auto& s : now_.states)
    {
        s->way->set_limits(s->settings);
        s->members.adopt(*beliefs_.at(s->cluster), now);
    }
    for (auto& w : workers_)
        w->use(now_.states);

    const auto was = entrances_of(before);
    const auto are = entrances_of(now_);
    for (const auto& g : now_.groups)
        for (const auto& e : g.entrances)
            was.contains(e) ? e->lead_to(g.states.front()) : e->start();
    for (const auto& e : was)
        if (!are.contains(e))
            listener::end(e);
}

} // namespace rolegate::proxy
