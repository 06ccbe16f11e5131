// SPDX-License-Identifier: PostgreSQL
//
// From a request to its answer: who asks, whether he may, and what is shown or done. Knows nothing
// of sockets and HTTP's syntax. Control thread only.
#pragma once

#include "config/settings.hpp"
#include "proxy/admin/access.hpp"
#include "proxy/admin/authenticator.hpp"
#include "proxy/admin/operation.hpp"
#include "proxy/admin/shared_listing.hpp"
#include "proxy/admin/shared_view.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace rolegate::proxy::admin
{

// Where answers come from.
struct http_sources
{
    shared_view::source view; // what the pages show
    shared_listing::source sessions;
    std::function<boost::asio::awaitable<response>(operation)> operate; // for somebody who may
    std::function<std::string()> configuration;                         // without secrets
};

// What counts of a request.
struct http_question
{
    std::string method;
    std::string target;
    std::string host;
    std::string origin;
    std::string authorization;
    std::string body;
    std::string from; // address
    std::string user; // "" until it is found out
    bool tls = false;
    bool from_page = false;

    [[nodiscard]] request_facts facts() const
    {
        return {method, target, host, origin, tls, from_page, user};
    }

    [[nodiscard]] std::string_view path() const
    {
        return std::string_view(target).substr(0, target.find('?'));
    }
};

class answers
{
public:
    answers(
        boost::asio::io_context& control,
        const config::admin_settings& settings,
        http_sources from,
        const password_limits& passwords
    );

    // Other users and rules for requests to come; where they arrive stays.
    void use(const config::admin_settings& settings);

    [[nodiscard]] boost::asio::awaitable<response> answer(http_question r);

    [[nodiscard]] const login_counts& logins() const noexcept { return users_.counts(); }

private:
    boost::asio::awaitable<response> answer_known(http_question r);
    boost::asio::awaitable<response> show(http_question r);

    config::admin_settings settings_;
    http_sources from_;
    authenticator users_;
    shared_view views_;
    view_ptr shown_;                        // by the pages:
    std::map<std::string, response> pages_; // by path
    shared_listing listings_;
};

} // namespace rolegate::proxy::admin
