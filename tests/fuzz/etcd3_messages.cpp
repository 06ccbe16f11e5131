// SPDX-License-Identifier: PostgreSQL
//
// Contract: any body is an answer within its bounds, or a failure that says something; and base64
// is exactly what the encoder writes.
#include "health/dcs/etcd3_messages.hpp"
#include "health/dcs/base64.hpp"

#include "tests/fuzz/texts.hpp"

using namespace rolegate::health::dcs;
using namespace rolegate::fuzz;

namespace
{

// nullptr: a failure, which has been looked at.
template <class T> const T* success(const etcd3::answer<T>& a)
{
    const auto* failed = std::get_if<etcd3::failure>(&a);
    if (failed == nullptr)
        return &std::get<T>(a);
    require(!failed->text.empty() && failed->code != 0);
    require_printable({failed->text});
    (void)failed->wants_login();
    return nullptr;
}

void try_base64(std::string_view text)
{
    require(base64_decode(base64_encode(text)) == text);
    if (const auto bytes = base64_decode(text))
        require(base64_encode(*bytes) == text);
}

void try_watch(std::string_view body)
{
    const auto a = etcd3::decode_watch(body, "/service/demo/");
    const auto* w = success(a);
    if (w == nullptr)
        return;
    require_printable({w->cancel_reason});
    require(w->events.size() <= body.size());
}

void try_range(std::string_view body)
{
    const auto whole = etcd3::decode_range(body, "");
    const auto below = etcd3::decode_range(body, "/service/demo/");
    const auto* all = success(whole);
    const auto* some = success(below);
    require((all == nullptr) == (some == nullptr));
    if (all == nullptr)
        return;
    require(all->from == some->from && all->keys.size() >= some->keys.size());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view body{reinterpret_cast<const char*>(data), size};
    try_base64(body);
    try_watch(body);
    try_range(body);
    const auto lease = etcd3::decode_lease(body);
    if (const auto* l = success(lease))
        require(l->ttl_left >= -1);
    const auto login = etcd3::decode_login(body);
    if (const auto* token = success(login))
        require(!token->empty() && token->find_first_of(" \r\n") == std::string::npos);
    const auto path = etcd3::api_prefix(body);
    if (const auto* p = success(path))
        require(*p == "/v3" || *p == "/v3beta" || *p == "/v3alpha");
    require(!etcd3::range_request(body).empty());
    return 0;
}
