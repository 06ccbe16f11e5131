// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/answers.hpp"

#include "proxy/admin/json.hpp"
#include "proxy/admin/reload_json.hpp"
#include "proxy/admin/sessions_json.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <utility>
#include <variant>

namespace rolegate::proxy::admin
{

namespace
{

namespace asio = boost::asio;

// Pages that are kept until there is another view.
constexpr std::size_t most_pages = 32;

// Its page has many names.
constexpr std::string_view csv_key = "/haproxy.csv";

} // namespace

answers::answers(
    asio::io_context& control,
    const config::admin_settings& settings,
    http_sources from,
    const password_limits& passwords
)
    : settings_(settings), from_(std::move(from)), users_(settings.users, passwords),
      views_(control, from_.view), listings_(control, from_.sessions)
{
}

void answers::use(const config::admin_settings& settings)
{
    if (settings_.users != settings.users)
        users_.use(settings.users);
    const auto bind = settings_.bind;
    settings_ = settings;
    settings_.bind = bind;
}

// A fault of ours while a page is made must not end the proxy.
asio::awaitable<response> answers::answer(http_question r)
{
    try
    {
        // Whether the process lives must not depend on workers that are busy.
        if (r.target == "/livez")
            co_return admin::answer(r.method, r.target, {});
        auto page = co_await answer_known(std::move(r));
        co_return page;
    }
    catch (const std::exception& e)
    {
        const std::string what = std::string("internal error: ") + e.what();
        co_return response{500, "application/json", error_json(what)};
    }
}

// Who asks is found out where it matters: a password costs time.
asio::awaitable<response> answers::answer_known(http_question r)
{
    auto asked = find_operation(r.target);
    const bool about_user = r.path() == "/api/v1/user";
    const bool matters = asked || about_user || refuse_reading(r.facts(), settings_);
    if (matters && !r.authorization.empty())
    {
        auto who = co_await users_.identify(r.authorization, r.from);
        if (who.status == 401)
            co_return who_are_you(r.facts(), who.why);
        if (who.status != 0)
            co_return response{who.status, "application/json", error_json(who.why)};
        r.user = std::move(who.user);
    }
    if (auto refused = refuse_reading(r.facts(), settings_))
        co_return *std::move(refused);
    if (about_user)
        co_return admin::about_user(r.facts(), settings_);
    if (asked)
    {
        if (auto refused = refuse_operation(r.facts(), settings_))
            co_return *std::move(refused);
        if (auto wrong = read_body(*asked, r.body))
            co_return *std::move(wrong);
        asked->who = r.user;
        auto done = co_await from_.operate(*std::move(asked));
        co_return done;
    }
    auto page = co_await show(std::move(r));
    co_return page;
}

asio::awaitable<response> answers::show(http_question r)
{
    if (auto query = find_session_query(r.method, r.target))
    {
        if (auto* wrong = std::get_if<response>(&*query))
            co_return std::move(*wrong);
        auto listed = co_await listings_.get(std::get<session_query>(*std::move(query)));
        co_return listed;
    }
    if (r.path() == "/api/v1/config" && (r.method == "GET" || r.method == "HEAD"))
        co_return response{200, "application/json", config_json(from_.configuration())};

    const auto view = co_await views_.get();
    if (shown_ != view || pages_.size() >= most_pages)
        pages_.clear();
    shown_ = view;
    const bool reads = r.method == "GET" || r.method == "HEAD";
    if (!reads)
        co_return admin::answer(r.method, r.target, *view);
    // No page of a view depends on the query, but for HAProxy's name of its statistics: a query
    // that changes every time makes no page anew. Paths that there are not are without number.
    const auto key = asks_for_csv(r.target) ? std::string(csv_key) : std::string(r.path());
    const auto found = pages_.find(key);
    if (found != pages_.end())
        co_return found->second;
    auto page = admin::answer(r.method, r.target, *view);
    if (page.status != 404)
        pages_[key] = page;
    co_return page;
}

} // namespace rolegate::proxy::admin
