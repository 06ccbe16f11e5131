// SPDX-License-Identifier: PostgreSQL
//
// `check` beside `patroni` and `postgres`: every member is asked over HTTP as well, for as long as
// it is one. What that means is decided in demands.hpp. Control thread only.
#pragma once

#include "config/cluster_settings.hpp"
#include "health/check_loop.hpp"
#include "health/check_report.hpp"
#include "health/observer.hpp"
#include "health/topology.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace rolegate::health
{

class http_checks
{
public:
    // `to` hears of each check, and `changed` is called when one has changed what `reports` says.
    http_checks(
        boost::asio::io_context& control,
        const config::cluster_settings& settings, // `check` is set
        check_reports& reports,
        observer& to,
        std::function<void()> changed
    );

    // The members that are to be checked from now on; others are forgotten. `owner` lives as long
    // as a check is under way.
    void follow(const topology& t, const std::shared_ptr<const void>& owner = {});

    void stop();

private:
    void take(const std::string& member, const std::string& error, clock::duration took);

    boost::asio::io_context& control_;
    const std::string cluster_;
    const config::check_settings settings_;
    name_cache names_; // its own: a check that fails says nothing about the way to PostgreSQL
    check_reports& reports_;
    observer& observer_;
    const std::function<void()> changed_;
    std::map<std::string, std::shared_ptr<check_loop>> loops_; // by member
    bool stopped_ = false;
};

} // namespace rolegate::health
