// SPDX-License-Identifier: PostgreSQL
//
// Contract: any body is an answer within its bounds, or a failure that says something.
#include "health/dcs/etcd2_messages.hpp"

#include "tests/fuzz/texts.hpp"

using namespace rolegate::health::dcs;
using namespace rolegate::fuzz;

namespace
{

constexpr std::string_view prefix = "/service/demo/";

template <class T> const T* success(const etcd2::answer<T>& a)
{
    const auto* failed = std::get_if<etcd2::failure>(&a);
    if (failed == nullptr)
        return &std::get<T>(a);
    require(!failed->text.empty() && failed->code >= -1);
    require_printable({failed->text});
    return nullptr;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view body{reinterpret_cast<const char*>(data), size};
    const auto snapshot = etcd2::decode_get(body, prefix);
    if (const auto* nodes = success(snapshot))
    {
        require(nodes->size() <= size);
        for (const auto& n : *nodes)
            require((!n.ttl || *n.ttl >= 0) && n.kv.lease == 0);
    }
    const auto change = etcd2::decode_event(body, prefix);
    if (const auto* e = success(change))
        require((!e->ttl || *e->ttl >= 0) && e->kv.lease == 0);
    // An answer with an event is one with a node.
    require(success(change) == nullptr || success(snapshot) != nullptr);
    return 0;
}
