// SPDX-License-Identifier: PostgreSQL
#include "health/dcs/etcd3.hpp"

#include <utility>

namespace rolegate::health::dcs
{

namespace
{

namespace asio = boost::asio;

// One event of the watch; Patroni's largest values are a few kilobytes.
constexpr std::size_t longest_object = 4 * 1024 * 1024;

// A snapshot: a thousand members with 4 kB of base64 each, and as much again.
constexpr std::size_t longest_answer = 8 * 1024 * 1024;

// Patience of the kernel with a watch whose peer acknowledges nothing. A peer that acknowledges
// and says nothing is found by the re-reads.
constexpr std::chrono::milliseconds watch_silence{4000};

server_mark mark_of(const etcd3::header& h)
{
    return {
        h.cluster_id ? std::to_string(h.cluster_id) : "",
        h.raft_term,
        static_cast<std::uint64_t>(h.revision)};
}

// The decoded answer, or why there is none.
template <class T> struct reading
{
    T value{};
    std::string error;
    bool wants_login = false;
};

template <class T> reading<T> read(etcd3::answer<T>&& decoded, const http_answer& from)
{
    reading<T> r;
    if (auto* value = std::get_if<T>(&decoded))
    {
        r.value = std::move(*value);
        return r;
    }
    const auto& f = std::get<etcd3::failure>(decoded);
    r.wants_login = f.wants_login();
    r.error = "etcd: " + f.text;
    if (from.status != 200)
        r.error += " (HTTP status " + std::to_string(from.status) + ")";
    return r;
}

std::string why_canceled(const etcd3::watch_answer& w)
{
    if (w.compact_revision > 0)
        return "history before revision " + std::to_string(w.compact_revision) + " was compacted";
    return w.cancel_reason.empty() ? "no reason given" : w.cancel_reason;
}

} // namespace

etcd3_protocol::etcd3_protocol(const config::dcs_settings& settings)
    : prefix_(key_prefix(settings.name_space, settings.scope, settings.group)),
      username_(settings.username), password_(settings.password)
{
}

http_request etcd3_protocol::request(const char* path, std::string body) const
{
    http_request r;
    r.path = api_ + path;
    r.body = std::move(body);
    r.authorization = token_;
    r.largest_answer = longest_answer;
    return r;
}

asio::awaitable<http_answer>
etcd3_protocol::post(http_connection& to, const char* path, std::string body)
{
    auto r = request(path, std::move(body));
    co_return co_await to.ask(std::move(r), dcs_timeout);
}

asio::awaitable<std::string> etcd3_protocol::greet(http_connection& to)
{
    http_request r;
    r.path = "/version";
    const auto answer = co_await to.ask(std::move(r), dcs_timeout);
    if (!answer.error.empty())
        co_return answer.error;
    const auto version = read(etcd3::api_prefix(answer.body), answer);
    if (!version.error.empty())
        co_return version.error;
    api_ = version.value;
    // One login serves all connections until etcd refuses the token: a login costs it more than
    // all else we ask.
    if (username_.empty() || !token_.empty())
        co_return "";
    co_return co_await sign_in(to);
}

asio::awaitable<std::string> etcd3_protocol::sign_in(http_connection& to)
{
    // The other connection may use the present token meanwhile.
    auto r = request("/auth/authenticate", etcd3::login_request(username_, password_));
    r.authorization.clear();
    const auto answer = co_await to.ask(std::move(r), dcs_timeout);
    if (!answer.error.empty())
        co_return answer.error;
    auto token = read(etcd3::decode_login(answer.body), answer);
    // Whoever configured a user before etcd's authentication is switched on is served meanwhile.
    if (token.error.find("authentication is not enabled") != token.error.npos)
        co_return "";
    token_ = std::move(token.value);
    co_return token.error;
}

asio::awaitable<snapshot_answer> etcd3_protocol::snapshot(http_connection& to)
{
    snapshot_answer s;
    const auto answer = co_await post(to, "/kv/range", etcd3::range_request(prefix_));
    s.error = answer.error;
    if (!s.error.empty())
        co_return s;
    auto range = read(etcd3::decode_range(answer.body, prefix_), answer);
    if (range.wants_login)
        token_.clear();
    s.error = std::move(range.error);
    s.mark = mark_of(range.value.from);
    s.keys = std::move(range.value.keys);
    co_return s;
}

// The key, and how long its lease lives on. A token that has run out is replaced on the way.
asio::awaitable<leader_answer> etcd3_protocol::leader(http_connection& to)
{
    leader_answer l;
    const std::string body = etcd3::key_request(prefix_ + "leader");
    auto answer = co_await post(to, "/kv/range", body);
    auto range = read(etcd3::decode_range(answer.body, prefix_), answer);
    if (answer.error.empty() && range.wants_login && !username_.empty())
    {
        l.error = co_await sign_in(to);
        if (!l.error.empty())
            co_return l;
        answer = co_await post(to, "/kv/range", body);
        range = read(etcd3::decode_range(answer.body, prefix_), answer);
    }
    l.error = answer.error.empty() ? range.error : answer.error;
    if (!l.error.empty())
        co_return l;
    l.mark = mark_of(range.value.from);
    if (range.value.keys.empty())
        co_return l;
    l.leader = std::move(range.value.keys.front());
    if (l.leader->lease == 0)
        co_return l;

    // Before 3.4 the gateway had it elsewhere.
    const char* path = api_ == "/v3" ? "/lease/timetolive" : "/kv/lease/timetolive";
    answer = co_await post(to, path, etcd3::lease_request(l.leader->lease));
    const auto lease = read(etcd3::decode_lease(answer.body), answer);
    // The holder is known all the same; a lease that is gone takes its key along any moment.
    if (answer.error.empty() && lease.error.empty())
        l.left = std::chrono::seconds(std::max<std::int64_t>(lease.value.ttl_left, 0));
    co_return l;
}

asio::awaitable<std::string>
etcd3_protocol::watch(http_connection& to, std::uint64_t after, change_sink sink)
{
    to.expect_life(watch_silence);
    const auto start = static_cast<std::int64_t>(after) + 1;
    auto r = request("/watch", etcd3::watch_request(prefix_, start));
    auto piece = co_await to.begin(std::move(r), dcs_timeout);
    etcd3::object_splitter objects(longest_object);
    for (;;)
    {
        if (!piece.error.empty())
            co_return piece.error;
        if (!objects.feed(piece.body))
            co_return "watch: the stream is not JSON, or an object of it is too long";
        while (const auto object = objects.next())
        {
            const auto heard = read(etcd3::decode_watch(*object, prefix_), piece);
            if (!heard.error.empty())
                co_return "watch: " + heard.error;
            const auto& w = heard.value;
            // First: a watch that is refused is "created" and canceled in the same breath.
            if (w.canceled && etcd3::failure{-1, w.cancel_reason}.wants_login())
                token_.clear();
            if (w.canceled)
                co_return "watch: canceled by etcd: " + why_canceled(w);
            if (w.created && w.from.revision < static_cast<std::int64_t>(after))
                co_return "watch: this server is behind the snapshot it gave";
            std::vector<change> changes;
            for (const auto& e : w.events)
                changes.push_back({e.deleted, e.kv});
            auto objection = sink(mark_of(w.from), changes);
            if (!objection.empty())
                co_return objection;
        }
        piece = co_await to.more();
    }
}

} // namespace rolegate::health::dcs
