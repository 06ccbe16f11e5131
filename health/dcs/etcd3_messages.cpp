// SPDX-License-Identifier: PostgreSQL
#include "health/dcs/etcd3_messages.hpp"

#include "health/dcs/base64.hpp"
#include "health/patroni/json_fields.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <utility>

namespace rolegate::health::dcs::etcd3
{
namespace
{

namespace json = boost::json;
using patroni::object_at;
using patroni::parse_object;
using patroni::text_at;

failure not_etcd(std::string text)
{
    return {-1, std::move(text)};
}

// --- fields -------------------------------------------------------------------------------------

// Gathers what could not be read: one odd number or byte string makes the whole answer useless,
// since what follows from it (where to watch on from, whose lease) would be wrong.
class reader
{
public:
    // Absent is 0. A number, or digits in quotes.
    template <std::integral T> T number(const json::object& in, std::string_view key)
    {
        const auto* v = in.if_contains(key);
        if (v == nullptr)
            return 0;
        T n = 0;
        if (!(v->is_string() ? from_digits(*v->if_string(), n) : from_number(*v, n)))
        {
            spoil(key, "is no number of its kind");
            return 0;
        }
        return n;
    }

    // Absent is "".
    std::string bytes(const json::object& in, std::string_view key)
    {
        const auto* v = in.if_contains(key);
        if (v == nullptr)
            return {};
        const auto* text = v->if_string();
        auto decoded = text != nullptr ? base64_decode(*text) : std::nullopt;
        if (!decoded)
            spoil(key, "is not base64");
        return decoded ? std::move(*decoded) : std::string();
    }

    // Each object of an array; absent is empty.
    template <class F> void each(const json::object& in, std::string_view key, F take)
    {
        const auto* v = in.if_contains(key);
        if (v == nullptr)
            return;
        const auto* array = v->if_array();
        if (array == nullptr)
            return spoil(key, "is no list");
        for (const auto& entry : *array)
        {
            if (!entry.is_object())
                return spoil(key, "holds something else than objects");
            take(entry.get_object());
        }
    }

    // Every answer of etcd's has a header: what has none is something else that answered.
    header from(const json::object& in)
    {
        const auto* h = object_at(in, "header");
        if (h == nullptr)
        {
            spoil("header", "is missing");
            return {};
        }
        return {
            number<std::uint64_t>(*h, "cluster_id"),
            number<std::uint64_t>(*h, "member_id"),
            number<std::uint64_t>(*h, "raft_term"),
            number<std::int64_t>(*h, "revision")};
    }

    // The answer, unless something in it could not be read.
    template <class T> answer<T> finish(T good)
    {
        if (!problem_.empty())
            return not_etcd(std::move(problem_));
        return good;
    }

private:
    void spoil(std::string_view key, const char* what)
    {
        problem_ = "'" + std::string(key) + "' " + what;
    }

    template <class T> static bool from_digits(std::string_view text, T& n) noexcept
    {
        const auto* end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, n);
        return error == std::errc{} && stop == end;
    }

    template <class T> static bool from_number(const json::value& v, T& n) noexcept
    {
        const auto set = [&n](auto value)
        {
            n = static_cast<T>(value);
            return std::in_range<T>(value);
        };
        if (const auto* i = v.if_int64())
            return set(*i);
        const auto* u = v.if_uint64();
        return u != nullptr && set(*u);
    }

    std::string problem_;
};

// The name without the prefix; nullopt: outside of it.
std::optional<key_value> key_value_in(reader& read, const json::object& in, std::string_view prefix)
{
    auto name = read.bytes(in, "key");
    auto value = read.bytes(in, "value");
    const auto lease = read.number<std::int64_t>(in, "lease");
    if (!name.starts_with(prefix))
        return std::nullopt;
    return key_value{name.substr(prefix.size()), std::move(value), lease};
}

// --- errors -------------------------------------------------------------------------------------

failure described(const json::object& in)
{
    reader read;
    // A stream's error names both HTTP's code and gRPC's, an answer's only the latter.
    const auto* key = in.contains("grpc_code") ? "grpc_code" : "code";
    const int code = read.number<int>(in, key);
    std::string text(text_at(in, "message"));
    if (text.empty())
        text = text_at(in, "error");
    return {code != 0 ? code : -1, text.empty() ? "an error without a message" : std::move(text)};
}

// {"error":{...}} in a stream; {"error":TEXT,"message":TEXT,"code":N} as an answer, from etcd 3.6
// on without "error".
std::optional<failure> failure_in(const json::object& in)
{
    if (const auto* error = object_at(in, "error"))
        return described(*error);
    if (in.contains("error") || (in.contains("code") && in.contains("message")))
        return described(in);
    return std::nullopt;
}

// The object, or why there is none that could be decoded any further.
answer<json::object> opened(std::string_view body)
{
    auto parsed = parse_object(body);
    if (!parsed)
        return not_etcd(parsed.error());
    if (auto failed = failure_in(*parsed))
        return std::move(*failed);
    return std::move(*parsed);
}

// --- requests -----------------------------------------------------------------------------------

// What is beyond every key with this prefix: the last byte + 1. "\0" stands for the end of all.
std::string range_end(std::string prefix)
{
    while (!prefix.empty() && prefix.back() == '\xff')
        prefix.pop_back();
    if (prefix.empty())
        return {'\0'};
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
    return prefix;
}

json::object range_of(std::string_view prefix)
{
    // A key is never empty: "\0" is the first of all.
    const std::string first(prefix.empty() ? std::string_view("\0", 1) : prefix);
    return {
        {"key", base64_encode(first)},
        {"range_end", base64_encode(range_end(std::string(prefix)))}};
}

} // namespace

