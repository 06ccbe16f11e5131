// SPDX-License-Identifier: PostgreSQL
#include "proxy/worker.hpp"

#include "proxy/log.hpp"

#include <boost/asio/post.hpp>

#include <cstdlib>
#include <pthread.h>

namespace rolegate::proxy
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;

// Resolution of every time-out of a session. They are seconds long.
constexpr auto sweep_every = 100ms;

// The same hint again within this time tells the monitor nothing new.
constexpr auto hint_every = 10ms;

} // namespace

worker::worker(
    std::size_t index,
    std::size_t workers,
    std::vector<health::topology_ptr> first_beliefs,
    std::size_t listeners,
    hint_sink hints
)
    : index_(index), workers_(workers), beliefs_(std::move(first_beliefs)),
      hints_(std::move(hints)), work_(asio::make_work_guard(context_)), sweeper_(context_),
      stats_(listeners)
{
}

worker::~worker()
{
    stop();
}

void worker::start()
{
    asio::post(context_, [this] { sweep(); });
    thread_ = std::thread([this] { run(); });
    pthread_setname_np(thread_.native_handle(), ("worker-" + std::to_string(index_)).c_str());
}

void worker::run()
{
    for (;;)
        try
        {
            context_.run();
            return;
        }
        catch (...)
        {
            // Nothing on the byte path throws; what arrives here is our bug or lack of memory. The
            // other sessions go on.
            report(std::current_exception());
        }
}

void worker::stop()
{
    work_.reset();
    context_.stop();
    if (thread_.joinable())
        thread_.join();
    waiting_.clear_and_dispose([](session* s) { std::default_delete<session>()(s); });
    relaying_.clear_and_dispose([](session* s) { std::default_delete<session>()(s); });
}

// --- sessions ----------------------------------------------------------------------------------

void worker::start_session(asio::ip::tcp::socket client, listener_state& l)
{
    const auto id = ++started_ * workers_ + index_;
    auto s = std::make_unique<session>(*this, l, id, std::move(client));
    waiting_.push_back(*s);
    auto& started = *s.release(); // owned by the list from here on; remove() deletes it
    started.start();
    if (shutting_down_)
        started.on_shutdown();
}

void worker::remove(session& s)
{
    s.unlink();
    std::default_delete<session>()(&s);
}

void worker::watch(session& s)
{
    s.unlink();
    waiting_.push_back(s);
}

void worker::settle(session& s)
{
    s.unlink();
    relaying_.push_back(s);
}

// `act` may move the session to the other list, but not destroy it: destruction follows from a
// later turn of the loop.
template <class Do> void worker::for_each_session(session_list& list, Do act)
{
    for (auto it = list.begin(); it != list.end();)
    {
        auto& s = *it++;
        act(s);
    }
}

void worker::publish(std::size_t cluster, health::topology_ptr t)
{
    asio::post(
        context_,
        [this, cluster, t = std::move(t)]() mutable
        {
            const bool changed = t->generation != beliefs_[cluster]->generation;
            beliefs_[cluster] = std::move(t);
            if (!changed)
                return;
            const auto tell = [cluster](session& s)
            {
                if (s.listener().cluster == cluster)
                    s.on_topology();
            };
            for_each_session(relaying_, tell);
            for_each_session(waiting_, tell);
        }
    );
}

// --- periodic ----------------------------------------------------------------------------------

void worker::sweep()
{
    // Armed first: whatever goes wrong below, time-outs go on.
    sweeper_.expires_after(sweep_every);
    sweeper_.async_wait(
        [this](const boost::system::error_code& ec)
        {
            if (!ec)
                sweep();
        }
    );
    const auto now = std::chrono::steady_clock::now();
    sweep_gone_clients(now);
    for_each_session(waiting_, [now](session& s) { s.on_sweep(now); });
    if (shutting_down_)
        for_each_session(relaying_, [](session& s) { s.on_shutdown(); });
}

// A client that waits for a server is not read from; whether it has gone is asked of the kernel,
// for all of them in one call.
void worker::sweep_gone_clients(session::time_point now)
{
    polled_.clear();
    polled_session_.clear();
    for (auto& s : waiting_)
    {
        const int fd = s.watched_client();
        if (fd < 0)
            continue;
        polled_.push_back({fd, POLLRDHUP, 0});
        polled_session_.push_back(&s);
    }
    if (polled_.empty() || ::poll(polled_.data(), polled_.size(), 0) <= 0)
        return;
    for (std::size_t i = 0; i < polled_.size(); ++i)
        if (polled_[i].revents & (POLLRDHUP | POLLHUP | POLLERR))
            polled_session_[i]->on_client_gone(now);
}

void worker::begin_shutdown()
{
    asio::post(
        context_,
        [this]
        {
            shutting_down_ = true;
            for_each_session(waiting_, [](session& s) { s.on_shutdown(); });
            for_each_session(relaying_, [](session& s) { s.on_shutdown(); });
        }
    );
}

void worker::cut_all()
{
    asio::post(
        context_,
        [this]
        {
            for_each_session(waiting_, [](session& s) { s.end(errc::shutting_down); });
            for_each_session(relaying_, [](session& s) { s.end(errc::shutting_down); });
        }
    );
}

// --- for others --------------------------------------------------------------------------------

asio::awaitable<worker_stats> worker::copy_stats()
{
    auto copy = stats_;
    for (const auto* list : {&waiting_, &relaying_})
        for (const auto& s : *list)
            if (!s.member().empty())
                s.add_live_bytes(copy[s.listener().index].members[s.member()]);
    co_return copy;
}

asio::awaitable<std::size_t> worker::count_sessions()
{
    co_return waiting_.size() + relaying_.size();
}

void worker::hint(std::size_t cluster, const std::string& member, health::life_sign seen)
{
    const auto now = std::chrono::steady_clock::now();
    if (member == last_hinted_ && seen == last_sign_ && now - last_hint_ < hint_every)
        return;
    last_hint_ = now;
    last_hinted_ = member;
    last_sign_ = seen;
    hints_(cluster, member, seen);
}

void worker::report(const std::exception_ptr& e) const
{
    try
    {
        std::rethrow_exception(e);
    }
    catch (const std::exception& x)
    {
        log::line(config::log_level::error, "internal_error").text("error", x.what());
    }
    catch (...)
    {
        log::line(config::log_level::error, "internal_error").text("error", "unknown");
    }
}

} // namespace rolegate::proxy
