// SPDX-License-Identifier: PostgreSQL
//
// Where a section leads: its servers as a cluster, its check as a role. Sections that ask the same
// Patroni share one cluster. Pure.
#pragma once

#include "config/cluster_settings.hpp"
#include "config/haproxy/ledger.hpp"
#include "config/haproxy/names.hpp"
#include "config/haproxy/proxy.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace rolegate::config::haproxy
{

struct destination
{
    std::string cluster;
    bool is_tcp = false;
    member_demand demand;
};

class destinations
{
public:
    // `clusters` gets what is not there yet.
    destinations(std::vector<cluster_settings>& clusters, ledger& book)
        : clusters_(clusters), book_(book)
    {
    }

    // A REST API that one section asks for /replica is Patroni's for one that asks for / as well.
    // To be told of every section before any of them is led somewhere.
    void learn(const proxy& back);

    // nullopt: refused.
    [[nodiscard]] std::optional<destination> of(const proxy& back);

private:
    [[nodiscard]] std::optional<destination> find(const proxy& back);
    [[nodiscard]] bool is_patroni(const proxy& back) const;
    [[nodiscard]] std::optional<destination> to_patroni(const proxy& back);
    [[nodiscard]] std::optional<destination> to_tcp(const proxy& back);
    std::string share(cluster_settings cluster, std::string_view wanted);

    std::vector<cluster_settings>& clusters_;
    ledger& book_;
    names names_;
    std::map<int, std::optional<destination>> known_; // by the number of a section
    std::set<std::string> apis_;                      // HOST:PORT
    std::set<std::string> told_;                      // see patroni_cluster()
};

} // namespace rolegate::config::haproxy
