// SPDX-License-Identifier: PostgreSQL
//
// What is called, once, when something that was waited for has happened: the other half of a
// co_await. May be moved, and costs a pointer while nobody waits. Dropped without having been
// called it destroys the coroutine that waits.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <utility>

namespace rolegate::proxy
{

// co_await returns a tuple instead of throwing.
inline constexpr auto nothrow = boost::asio::as_tuple(boost::asio::use_awaitable);

class completion
{
public:
    using error_code = boost::system::error_code;

    completion() noexcept = default;

    template <class Handler>
    explicit completion(Handler&& handler)
        : held_(std::make_unique<of<std::decay_t<Handler>>>(std::forward<Handler>(handler)))
    {
    }

    [[nodiscard]] explicit operator bool() const noexcept { return held_ != nullptr; }

    void operator()(const error_code& ec)
    {
        const auto called = std::move(held_); // the handler may set this one again
        called->call(ec);
    }

private:
    friend class completion_queue;

    struct any
    {
        any() = default;
        virtual ~any() = default;
        any(const any&) = delete;
        any& operator=(const any&) = delete;
        virtual void call(const error_code& ec) = 0;

        std::unique_ptr<any> next; // in a queue
        error_code with;
    };

    template <class Handler> struct of final : any
    {
        template <class H> explicit of(H&& h) : handler(std::forward<H>(h)) {}
        void call(const error_code& ec) override { std::move(handler)(ec); }
        Handler handler;
    };

    std::unique_ptr<any> held_;
};

// Those who go on later. Nothing is allocated: to end somebody must be possible without memory.
class completion_queue
{
public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }

    void push(completion c, boost::system::error_code with) noexcept
    {
        auto& place = last_ ? last_->next : first_;
        place = std::move(c.held_);
        last_ = place.get();
        last_->with = with;
    }

    // Calls those who are in it now, not those who come meanwhile. Whoever throws is out of it.
    void run()
    {
        const auto* const end = last_;
        for (bool more = !empty(); more;)
        {
            const auto c = std::move(first_);
            first_ = std::move(c->next);
            if (!first_)
                last_ = nullptr;
            more = c.get() != end;
            c->call(c->with);
        }
    }

    void clear() noexcept
    {
        // One by one: the length of the queue is not to be that of the stack.
        while (first_)
            first_ = std::move(first_->next);
        last_ = nullptr;
    }

private:
    std::unique_ptr<completion::any> first_;
    completion::any* last_ = nullptr;
};

} // namespace rolegate::proxy
