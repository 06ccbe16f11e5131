// SPDX-License-Identifier: PostgreSQL
#include "tests/support/fake_patroni.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace rolegate::support
{

namespace
{

int checked(int result, const char* what)
{
    if (result < 0)
        throw std::system_error(errno, std::generic_category(), what);
    return result;
}

void run(const std::string& command)
{
    if (std::system((command + " >/dev/null 2>&1").c_str()) != 0)
        throw std::runtime_error("failed: " + command);
}

std::string path_in(const std::string& request)
{
    const auto begin = request.find(' ');
    const auto end = request.find(' ', begin + 1);
    return begin == request.npos || end == request.npos
               ? std::string()
               : request.substr(begin + 1, end - begin - 1);
}

using ssl_context = std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)>;
using ssl_session = std::unique_ptr<SSL, decltype(&::SSL_free)>;

ssl_context context_for(const server_tls& tls)
{
    ssl_context ctx(::SSL_CTX_new(::TLS_server_method()), ::SSL_CTX_free);
    const bool good =
        ::SSL_CTX_use_certificate_chain_file(ctx.get(), tls.cert.c_str()) == 1 &&
        ::SSL_CTX_use_PrivateKey_file(ctx.get(), tls.key.c_str(), SSL_FILETYPE_PEM) == 1;
    if (!good)
        throw std::runtime_error("cannot use " + tls.cert);
    if (!tls.client_ca.empty())
    {
        ::SSL_CTX_load_verify_locations(ctx.get(), tls.client_ca.c_str(), nullptr);
        ::SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    return ctx;
}

} // namespace

// Plain or TLS; blocking, each call for a limited time.
class fake_patroni::transport
{
public:
    transport(int fd, const server_tls& tls)
        : fd_(fd), context_(nullptr, ::SSL_CTX_free), session_(nullptr, ::SSL_free)
    {
        const auto limit = scaled(patience);
        const ::timeval tv{limit.count() / 1000, limit.count() % 1000 * 1000};
        ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
        ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
        if (tls.cert.empty())
            return;
        context_ = context_for(tls);
        session_.reset(::SSL_new(context_.get()));
        ::SSL_set_fd(session_.get(), fd);
        usable_ = ::SSL_accept(session_.get()) == 1;
    }

    ~transport()
    {
        if (session_ && usable_)
            ::SSL_shutdown(session_.get());
    }

    transport(const transport&) = delete;
    transport& operator=(const transport&) = delete;

    std::string read_some()
    {
        std::array<char, 4096> room;
        if (!usable_)
            return {};
        const auto n = session_ ? ::SSL_read(session_.get(), room.data(), int(room.size()))
                                : static_cast<int>(::recv(fd_, room.data(), room.size(), 0));
        usable_ = n > 0;
        return n > 0 ? std::string(room.data(), static_cast<std::size_t>(n)) : std::string();
    }

    void write(const std::string& data)
    {
        for (std::size_t sent = 0; usable_ && sent < data.size();)
        {
            const auto* from = data.data() + sent;
            const auto left = data.size() - sent;
            const auto n = session_ ? ::SSL_write(session_.get(), from, static_cast<int>(left))
                                    : static_cast<int>(::send(fd_, from, left, MSG_NOSIGNAL));
            usable_ = n > 0;
            sent += usable_ ? static_cast<std::size_t>(n) : 0;
        }
    }

private:
    int fd_;
    ssl_context context_;
    ssl_session session_;
    bool usable_ = true;
};

struct fake_patroni::connection
{
    int fd = -1;
    std::thread thread;
    bool done = false;
};

reply reply::json(const std::string& body, int status)
{
    return {
        {"HTTP/1.0 " + std::to_string(status) +
             " OK\r\nServer: BaseHTTP/0.6 Python/3.11.2\r\nContent-Type: application/json\r\n\r\n",
         body}};
}

reply reply::in_bytes(const std::string& body)
{
    reply r;
    for (const auto& piece : json(body).pieces)
        for (const char c : piece)
            r.pieces.emplace_back(1, c);
    return r;
}

fake_patroni::fake_patroni() : fake_patroni(server_tls{}) {}

fake_patroni::fake_patroni(server_tls tls) : tls_(std::move(tls))
{
    std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes without MSG_NOSIGNAL
    reserved_ = bound_socket();
    ::sockaddr_in at{};
    ::socklen_t size = sizeof at;
    checked(::getsockname(reserved_, reinterpret_cast<::sockaddr*>(&at), &size), "getsockname");
    port_ = ntohs(at.sin_port);
    listen();
}

fake_patroni::~fake_patroni()
{
    stop_listening();
    {
        const std::lock_guard lock(mutex_);
        for (auto& c : connections_)
            if (!c->done)
                ::shutdown(c->fd, SHUT_RDWR);
    }
    for (auto& c : connections_)
        c->thread.join();
    ::close(reserved_);
}

std::string fake_patroni::url() const
{
    return (tls_.cert.empty() ? "http://" : "https://") + address() + "/patroni";
}

// A second socket on the port, which never listens, keeps it ours while connects are refused.
int fake_patroni::bound_socket() const
{
    const int fd = checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port_);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    checked(::bind(fd, reinterpret_cast<const ::sockaddr*>(&at), sizeof at), "bind");
    return fd;
}

