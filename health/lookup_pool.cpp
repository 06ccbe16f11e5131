// SPDX-License-Identifier: PostgreSQL
#include "health/lookup_pool.hpp"

#include "health/lookup.hpp"
#include "health/member.hpp"

#include <boost/asio/post.hpp>

#include <condition_variable>
#include <csignal>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <set>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace rolegate::health
{

namespace
{

using namespace std::chrono_literals;

// What answers at all answers in milliseconds; nobody waits longer for the process to end.
constexpr auto last_wait = 100ms;

} // namespace

boost::asio::execution_context::id lookup_pool::id;

// Of the pool and its threads, whoever lives longer. All of it under `guard`.
struct lookup_pool::work
{
    struct task
    {
        std::string host;
        bool slow = false;
    };

    work(boost::asio::io_context& control, lookup_function f, const lookup_limits& l)
        : how(std::move(f)), limits(l), home(&control)
    {
    }

    void queue(const std::string& host);
    [[nodiscard]] bool wants_thread() const;
    [[nodiscard]] std::optional<task> take();
    void conclude(const task& done, address_list found, clock::duration took);
    void answer(const std::string& host, address_list found);

    const lookup_function how;
    const lookup_limits limits;

    std::mutex guard;
    std::condition_variable thread_ended;
    boost::asio::io_context* home; // nullptr: it is gone
    std::map<std::string, std::vector<answer_function>> askers;
    std::deque<std::string> waiting;      // of `askers`
    std::deque<std::string> slow_waiting; // ... whose last look-up was slow
    std::set<std::string> slow;
    std::size_t threads = 0;
    std::size_t slow_threads = 0; // that look up one of `slow` now
};

void lookup_pool::work::queue(const std::string& host)
{
    (slow.contains(host) ? slow_waiting : waiting).push_back(host);
}

bool lookup_pool::work::wants_thread() const
{
    const bool slow_may = !slow_waiting.empty() && slow_threads < limits.slow_threads;
    return threads < limits.threads && (!waiting.empty() || slow_may);
}

std::optional<lookup_pool::work::task> lookup_pool::work::take()
{
    const bool is_slow = waiting.empty();
    auto& from = is_slow ? slow_waiting : waiting;
    if (from.empty() || (is_slow && slow_threads >= limits.slow_threads))
        return std::nullopt;
    task next{std::move(from.front()), is_slow};
    from.pop_front();
    slow_threads += is_slow ? 1U : 0U;
    return next;
}

void lookup_pool::work::conclude(const task& done, address_list found, clock::duration took)
{
    slow_threads -= done.slow ? 1U : 0U;
    if (took < limits.slow)
        slow.erase(done.host);
    else if (slow.size() < limits.names)
        slow.insert(done.host);
    answer(done.host, std::move(found));
}

// Under the lock the control thread's io_context cannot go away meanwhile.
void lookup_pool::work::answer(const std::string& host, address_list found)
{
    const auto a = askers.find(host);
    if (home == nullptr || a == askers.end())
        return;
    auto told = std::move(a->second);
    askers.erase(a);
    boost::asio::post(
        *home,
        [told = std::move(told), found = std::move(found)]
        {
            for (const auto& then : told)
                then(found);
        }
    );
}

namespace
{

// Signals are other threads' business. False: the system has no thread for us.
template <class F> bool start_thread(F body)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = true;
    try
    {
        std::thread t(std::move(body));
        pthread_setname_np(t.native_handle(), "names");
        t.detach();
    }
    catch (const std::system_error&)
    {
        started = false;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started;
}

} // namespace

lookup_pool::lookup_pool(boost::asio::io_context& control) : lookup_pool(control, look_up) {}

lookup_pool::lookup_pool(
    boost::asio::execution_context& control, lookup_function how, lookup_limits limits
)
    : service(control), work_(std::make_shared<work>(
                            static_cast<boost::asio::io_context&>(control), std::move(how), limits
                        ))
{
}

lookup_pool::~lookup_pool() = default;

void lookup_pool::ask(const std::string& host, answer_function then)
{
    auto& w = *work_;
    const std::lock_guard lock(w.guard);
    auto& askers = w.askers[host];
    askers.push_back(std::move(then));
    if (askers.size() > 1)
        return;
    if (w.askers.size() > w.limits.names)
        return w.answer(host, {});
    w.queue(host);
    if (!w.wants_thread())
        return;
    ++w.threads;
    const bool started = start_thread(
        [shared = work_]
        {
            std::unique_lock inside(shared->guard);
            while (const auto next = shared->take())
            {
                inside.unlock();
                const auto began = clock::now();
                auto found = shared->how(next->host);
                const auto took = clock::now() - began;
                inside.lock();
                shared->conclude(*next, std::move(found), took);
            }
            --shared->threads;
            shared->thread_ended.notify_all();
        }
    );
    if (started || --w.threads > 0)
        return; // else one that ends its look-up takes this one as well
    w.waiting.clear();
    w.slow_waiting.clear();
    w.answer(host, {});
}

void lookup_pool::shutdown()
{
    auto& w = *work_;
    std::map<std::string, std::vector<answer_function>> dropped;
    std::unique_lock lock(w.guard);
    w.home = nullptr;
    dropped.swap(w.askers);
    w.waiting.clear();
    w.slow_waiting.clear();
    w.thread_ended.wait_for(lock, last_wait, [&w] { return w.threads == 0; });
}

} // namespace rolegate::health
