// SPDX-License-Identifier: PostgreSQL
//
// Scripted members of Patroni whose keys are in a scripted etcd.
#pragma once

#include "tests/support/fake_etcd.hpp"
#include "tests/support/monitor_fixture.hpp"
#include "tests/support/run_until.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace rolegate::support
{

// Member a leads.
struct watched_cluster
{
    // `group`: "1/" of a Citus cluster's, where each has its own keys.
    explicit watched_cluster(
        std::size_t endpoints = 1, std::size_t size = 2, std::string group = {}
    )
        : etcd(endpoints), patroni(size), keys(std::move(group))
    {
        lease = etcd.grant(300);
        for (std::size_t i = 0; i < size; ++i)
            join(std::string(1, static_cast<char>('a' + i)));
        etcd.put(keys + "config", R"({"ttl":30})");
        etcd.put(keys + "leader", "a", lease);
    }

    void join(const std::string& name, int timeline = 1)
    {
        etcd.put(
            keys + "members/" + name,
            R"({"conn_url":"postgres://127.0.0.1:5432/postgres","api_url":")" +
                patroni[name].url() + R"(","state":"running","role":"replica","timeline":)" +
                std::to_string(timeline) + "}"
        );
    }

    void lead(const std::string& name)
    {
        patroni.lead(name);
        etcd.put(keys + "leader", name, lease);
    }

    std::size_t requests(const std::string& path)
    {
        return patroni["a"].requests(path) + patroni["b"].requests(path);
    }

    // Nobody is a REST seed: the members are known from the keys alone.
    [[nodiscard]] config::cluster_settings settings() const
    {
        auto s = following({});
        s.patroni.timeout = scaled(std::chrono::seconds(2));
        s.dcs.emplace();
        s.dcs->scope = "demo";
        for (std::size_t i = 0; i < etcd.size(); ++i)
            s.dcs->hosts.push_back({"127.0.0.1", etcd.port(i)});
        return s;
    }

    fake_etcd etcd;
    fake_cluster patroni;
    std::string keys; // before the names of its own
    std::int64_t lease = 0;
};

} // namespace rolegate::support
