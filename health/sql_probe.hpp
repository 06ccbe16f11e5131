// SPDX-License-Identifier: PostgreSQL
//
// PostgreSQL's own word over libpq: in recovery or not, timeline, LSN, system identifier. One
// connection a member, kept open, so that its end is noticed at once. The only place that knows
// libpq. Control thread only.
#pragma once

#include "config/settings.hpp"
#include "health/evidence.hpp"
#include "health/observer.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

struct pg_conn;
struct pg_result;

namespace rolegate::health
{

class sql_probe : public std::enable_shared_from_this<sql_probe>
{
public:
    // `answered` is called after every answer, failure and loss of the connection, with how long it
    // took; report() has it then.
    sql_probe(
        boost::asio::io_context& control,
        const config::sql_settings& settings,
        std::chrono::milliseconds timeout,
        std::function<void(std::chrono::duration<double>)> answered
    );
    ~sql_probe();
    sql_probe(const sql_probe&) = delete;
    sql_probe& operator=(const sql_probe&) = delete;

    void start();
    void stop();

    // Where the member is; another place than before ends the connection.
    void aim(const std::string& host, const std::string& address, std::uint16_t port);

    // From now on asks this often; at once when the last answer is older.
    void set_interval(clock::duration interval);

    [[nodiscard]] const sql_report& report() const noexcept { return report_; }
    [[nodiscard]] const std::string& address() const noexcept { return address_; }

    // An attempt to ask, as logs and metrics have it.
    [[nodiscard]] check as_check(
        std::string cluster,
        std::string member,
        std::string error,
        std::chrono::duration<double> took
    ) const;

private:
    template <class T> using awaitable = boost::asio::awaitable<T>;

    // What is waited for on the connection's socket.
    enum class direction
    {
        read,
        write,
    };

    struct closer
    {
        void operator()(pg_conn* c) const noexcept;
    };

    awaitable<void> run();
    awaitable<std::string> connect();
    awaitable<std::string> ask();
    awaitable<std::string> wait(direction for_what, time_point until);
    awaitable<bool> rest(time_point until);
    std::string take_result(const pg_result* r);
    void wake();
    void disconnect() noexcept;
    [[nodiscard]] std::string complaint() const;
    void conclude(std::string error, time_point began);

    boost::asio::io_context& control_;
    const config::sql_settings settings_;
    const std::chrono::milliseconds timeout_;
    std::function<void(std::chrono::duration<double>)> answered_;
    boost::asio::steady_timer timer_;
    std::unique_ptr<pg_conn, closer> connection_;
    boost::asio::posix::stream_descriptor socket_; // libpq's own; released before libpq closes it
    std::string host_;
    std::string address_;
    std::uint16_t port_ = 0;
    sql_report report_;
    clock::duration interval_ = std::chrono::seconds(1);
    time_point asked_{};
    std::uint64_t turn_ = 0; // of wait(), to know its timer from an earlier one's
    bool failed_ = false;    // the last attempt; not the loss of an idle connection
    bool resting_ = false;   // between two questions
    bool moved_ = false;     // the connection leads to where the member was
    bool stopped_ = false;
};

} // namespace rolegate::health
