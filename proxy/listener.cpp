// SPDX-License-Identifier: PostgreSQL
#include "proxy/listener.hpp"

#include "proxy/log.hpp"
#include "proxy/route.hpp"
#include "proxy/worker.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>

#include <cstring>
#include <sstream>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace rolegate::proxy
{

namespace
{

using namespace std::chrono_literals;
namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using unix_protocol = asio::local::stream_protocol;
using boost::system::error_code;

// Out of descriptors or memory, or at maxconn: clients wait in the kernel's queue meanwhile.
constexpr auto accept_pause = 100ms;

// One line for the whole time that it lasts.
constexpr auto tell_again_after = 10s;

tcp::endpoint tcp_endpoint(const config::host_port& bind)
{
    if (bind.host == "*")
        return {tcp::v4(), bind.port};
    return {asio::ip::make_address(bind.host), bind.port};
}

std::string text_of(const tcp::endpoint& e)
{
    std::ostringstream out;
    out << e;
    return out.str();
}

std::string text_of(const config::host_port& bind)
{
    return bind.is_unix() ? "unix:" + bind.host : text_of(tcp_endpoint(bind));
}

// Left behind by a process that was killed. One that somebody listens on is not touched.
void remove_dead_socket(asio::io_context& context, const std::string& path)
{
    struct stat found
    {
    };
    if (::stat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode))
        return;
    unix_protocol::socket probe(context);
    error_code ec;
    probe.open(unix_protocol(), ec);
    probe.non_blocking(true, ec); // its owner may be too busy to accept
    probe.connect(unix_protocol::endpoint(path), ec);
    if (ec == asio::error::connection_refused)
        ::unlink(path.c_str());
}

} // namespace

listener::listener(listener_state& state, worker& home, std::vector<worker*> all)
    : state_(state), home_(home), all_(std::move(all))
{
    for (const auto& bind : state.settings.bind)
        open_socket(bind);
}

listener::~listener()
{
    remove_files();
}

// Before their sockets are closed: afterwards a file of this name may be somebody else's.
void listener::remove_files()
{
    for (auto& s : sockets_)
        if (const auto path = std::exchange(s.path, {}); !path.empty())
            ::unlink(path.c_str());
}

void listener::open_socket(const config::host_port& bind)
{
    try
    {
        auto& s = sockets_.emplace_back(socket{
            acceptor(home_.context()), asio::steady_timer(home_.context()), {}, {}});
        auto& a = s.accepting;
        if (bind.is_unix())
        {
            remove_dead_socket(home_.context(), bind.host);
            const unix_protocol::endpoint where(bind.host);
            a.open(where.protocol());
            a.bind(where);
            s.path = bind.host;
            // Who may connect is PostgreSQL's to decide, as with its own socket.
            ::chmod(s.path.c_str(), 0777);
            bound_.push_back(text_of(bind));
        }
        else
        {
            const auto where = tcp_endpoint(bind);
            a.open(where.protocol());
            a.set_option(tcp::acceptor::reuse_address(true));
            // "[::]" is every IPv6 address and no IPv4 one, so that "*" may stand beside it.
            if (where.address().is_v6())
                a.set_option(asio::ip::v6_only(true));
            a.bind(where);
            const auto local = a.local_endpoint();
            tcp::endpoint got;
            got.resize(local.size());
            std::memcpy(got.data(), local.data(), local.size());
            bound_.push_back(text_of(got));
        }
        a.listen(asio::socket_base::max_listen_connections);
    }
    catch (const boost::system::system_error& e)
    {
        remove_files();
        throw std::runtime_error(
            "listener '" + state_.settings.name + "' cannot listen on " + text_of(bind) + ": " +
            e.code().message()
        );
    }
}

void listener::start()
{
    asio::post(
        home_.context(),
        [this]
        {
            home_.keep(*this);
            for (auto& s : sockets_)
                accept_next(s);
        }
    );
}

void listener::stop()
{
    asio::post(
        home_.context(),
        [this]
        {
            stopped_ = true;
            remove_files();
            error_code ignored;
            for (auto& s : sockets_)
            {
                s.accepting.close(ignored);
                s.pause.cancel();
            }
        }
    );
}