bool failure::wants_login() const noexcept
{
    // Within the text: a watch says it behind "rpc error: code = Unauthenticated desc = ".
    static constexpr std::array<std::string_view, 4> texts{
        "etcdserver: invalid auth token",
        "etcdserver: user name is empty",
        "etcdserver: permission denied",
        "etcdserver: revision of auth store is old"};
    constexpr int unauthenticated = 16;
    const auto said = [this](std::string_view t) { return text.find(t) != std::string::npos; };
    return code == unauthenticated || std::any_of(texts.begin(), texts.end(), said);
}

answer<std::string> api_prefix(std::string_view version_body)
{
    const auto in = opened(version_body);
    if (const auto* failed = std::get_if<failure>(&in))
        return *failed;
    // The cluster's version is what all its members can do; "not_decided" until they have met.
    const auto text = text_at(std::get<json::object>(in), "etcdcluster");
    int major = 0;
    int minor = 0;
    const auto* end = text.data() + text.size();
    const auto dot = std::from_chars(text.data(), end, major);
    if (dot.ec != std::errc{} || dot.ptr == end || *dot.ptr != '.' ||
        std::from_chars(dot.ptr + 1, end, minor).ec != std::errc{} || major < 0 || minor < 0)
        return not_etcd("'etcdcluster' is no version");
    if (major < 3)
        return not_etcd("etcd " + std::string(text) + " has no API v3");
    if (major > 3 || minor > 3)
        return std::string("/v3");
    return std::string(minor == 3 ? "/v3beta" : "/v3alpha");
}

std::string login_request(std::string_view user, std::string_view password)
{
    return json::serialize(json::object{{"name", user}, {"password", password}});
}

std::string range_request(std::string_view prefix)
{
    return json::serialize(range_of(prefix));
}

std::string key_request(std::string_view key)
{
    return json::serialize(json::object{{"key", base64_encode(key)}});
}

std::string watch_request(std::string_view prefix, std::int64_t start_revision)
{
    auto create = range_of(prefix);
    create["start_revision"] = std::to_string(start_revision);
    // A sign of life every ten minutes; costs nothing.
    create["progress_notify"] = true;
    return json::serialize(json::object{{"create_request", std::move(create)}});
}

std::string lease_request(std::int64_t lease)
{
    return json::serialize(json::object{{"ID", std::to_string(lease)}});
}

answer<std::string> decode_login(std::string_view body)
{
    const auto in = opened(body);
    if (const auto* failed = std::get_if<failure>(&in))
        return *failed;
    // Not text_at(): a JWT is longer than a word. It becomes a header of HTTP, one line of it.
    const auto* v = std::get<json::object>(in).if_contains("token");
    const auto* token = v != nullptr ? v->if_string() : nullptr;
    const auto is_graphic = [](char c) { return c > ' ' && c < '\x7f'; };
    constexpr std::size_t max_token = std::size_t{16} * 1024;
    if (token == nullptr || token->empty() || token->size() > max_token ||
        !std::all_of(token->begin(), token->end(), is_graphic))
        return not_etcd("the answer has no 'token'");
    return std::string(*token);
}

answer<range_answer> decode_range(std::string_view body, std::string_view prefix)
{
    const auto in = opened(body);
    if (const auto* failed = std::get_if<failure>(&in))
        return *failed;
    const auto& object = std::get<json::object>(in);

    reader read;
    range_answer out{read.from(object), {}};
    read.each(
        object,
        "kvs",
        [&](const json::object& kv)
        {
            if (auto found = key_value_in(read, kv, prefix))
                out.keys.push_back(std::move(*found));
        }
    );
    return read.finish(std::move(out));
}

answer<lease_answer> decode_lease(std::string_view body)
{
    const auto in = opened(body);
    if (const auto* failed = std::get_if<failure>(&in))
        return *failed;
    const auto& object = std::get<json::object>(in);

    reader read;
    // An omitted TTL is 0: less than a second is left. A lease that has run out but is not yet
    // revoked may have a negative one; only one that does not exist was granted nothing.
    lease_answer out{
        read.from(object),
        read.number<std::int64_t>(object, "TTL"),
        read.number<std::int64_t>(object, "grantedTTL")};
    out.ttl_left = std::max<std::int64_t>(out.ttl_left, out.granted > 0 ? 0 : -1);
    return read.finish(std::move(out));
}

answer<watch_answer> decode_watch(std::string_view body, std::string_view prefix)
{
    const auto in = opened(body);
    if (const auto* failed = std::get_if<failure>(&in))
        return *failed;
    const auto* result = object_at(std::get<json::object>(in), "result");
    if (result == nullptr)
        return not_etcd("'result' is missing");

    reader read;
    watch_answer out;
    out.from = read.from(*result);
    out.created = patroni::flag_at(*result, "created");
    out.canceled = patroni::flag_at(*result, "canceled");
    out.compact_revision = read.number<std::int64_t>(*result, "compact_revision");
    out.cancel_reason = text_at(*result, "cancel_reason");
    read.each(
        *result,
        "events",
        [&](const json::object& event)
        {
            const auto* kv = object_at(event, "kv");
            auto found = key_value_in(read, kv != nullptr ? *kv : json::object{}, prefix);
            if (found)
                out.events.push_back({text_at(event, "type") == "DELETE", std::move(*found)});
        }
    );
    return read.finish(std::move(out));
}

} // namespace rolegate::health::dcs::etcd3
