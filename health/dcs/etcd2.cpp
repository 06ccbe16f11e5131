// SPDX-License-Identifier: PostgreSQL
#include "health/dcs/etcd2.hpp"

#include "health/dcs/base64.hpp"

#include <charconv>
#include <utility>

namespace rolegate::health::dcs
{

namespace
{

namespace asio = boost::asio;

constexpr std::chrono::milliseconds watch_silence{4000};

// Patroni's largest values are a few kilobytes.
constexpr std::size_t longest_event = 1024 * 1024;

std::uint64_t number_in(const http_answer& a, const std::string& name)
{
    std::uint64_t n = 0;
    const auto it = a.headers.find(name);
    if (it != a.headers.end())
        std::from_chars(it->second.data(), it->second.data() + it->second.size(), n);
    return n;
}

server_mark mark_of(const http_answer& a)
{
    const auto id = a.headers.find("X-Etcd-Cluster-Id");
    return {
        id == a.headers.end() ? "" : id->second,
        number_in(a, "X-Raft-Term"),
        number_in(a, "X-Etcd-Index")};
}

std::string text_of(const etcd2::failure& f, const http_answer& a)
{
    return "etcd: " + f.text + " (HTTP status " + std::to_string(a.status) + ")";
}

} // namespace

etcd2_protocol::etcd2_protocol(const config::dcs_settings& settings)
    : prefix_(key_prefix(settings.name_space, settings.scope, settings.group))
{
    if (!settings.username.empty())
        authorization_ = "Basic " + base64_encode(settings.username + ":" + settings.password);
}

http_request etcd2_protocol::get(const std::string& key, const std::string& query) const
{
    http_request r;
    r.path = "/v2/keys" + key + query;
    r.authorization = authorization_;
    return r;
}

asio::awaitable<std::string> etcd2_protocol::greet(http_connection&)
{
    co_return "";
}

asio::awaitable<snapshot_answer> etcd2_protocol::snapshot(http_connection& to)
{
    snapshot_answer s;
    auto r = get(prefix_, "?recursive=true&quorum=true");
    const auto answer = co_await to.ask(std::move(r), dcs_timeout);
    s.error = answer.error;
    if (!s.error.empty())
        co_return s;
    s.mark = mark_of(answer);
    auto decoded = etcd2::decode_get(answer.body, prefix_);
    if (const auto* f = std::get_if<etcd2::failure>(&decoded))
        s.error = f->key_not_found() ? "" : text_of(*f, answer);
    else
        for (auto& node : std::get<std::vector<etcd2::node>>(decoded))
            s.keys.push_back(std::move(node.kv));
    co_return s;
}

asio::awaitable<leader_answer> etcd2_protocol::leader(http_connection& to)
{
    leader_answer l;
    auto r = get(prefix_ + "leader", "?quorum=true");
    const auto answer = co_await to.ask(std::move(r), dcs_timeout);
    l.error = answer.error;
    if (!l.error.empty())
        co_return l;
    l.mark = mark_of(answer);
    auto decoded = etcd2::decode_get(answer.body, prefix_);
    if (const auto* f = std::get_if<etcd2::failure>(&decoded))
    {
        l.error = f->key_not_found() ? "" : text_of(*f, answer);
        co_return l;
    }
    auto& nodes = std::get<std::vector<etcd2::node>>(decoded);
    if (nodes.empty())
        co_return l;
    l.leader = std::move(nodes.front().kv);
    // Rounded up by etcd: down to be sure.
    if (nodes.front().ttl)
        l.left = std::chrono::seconds(std::max<std::int64_t>(*nodes.front().ttl - 1, 0));
    co_return l;
}

asio::awaitable<std::string>
etcd2_protocol::watch(http_connection& to, std::uint64_t after, change_sink sink)
{
    to.expect_life(watch_silence);
    server_mark mark;
    mark.index = after;
    std::string objection;
    bool stands = false;
    while (objection.empty())
    {
        auto r = get(prefix_, "?wait=true&recursive=true&waitIndex=" + std::to_string(after + 1));
        // The head comes at once, the event when there is one.
        auto answer = co_await to.begin(std::move(r), dcs_timeout);
        mark = mark_of(answer);
        if (answer.status == 200 && !std::exchange(stands, true))
            objection = sink(mark, {});
        std::string body;
        while (answer.error.empty())
        {
            body += answer.body;
            if (body.size() > longest_event)
                co_return "watch: an event is too long";
            answer = co_await to.more();
        }
        if (body.empty())
            co_return "watch: " + answer.error;
        const auto decoded = etcd2::decode_event(body, prefix_);
        if (const auto* f = std::get_if<etcd2::failure>(&decoded))
            co_return "watch: " + f->text;
        const auto& e = std::get<etcd2::event>(decoded);
        after = mark.index = std::max(after, e.modified_index);
        if (e.directory && e.deleted)
            co_return "watch: a directory of the keys was deleted"; // and what was in it
        objection = sink(mark, {{e.deleted, e.kv}});
    }
    co_return objection;
}

} // namespace rolegate::health::dcs