void fake_patroni::listen()
{
    stop_listening();
    listener_ = bound_socket();
    checked(::listen(listener_, 64), "listen");
    acceptor_ = std::thread([this, fd = listener_] { accept_all(fd); });
}

void fake_patroni::refuse()
{
    stop_listening();
}

void fake_patroni::stop_listening()
{
    if (listener_ >= 0)
        ::shutdown(listener_, SHUT_RDWR);
    if (acceptor_.joinable())
        acceptor_.join();
    if (listener_ >= 0)
        ::close(listener_);
    listener_ = -1;
}

void fake_patroni::answer(const std::string& path, reply r)
{
    const std::lock_guard lock(mutex_);
    replies_[path] = std::move(r);
}

std::size_t fake_patroni::requests(const std::string& path) const
{
    const std::lock_guard lock(mutex_);
    const auto found = requests_.find(path);
    return found == requests_.end() ? 0 : found->second;
}

std::size_t fake_patroni::requests() const
{
    const std::lock_guard lock(mutex_);
    std::size_t sum = 0;
    for (const auto& [path, n] : requests_)
        sum += n;
    return sum;
}

std::size_t fake_patroni::connections() const
{
    const std::lock_guard lock(mutex_);
    return connections_.size();
}

std::size_t fake_patroni::most_at_once() const
{
    const std::lock_guard lock(mutex_);
    return most_;
}

void fake_patroni::accept_all(int fd)
{
    for (;;)
    {
        const int peer = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
        if (peer < 0)
        {
            if (errno == ECONNABORTED || errno == EINTR)
                continue;
            return;
        }
        const std::lock_guard lock(mutex_);
        auto& c = *connections_.emplace_back(std::make_unique<connection>());
        c.fd = peer;
        most_ = std::max(most_, ++now_);
        c.thread = std::thread([this, &c] { serve(c); });
    }
}

reply fake_patroni::reply_for(const std::string& path)
{
    const std::lock_guard lock(mutex_);
    ++requests_[path];
    for (const auto& key : {path, std::string()})
        if (const auto found = replies_.find(key); found != replies_.end())
            return found->second;
    return reply::json("{}", 404);
}

void fake_patroni::serve(connection& c)
{
    {
        // Counted as gone before the client can know that it has its whole answer.
        const auto leave = [this]
        {
            const std::lock_guard lock(mutex_);
            --now_;
        };
        transport t(c.fd, tls_);
        std::string request;
        while (request.find("\r\n\r\n") == request.npos)
        {
            const auto more = t.read_some();
            if (more.empty())
                break;
            request += more;
        }
        if (request.find("\r\n\r\n") != request.npos)
        {
            const auto r = reply_for(path_in(request));
            for (const auto& piece : r.pieces)
                t.write(piece);
            if (r.silent)
                static_cast<void>(t.read_some());
        }
        leave();
    }
    const std::lock_guard lock(mutex_);
    ::close(c.fd);
    c.done = true;
}

