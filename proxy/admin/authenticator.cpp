// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/authenticator.hpp"

#include "proxy/admin/password.hpp"
#include "proxy/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace rolegate::proxy::admin
{

namespace
{

namespace asio = boost::asio;

constexpr std::size_t most_remembered = 64;

// In ten seconds, of each reason not to take a password. Not of each address as well: whoever
// guesses may have as many as he likes, and would fill the table that other events need, too.
constexpr unsigned lines_told = 10;

// What both threads know of a hash that is being made.
struct question
{
    explicit question(const asio::any_io_executor& ours)
        : answered(ours, asio::steady_timer::time_point::max())
    {
    }

    asio::steady_timer answered;
    bool right = false;
};

// On the thread for hashes, where an exception would be the end of the process.
bool is_right(const std::string& given, const std::string& kept)
{
    try
    {
        return is_password(given, kept);
    }
    catch (...)
    {
        log::internal_error(std::current_exception());
        return false;
    }
}

} // namespace

authenticator::authenticator(user_map users, const password_limits& limits)
    : users_(std::move(users)), limits_(limits), attempts_(limits.per_second, limits.at_once)
{
    if (RAND_bytes(key_.data(), static_cast<int>(key_.size())) != 1)
        throw std::runtime_error("no random numbers for 'admin.users'");
}

authenticator::~authenticator()
{
    pool_.stop();
    pool_.join();
}

void authenticator::use(user_map users)
{
    users_ = std::move(users);
    known_.clear();
    ++generation_;
}

asio::awaitable<identity> authenticator::identify(std::string authorization, std::string from)
{
    if (authorization.empty() || users_.empty())
        co_return identity{};
    auto said = parse_basic(authorization);
    if (!said)
    {
        const identity nobody{"", 401, "only HTTP Basic is understood"};
        note(nobody, "", from);
        co_return nobody;
    }
    const auto user = said->user;
    auto who = co_await find_out(*std::move(said), from);
    note(who, user, from);
    co_return who;
}

asio::awaitable<identity> authenticator::find_out(credentials said, std::string from)
{
    const auto now = std::chrono::steady_clock::now();
    const auto mark = digest_of(said.user, said.password);
    if (const auto found = known_.find(mark); found != known_.end() && now < found->second)
    {
        found->second =
            now + limits_.remember_for; // others who guess from there do not lock it out
        co_return identity{said.user, 0, ""};
    }
    const auto place = attempts_.take_place(from, now);
    if (!place) // which costs him no try
        co_return identity{"", 503, "too many passwords are being checked; try again"};
    if (!attempts_.may_try(from, now))
        co_return identity{"", 429, "too many passwords were tried from there; wait some seconds"};

    const bool exists = users_.contains(said.user);
    const auto generation = generation_;
    const std::size_t any = digest_of(said.user, "").front(); // the same for a name every time
    const bool right = co_await verify(said.password, kept_for(users_, said.user, any));
    if (!exists || !right || generation != generation_)
        co_return identity{"", 401, "wrong user or password"};
    remember(mark, now);
    attempts_.was_right(from, now);
    co_return identity{said.user, 0, ""};
}

// Never the password.
void authenticator::note(const identity& who, const std::string& user, const std::string& from)
{
    if (who.status == 0)
    {
        ++counts_.ok;
        return;
    }
    ++(who.status == 401 ? counts_.failed : counts_.limited);
    log::line(config::log_level::warning, "login_failed")
        .limit(lines_told, {{"error", who.why}})
        .name("client", from)
        .name("user", user)
        .text("error", who.why);
}

asio::awaitable<bool> authenticator::verify(std::string given, std::string kept)
{
    const auto ours = co_await asio::this_coro::executor;
    const auto asked = std::make_shared<question>(ours);
    const auto work = [asked, ours, given, kept]
    {
        const bool right = is_right(given, kept);
        const auto tell = [asked, right]
        {
            asked->right = right;
            asked->answered.cancel();
        };
        asio::post(ours, tell);
    };
    asio::post(pool_, work);
    co_await asked->answered.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return asked->right;
}

authenticator::digest
authenticator::digest_of(const std::string& user, const std::string& password) const
{
    const auto text = user + '\0' + password; // no name has a zero in it
    digest out{};
    unsigned size = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    if (!HMAC(
            EVP_sha256(),
            key_.data(),
            static_cast<int>(key_.size()),
            bytes,
            text.size(),
            out.data(),
            &size
        ))
        throw std::runtime_error("no HMAC for 'admin.users'");
    return out;
}

void authenticator::remember(const digest& d, time_point now)
{
    std::erase_if(known_, [now](const auto& k) { return now >= k.second; });
    if (known_.size() < most_remembered)
        known_[d] = now + limits_.remember_for;
}

} // namespace rolegate::proxy::admin
