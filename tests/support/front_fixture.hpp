// SPDX-License-Identifier: PostgreSQL
//
// Several listeners before several clusters, as the program makes them, with topologies that the
// test publishes by hand. At its end no session and no descriptor may be left.
#pragma once

#include "proxy/front.hpp"
#include "tests/support/proxy_fixture.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rolegate::support
{

class front_fixture
{
public:
    // The clusters are those that the listeners name, in the order of their first mention.
    explicit front_fixture(std::vector<config::listener_settings> listeners, unsigned workers = 2);
    ~front_fixture();
    front_fixture(const front_fixture&) = delete;
    front_fixture& operator=(const front_fixture&) = delete;

    // What was wrong; then nothing has changed. A new cluster has no members yet.
    std::vector<std::string> reload(const config::settings& next);
    [[nodiscard]] const config::settings& settings() const noexcept { return settings_; }

    // A verdict is that for every listener of the cluster.
    void believe(const std::string& cluster, const std::vector<believed>& members);

    // Of the listener with this index.
    [[nodiscard]] std::uint16_t port(std::size_t listener = 0) const;
    [[nodiscard]] proxy::listener_stats stats(std::size_t listener);

    // Sessions counted as some member's.
    [[nodiscard]] std::size_t relaying(std::size_t listener);

    [[nodiscard]] proxy::session_list list(const proxy::session_query& q = {});
    [[nodiscard]] proxy::kill_result kill(std::uint64_t session);

    [[nodiscard]] proxy::front& front() noexcept { return *front_; }

private:
    [[nodiscard]] static config::settings
    settings_for(std::vector<config::listener_settings> listeners, unsigned workers);
    [[nodiscard]] std::size_t sessions_left();

    std::size_t descriptors_before_;
    config::settings settings_;
    told told_;
    std::optional<proxy::front> front_;
    proxy::cluster_numbers numbers_;
    std::size_t clusters_made_ = 0;
    std::map<std::string, std::vector<believed>> members_; // as believed last, by cluster
    std::uint64_t generation_ = 0;
};

} // namespace rolegate::support
