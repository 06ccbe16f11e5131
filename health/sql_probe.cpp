// SPDX-License-Identifier: PostgreSQL
#include "health/sql_probe.hpp"

#include "config/utf8.hpp"
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <libpq-fe.h>
#include <utility>

namespace rolegate::health
{

namespace
{

namespace asio = boost::asio;
using boost::system::error_code;

constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

constexpr clock::duration failure_pause = std::chrono::seconds(1);

// From PostgreSQL 10 on. A primary's timeline is that of the file it writes to. A standby's is the
// newest of what it receives (NULL without pg_monitor) and what its control file says.
// pg_control_*() are readable by everybody.
constexpr const char* question_sql =
    "SELECT pg_catalog.pg_is_in_recovery(),"
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE pg_catalog.substr("
    "pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) END,"
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()"
    " ELSE pg_catalog.pg_current_wal_lsn() END OPERATOR(pg_catalog.-) '0/0'::pg_catalog.pg_lsn,"
    " (SELECT system_identifier FROM pg_catalog.pg_control_system()),"
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN GREATEST("
    "(SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver),"
    " (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()),"
    " (SELECT min_recovery_end_timeline FROM pg_catalog.pg_control_recovery())) END,"
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn()"
    " OPERATOR(pg_catalog.-) '0/0'::pg_catalog.pg_lsn END,"
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.floor(pg_catalog.date_part('epoch',"
    " pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-)"
    " pg_catalog.pg_last_xact_replay_timestamp())"
    " OPERATOR(pg_catalog.*) 1000)::pg_catalog.int8 END";

constexpr int columns = 7;

template <class T> std::optional<T> number(const PGresult* r, int column, int base)
{
    const std::string_view text = PQgetvalue(r, 0, column);
    T value{};
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (PQgetisnull(r, 0, column) != 0 || ec != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

struct result_closer
{
    void operator()(PGresult* r) const noexcept { PQclear(r); }
};

using result_ptr = std::unique_ptr<PGresult, result_closer>;

} // namespace

void sql_probe::closer::operator()(pg_conn* c) const noexcept
{
    PQfinish(c);
}

sql_probe::sql_probe(
    asio::io_context& control,
    const config::sql_settings& settings,
    std::chrono::milliseconds timeout,
    std::function<void(std::chrono::duration<double>)> answered
)
    : control_(control), settings_(settings), timeout_(timeout), answered_(std::move(answered)),
      timer_(control), socket_(control)
{
}

sql_probe::~sql_probe()
{
    disconnect();
}

void sql_probe::start()
{
    asio::co_spawn(
        control_,
        run(),
        [self = shared_from_this()](std::exception_ptr e)
        {
            if (e)
                std::rethrow_exception(e);
        }
    );
}

void sql_probe::stop()
{
    stopped_ = true;
    wake();
}

// Ends whatever wait there is.
void sql_probe::wake()
{
    error_code ignored;
    if (socket_.is_open())
        socket_.cancel(ignored);
    else
        timer_.cancel();
}

void sql_probe::aim(const std::string& host, const std::string& address, std::uint16_t port)
{
    if (host_ == host && address_ == address && port_ == port)
        return;
    host_ = host;
    address_ = address;
    port_ = port;
    report_ = {};
    asked_ = {};
    moved_ = true;
    wake();
}

void sql_probe::set_interval(clock::duration interval)
{
    const bool sooner = interval < interval_;
    interval_ = interval;
    if (sooner && resting_)
        wake();
}

check sql_probe::as_check(
    std::string cluster, std::string member, std::string error, std::chrono::duration<double> took
) const
{
    check c;
    c.cluster = std::move(cluster);
    c.member = std::move(member);
    c.address = address_;
    c.source = "sql";
    c.path = "pg_is_in_recovery";
    c.error = std::move(error);
    c.took = took;
    return c;
}

asio::awaitable<void> sql_probe::run()
{
    while (!stopped_)
    {
        // A wrong password must not be tried forty times a second.
        const auto pause = failed_ ? std::max(interval_, failure_pause) : interval_;
        const auto due = asked_ + pause;
        if (address_.empty() || port_ == 0 || clock::now() < due)
        {
            resting_ = true;
            const bool lost = co_await rest(due);
            resting_ = false;
            if (lost && !stopped_)
                conclude("connection lost", clock::now());
            continue;
        }
        if (std::exchange(moved_, false))
            disconnect();
        const auto began = asked_ = clock::now();
        std::string error;
        if (!connection_)
            error = co_await connect();
        if (error.empty())
            error = co_await ask();
        failed_ = !error.empty() && !moved_;
        // Of a member that has moved meanwhile nothing was learnt.
        if (!stopped_ && !moved_)
            conclude(std::move(error), began);
    }
    disconnect();
}

void sql_probe::conclude(std::string error, time_point began)
{
    if (!error.empty())
        disconnect();
    report_.error = std::move(error);
    if (!stopped_)
        answered_(clock::now() - began);
}

// Until the time has come or something else has; true when the idle connection has ended.
asio::awaitable<bool> sql_probe::rest(time_point until)
{
    if (!connection_)
    {
        timer_.expires_at(std::max(until, clock::now() + std::chrono::milliseconds(10)));
        co_await timer_.async_wait(nothrow);
        co_return false;
    }
    const auto error = co_await wait(direction::read, until);
    if (!error.empty() || stopped_ || !connection_)
        co_return false; // nothing came
    co_return PQconsumeInput(connection_.get()) == 0 ||
        PQstatus(connection_.get()) != CONNECTION_OK;
}

asio::awaitable<std::string> sql_probe::connect()
{
    const std::string port = std::to_string(port_);
    // A unix socket's directory stands in `host`, and is no address to libpq.
    const std::string numeric = address_.starts_with('/') ? "" : address_;
    const std::pair<const char*, const std::string*> all[] = {
        {"host", &host_},
        {"hostaddr", &numeric},
        {"port", &port},
        {"user", &settings_.user},
        {"dbname", &settings_.dbname},
        {"password", &settings_.password},
        {"passfile", &settings_.passfile},
        {"sslmode", &settings_.sslmode},
        {"sslrootcert", &settings_.sslrootcert},
        {"sslcert", &settings_.sslcert},
        {"sslkey", &settings_.sslkey},
    };
    std::vector<const char*> names{"application_name", "gssencmode", "options"};
    // A server that hangs in the middle of a promotion must not hold the question for long.
    std::vector<const char*> values{"rolegate", "disable", "-c statement_timeout=2000"};
    for (const auto& [name, value] : all)
        if (!value->empty())
        {
            names.push_back(name);
            values.push_back(value->c_str());
        }
    names.push_back(nullptr);
    values.push_back(nullptr);

    connection_.reset(PQconnectStartParams(names.data(), values.data(), 0));
    if (!connection_ || PQstatus(connection_.get()) == CONNECTION_BAD)
        co_return complaint();
    const auto until = clock::now() + timeout_;
    auto step = PGRES_POLLING_WRITING;
    while (step != PGRES_POLLING_OK)
    {
        const auto what = step == PGRES_POLLING_READING ? direction::read : direction::write;
        auto error = co_await wait(what, until);
        if (!error.empty())
            co_return "connect: " + error;
        step = PQconnectPoll(connection_.get());
        if (step == PGRES_POLLING_FAILED)
            co_return complaint();
    }
    PQsetnonblocking(connection_.get(), 1);
    co_return "";
}

asio::awaitable<std::string> sql_probe::ask()
{
    auto* c = connection_.get();
    if (PQsendQuery(c, question_sql) == 0)
        co_return complaint();
    const auto until = clock::now() + timeout_;
    while (PQflush(c) == 1)
    {
        auto error = co_await wait(direction::write, until);
        if (!error.empty())
            co_return error;
    }
    // To the end of the answer: PQgetResult() would wait for it in its own, endless way.
    result_ptr result;
    for (;;)
    {
        while (PQisBusy(c) != 0)
        {
            auto error = co_await wait(direction::read, until);
            if (!error.empty())
                co_return error;
            if (PQconsumeInput(c) == 0)
                co_return complaint();
        }
        result_ptr next(PQgetResult(c));
        if (!next)
            break;
        if (!result)
            result = std::move(next);
    }
    co_return take_result(result.get());
}

std::string sql_probe::take_result(const pg_result* r)
{
    if (PQresultStatus(r) != PGRES_TUPLES_OK || PQntuples(r) != 1 || PQnfields(r) != columns)
        return complaint();
    sql_word word;
    word.in_recovery = std::strcmp(PQgetvalue(r, 0, 0), "f") != 0;
    word.timeline = number<std::uint32_t>(r, 1, 16);
    word.lsn = number<std::int64_t>(r, 2, 10);
    word.database_system_identifier = PQgetvalue(r, 0, 3);
    word.received_timeline = number<std::uint32_t>(r, 4, 10);
    word.received_lsn = number<std::int64_t>(r, 5, 10);
    if (const auto age = number<std::int64_t>(r, 6, 10)) // clocks of two hosts differ
        word.replayed_age = std::chrono::milliseconds(std::max<std::int64_t>(*age, 0));
    if (moved_)
        return ""; // said by whoever was there before
    report_.word = std::move(word);
    report_.asked = asked_;
    report_.seen = clock::now();
    return "";
}

// "" = ready.
asio::awaitable<std::string> sql_probe::wait(direction for_what, time_point until)
{
    const int fd = PQsocket(connection_.get());
    if (fd < 0)
        co_return "no socket";
    error_code ec;
    socket_.assign(fd, ec);
    if (ec)
        co_return ec.message();
    timer_.expires_at(until);
    timer_.async_wait(
        [self = weak_from_this(), turn = ++turn_](const error_code& aborted)
        {
            // A handler that is queued already is beyond cancel(): it may come in a later wait.
            const auto probe = self.lock();
            error_code ignored;
            if (probe && !aborted && probe->turn_ == turn && probe->socket_.is_open())
                probe->socket_.cancel(ignored);
        }
    );
    const auto kind = for_what == direction::read ? asio::posix::descriptor_base::wait_read
                                                  : asio::posix::descriptor_base::wait_write;
    auto [wait_ec] = co_await socket_.async_wait(kind, nothrow);
    ++turn_;
    timer_.cancel();
    if (socket_.is_open())
        socket_.release(); // it is libpq's, which may open another one in the next step
    // Also where there is always something to read: a server may talk without end.
    if (clock::now() >= until)
        co_return "timed out";
    co_return wait_ec ? wait_ec.message() : "";
}

void sql_probe::disconnect() noexcept
{
    if (socket_.is_open())
        socket_.release();
    connection_.reset();
}

// libpq's words in one line. Before it knows us, a server speaks in an encoding of its own.
std::string sql_probe::complaint() const
{
    constexpr std::size_t most = 500;
    std::string text = connection_ ? PQerrorMessage(connection_.get()) : "out of memory";
    for (auto& c : text)
        if (c == '\n' || c == '\t')
            c = ' ';
    while (!text.empty() && text.back() == ' ')
        text.pop_back();
    return text.empty() ? "no answer" : config::readable(text, most);
}

} // namespace rolegate::health
