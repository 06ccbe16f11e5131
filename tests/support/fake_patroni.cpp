// SPDX-License-Identifier: PostgreSQL
#include "tests/support/fake_patroni.hpp"

#include <algorithm>

namespace rolegate::support
{

namespace
{

std::string path_in(const std::string& request)
{
    const auto begin = request.find(' ');
    const auto end = request.find(' ', begin + 1);
    return begin == request.npos || end == request.npos
               ? std::string()
               : request.substr(begin + 1, end - begin - 1);
}

} // namespace

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

fake_patroni::fake_patroni(server_tls tls)
    : server_(std::move(tls), [this](transport& t) { serve(t); })
{
}

std::string fake_patroni::url() const
{
    return (server_.encrypts() ? "https://" : "http://") + address() + "/patroni";
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

std::size_t fake_patroni::most_at_once() const
{
    const std::lock_guard lock(mutex_);
    return most_;
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

void fake_patroni::serve(transport& t)
{
    {
        const std::lock_guard lock(mutex_);
        most_ = std::max(most_, ++now_);
    }
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
    // Counted as gone before the client can know that it has its whole answer.
    const std::lock_guard lock(mutex_);
    --now_;
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
                       R"(","host":"127.0.0.1","port":)" + std::to_string(n.port) +
                       R"(,"timeline":)" + std::to_string(timeline_) +
                       (n.name == leader_ ? "}" : R"(,"lag":0})");
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

void fake_cluster::place(const std::string& name, std::uint16_t port)
{
    find(name).port = port;
    lead(leader_);
}

void fake_cluster::lose_dcs()
{
    for (auto& n : nodes_)
        n.rest->answer("/cluster", reply::json("{}", 503));
}

} // namespace rolegate::support
