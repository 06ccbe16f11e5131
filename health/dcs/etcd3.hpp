// SPDX-License-Identifier: PostgreSQL
//
// etcd's API v3 over its JSON gateway.
#pragma once

#include "health/dcs/etcd3_messages.hpp"
#include "health/dcs/protocol.hpp"

namespace rolegate::health::dcs
{

class etcd3_protocol final : public protocol
{
public:
    explicit etcd3_protocol(const config::dcs_settings& settings);

    [[nodiscard]] const char* name() const noexcept override { return "etcd3"; }
    [[nodiscard]] boost::asio::awaitable<std::string> greet(http_connection& to) override;
    [[nodiscard]] boost::asio::awaitable<snapshot_answer> snapshot(http_connection& to) override;
    [[nodiscard]] boost::asio::awaitable<leader_answer> leader(http_connection& to) override;
    [[nodiscard]] boost::asio::awaitable<std::string>
    watch(http_connection& to, std::uint64_t after, change_sink sink) override;

private:
    [[nodiscard]] boost::asio::awaitable<http_answer>
    post(http_connection& to, const char* path, std::string body);
    [[nodiscard]] http_request request(const char* path, std::string body) const;
    [[nodiscard]] boost::asio::awaitable<std::string> sign_in(http_connection& to);

    std::string prefix_; // "/service/demo/"
    std::string username_;
    std::string password_;
    std::string api_ = "/v3"; // of the server greeted last; the same for all but mixed versions
    std::string token_;       // "" = not signed in
};

} // namespace rolegate::health::dcs
