// SPDX-License-Identifier: PostgreSQL
//
// The fake etcd's API v2: plain JSON, one event a long poll.
#include "tests/support/fake_etcd.hpp"
#include "tests/support/fake_etcd_text.hpp"

#include <algorithm>
#include <cstdio>

namespace rolegate::support
{

using namespace etcd_text;
using health::dcs::base64_encode;

std::string fake_etcd::head2(std::size_t endpoint, int status) const
{
    char id[20];
    const auto& n = nodes_[endpoint];
    std::snprintf(id, sizeof id, "%llx", static_cast<unsigned long long>(n.cluster_id));
    return status_line(status) + "X-Etcd-Cluster-Id: " + id +
           "\r\nX-Etcd-Index: " + std::to_string(revision_) +
           "\r\nX-Raft-Index: 22\r\nX-Raft-Term: " + std::to_string(n.term) + "\r\n";
}

std::string fake_etcd::node2(const std::string& name, const key& k) const
{
    const auto found = leases_.find(k.lease);
    return R"({"key":)" + quoted(folder + name) + R"(,"value":)" + quoted(k.value) +
           (found == leases_.end() ? ""
                                   : R"(,"expiration":"2026-11-21T22:42:16.782235363Z","ttl":)" +
                                         std::to_string(found->second)) +
           R"(,"modifiedIndex":)" + std::to_string(k.revision) + R"(,"createdIndex":)" +
           std::to_string(k.created) + "}";
}

std::string fake_etcd::get2(std::size_t endpoint, const request& r) const
{
    if (!user_.empty() && r.authorization != "Basic " + base64_encode(user_ + ":" + password_))
        return with_length(status_line(401), R"({"message":"Insufficient credentials"})");
    const auto path = r.target.substr(8, r.target.find('?') - 8);
    const auto found = keys_.find(path.starts_with(folder) ? path.substr(folder.size()) : "");
    const auto get = [&](const std::string& what)
    { return with_length(head2(endpoint, 200), R"({"action":"get","node":)" + what + "}"); };
    if (found != keys_.end())
        return get(node2(found->first, found->second));
    if (path != folder || keys_.empty())
        return with_length(
            head2(endpoint, 404),
            R"({"errorCode":100,"message":"Key not found","cause":)" + quoted(path) +
                R"(,"index":)" + std::to_string(revision_) + "}"
        );
    std::string leaves;
    std::string members;
    for (const auto& [name, k] : keys_)
    {
        auto& list = name.starts_with("members/") ? members : leaves;
        list += (list.empty() ? "" : ",") + node2(name, k);
    }
    return get(
        R"({"key":"/service/demo","dir":true,"nodes":[)" + leaves + (leaves.empty() ? "" : ",") +
        R"({"key":"/service/demo/members","dir":true,"nodes":[)" + members + "]}]}"
    );
}

// The head at once, the event when there is one.
void fake_etcd::wait2(std::size_t endpoint, transport& t, const request& r, lock& held)
{
    const auto from = number_in(parameter(r.target, "waitIndex"));
    if (from <= compacted_)
    {
        const auto out = with_length(
            head2(endpoint, 400),
            R"({"errorCode":401,"message":"The event in requested index is outdated and cleared",)"
            R"("cause":"the requested history has been cleared","index":)" +
                std::to_string(revision_) + "}"
        );
        held.unlock();
        t.write(out);
        return;
    }
    open_watch w{endpoint, "", false};
    watches_.push_back(&w);
    const auto head = head2(endpoint, 200) + "Transfer-Encoding: chunked\r\n\r\n";
    held.unlock();
    t.write(head);
    held.lock();
    std::string out;
    do
    {
        if (nodes_[endpoint].hangs)
            w.muted = true;
        const auto next =
            std::ranges::find_if(log_, [from](const event& e) { return e.revision >= from; });
        if (next != log_.end() && !w.muted)
            out = chunks(next->v2 + "\n") + "0\r\n\r\n";
    } while (out.empty() && wait_while_open(t, held));
    std::erase(watches_, &w);
    held.unlock();
    t.write(out);
}

} // namespace rolegate::support