std::vector<std::string> listener::bound() const
{
    return bound_;
}

// --- accepting ---------------------------------------------------------------------------------

void listener::accept_next(socket& s)
{
    s.accepts = !stopped_ && !s.withdrawn;
    if (!s.accepts)
        return;
    if (state_.process.clients >= state_.process.maxconn)
        return accept_later(s, "maxconn is reached");
    auto& to = *all_[next_++ % all_.size()];
    s.accepting.async_accept(
        to.context(),
        s.from,
        [this, &s, &to](const error_code& ec, protocol::socket client)
        {
            const bool ours = stopped_ || s.withdrawn || ec == asio::error::operation_aborted;
            const bool its_own = ec == asio::error::connection_aborted;
            if (ec && !ours && !its_own)
                return accept_later(s, ec.message());
            if (!ec)
                accepted(to, std::move(client), peer_from(s.from.data()));
            accept_next(s);
        }
    );
}

void listener::accept_later(socket& s, const std::string& why)
{
    const auto now = std::chrono::steady_clock::now();
    if (now - std::exchange(s.told, now) >= tell_again_after)
        log::line(config::log_level::warning, "accept_failed")
            .add("listener", state_.settings.name)
            .text("error", why);
    s.pause.expires_after(accept_pause);
    s.pause.async_wait([this, &s](const error_code&) { accept_next(s); });
}

void listener::accepted(worker& to, protocol::socket client, const peer& from)
{
    // Here and not where it goes to: the next is accepted before that worker has looked.
    ++state_.process.clients;
    if (&to == &home_)
        return to.start_session(std::move(client), state_, from);
    asio::post(
        to.context(),
        [&to, this, client = std::move(client), from]() mutable
        { to.start_session(std::move(client), state_, from); }
    );
}

// --- a door that leads nowhere -----------------------------------------------------------------

void listener::on_look()
{
    const auto after = state_.settings.withdraw_after;
    if (stopped_ || after == after.zero())
        return;
    const auto now = std::chrono::steady_clock::now();
    const auto& t = *home_.believed(state_.cluster);
    const bool open = has_open_member(state_.settings.role, t, now);
    if (open)
    {
        closed_since_.reset();
        if (withdrawn_)
            come_back();
        return;
    }
    if (!closed_since_)
        closed_since_ = now;
    if (!withdrawn_ && now - *closed_since_ >= after)
        withdraw();
}

// Linux: a listening socket that is shut down stays bound and refuses connects until it listens
// again. Nobody else can take the port while the address is not to be reused; it must be again
// before it listens, because of the sessions that go on.
void listener::withdraw()
{
    withdrawn_ = true;
    for (auto& s : sockets_)
    {
        if (!s.path.empty())
            continue; // a unix socket cannot come back, and leads to no other host
        s.withdrawn = true;
        ::shutdown(s.accepting.native_handle(), SHUT_RD);
        error_code ignored;
        s.accepting.set_option(tcp::acceptor::reuse_address(false), ignored);
        s.accepting.cancel(ignored);
    }
    log::line(config::log_level::warning, "withdrawn")
        .add("listener", state_.settings.name)
        .text("text", "nobody has been routable for withdraw_after: connections are refused");
}

// A socket that cannot listen is tried again with every look; the others serve meanwhile.
void listener::come_back()
{
    bool all = true;
    for (auto& s : sockets_)
    {
        if (s.withdrawn && !listen_again(s))
        {
            all = false;
            continue;
        }
        s.withdrawn = false;
        if (!s.accepts)
            accept_next(s);
    }
    if (!all)
        return;
    withdrawn_ = false;
    listen_failed_ = false;
    log::line(config::log_level::info, "listening_again").add("listener", state_.settings.name);
}

bool listener::listen_again(socket& s)
{
    error_code ec;
    s.accepting.set_option(tcp::acceptor::reuse_address(true), ec);
    s.accepting.listen(asio::socket_base::max_listen_connections, ec);
    if (ec && !std::exchange(listen_failed_, true))
        log::line(config::log_level::error, "listen_failed")
            .add("listener", state_.settings.name)
            .text("error", ec.message());
    return !ec;
}

} // namespace rolegate::proxy
