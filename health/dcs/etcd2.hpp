// SPDX-License-Identifier: PostgreSQL
//
// etcd's API v2: one long poll for each event.
#pragma once

#include "health/dcs/etcd2_messages.hpp"
#include "health/dcs/protocol.hpp"

namespace rolegate::health::dcs
{

class etcd2_protocol final : public protocol
{
public:
    explicit etcd2_protocol(const config::dcs_settings& settings);

    [[nodiscard]] const char* name() const noexcept override { return "etcd"; }
    [[nodiscard]] boost::asio::awaitable<std::string> greet(http_connection& to) override;
    [[nodiscard]] boost::asio::awaitable<snapshot_answer> snapshot(http_connection& to) override;
    [[nodiscard]] boost::asio::awaitable<leader_answer> leader(http_connection& to) override;
    [[nodiscard]] boost::asio::awaitable<std::string>
    watch(http_connection& to, std::uint64_t after, change_sink sink) override;

private:
    [[nodiscard]] http_request get(const std::string& key, const std::string& query) const;

    std::string prefix_;        // "/service/demo/"
    std::string authorization_; // "" or "Basic ..."
};

} // namespace rolegate::health::dcs
