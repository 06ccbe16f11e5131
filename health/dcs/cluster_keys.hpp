// SPDX-License-Identifier: PostgreSQL
//
// The keys that Patroni keeps below NAMESPACE/SCOPE/ in any DCS (Patroni 1.6 to 4.1), and what
// they say of the cluster. Source: patroni/dcs/__init__.py, ha.py:touch_member. Pure; never
// throws: unknown keys are kept out, unreadable values count as absent.
#pragma once

#include "health/evidence.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace rolegate::health::dcs
{

// One key with its name relative to NAMESPACE/SCOPE/: "leader", "members/pg-1".
struct key_value
{
    std::string key;
    std::string value;
    std::int64_t lease = 0; // etcd3: the id of the lease it hangs on; 0 = none, or not known

    friend bool operator==(const key_value&, const key_value&) = default;
};

// What the keys say together.
struct cluster_state
{
    cluster_listing listing;
    std::string leader; // value of the leader key; "" = absent
    std::int64_t leader_lease = 0;
    std::optional<std::chrono::milliseconds> ttl;
    bool failsafe_mode = false;
    bool standby_cluster = false;

    friend bool operator==(const cluster_state&, const cluster_state&) = default;
};

// "/service/demo/" or, with a Citus group, "/service/demo/1/": slashes collapsed, one at each end.
[[nodiscard]] std::string
key_prefix(std::string_view name_space, std::string_view scope, std::optional<int> group);

class cluster_keys
{
public:
    // Forgets everything: a snapshot follows.
    void clear();

    // Keeps only what state() reads, and `initialize`. Bounds: patroni::max_members member keys of
    // 64 KiB each, every other value 1 MiB (etcd's own default is 1.5 MiB for a request). A value
    // beyond its bound erases the key: what was there before is no longer true.
    void put(key_value kv);
    void erase(const std::string& key);

    [[nodiscard]] const key_value* find(const std::string& key) const; // nullptr: absent

    // As Patroni's cluster_as_json() makes GET /cluster of them, with two differences: a holder
    // whose member key is missing is listed too, under its name alone; and a lag without a known
    // position of the leader is unknown, not zero.
    [[nodiscard]] cluster_state state() const;

private:
    std::map<std::string, key_value> keys_; // bounded, see put()
    std::size_t members_ = 0;               // how many of them are member keys
};

} // namespace rolegate::health::dcs