fake_cluster::fake_cluster(std::size_t size, const server_tls& tls)
{
    for (std::size_t i = 0; i < size; ++i)
        nodes_.emplace_back(node{
            std::string(1, static_cast<char>('a' + i)), std::make_unique<fake_patroni>(tls)});
    lead("a");
}

fake_cluster::node& fake_cluster::find(const std::string& name)
{
    return *std::ranges::find(nodes_, name, &node::name);
}

fake_patroni& fake_cluster::operator[](const std::string& name)
{
    return *find(name).rest;
}

std::string fake_cluster::cluster_body(const std::string& scope) const
{
    std::string members;
    for (const auto& n : nodes_)
        if (n.listed)
            members += std::string(members.empty() ? "" : ",") + R"({"name":")" + n.name +
                       R"(","role":")" + (n.name == leader_ ? "leader" : "replica") +
                       R"(","state":"running","api_url":")" + n.rest->url() +
                       R"(","host":"127.0.0.1","port":5432,"timeline":)" +
                       std::to_string(timeline_) + (n.name == leader_ ? "}" : R"(,"lag":0})");
    return R"({"members":[)" + members + R"(],"scope":")" + scope + R"("})";
}

std::string fake_cluster::member_body(const std::string& name, const std::string& scope) const
{
    const bool leads = name == leader_;
    return std::string(R"({"state":"running","role":")") + (leads ? "master" : "replica") +
           R"(","timeline":)" + std::to_string(timeline_) +
           (leads ? R"(,"xlog":{"location":67108864})"
                  : R"(,"xlog":{"received_location":1,"replayed_location":67108864})") +
           R"(,"database_system_identifier":"7000000000000000001")" +
           R"(,"patroni":{"version":"3.0.2","scope":")" + scope + R"("}})";
}

void fake_cluster::lead(const std::string& name)
{
    if (!name.empty() && !last_leader_.empty() && name != last_leader_)
        ++timeline_;
    leader_ = name;
    last_leader_ = name.empty() ? last_leader_ : name;
    for (auto& n : nodes_)
    {
        n.rest->answer("/patroni", reply::json(member_body(n.name)));
        n.rest->answer("/primary", reply::json(member_body(n.name), n.name == name ? 200 : 503));
        n.rest->answer("/cluster", reply::json(cluster_body()));
        n.rest->answer("/config", reply::json(R"({"ttl":30,"loop_wait":10})"));
    }
}

void fake_cluster::list(const std::string& name)
{
    find(name).listed = true;
    lead(leader_);
}

void fake_cluster::unlist(const std::string& name)
{
    find(name).listed = false;
    lead(leader_);
}

void fake_cluster::lose_dcs()
{
    for (auto& n : nodes_)
        n.rest->answer("/cluster", reply::json("{}", 503));
}

certificates::certificates()
{
    std::string name = (std::filesystem::temp_directory_path() / "rolegate-tls-XXXXXX").string();
    if (!::mkdtemp(name.data()))
        throw std::system_error(errno, std::generic_category(), "mkdtemp");
    folder_ = name;
    make_ca("ca");
    make_ca("other");
    make_signed("server", "IP:127.0.0.1");
    make_signed("client", "DNS:rolegate");
}

certificates::~certificates()
{
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void certificates::make_ca(const char* name) const
{
    const std::string base = path(name);
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "
        "/CN=" +
        std::string(name) + " -keyout " + base + ".key -out " + base + ".crt");
}

void certificates::make_signed(const char* name, const char* subject_alt_name) const
{
    const std::string base = path(name);
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "
        "/CN=" +
        std::string(name) + " -addext subjectAltName=" + subject_alt_name +
        " -addext basicConstraints=critical,CA:FALSE -CA " + path("ca.crt") + " -CAkey " +
        path("ca.key") + " -keyout " + base + ".key -out " + base + ".crt");
}

server_tls certificates::for_server(bool ask_clients) const
{
    return {path("server.crt"), path("server.key"), ask_clients ? ca() : std::string()};
}

} // namespace rolegate::support
