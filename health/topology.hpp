// SPDX-License-Identifier: PostgreSQL
//
// What we believe about one cluster: an immutable snapshot, made by decide(), handed to every
// worker as shared_ptr<const topology>. The only thing that proxy/ knows of health/.
#pragma once

#include "health/member.hpp"
#include "health/operator_order.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::health
{

// What a listener may do with a member.
enum class admission
{
    open,   // new sessions and the ones it has
    keep,   // no new sessions; those it has may go on
    closed, // it has lost the role: end its sessions
};

[[nodiscard]] const char* to_string(admission a) noexcept;

// A verdict and where it comes from.
struct grant
{
    admission verdict = admission::closed;
    const char* rule = "";  // stable word for scripts, e.g. "lock-and-word"; static storage
    std::string reason;     // a sentence for people
    bool preferred = false; // by the listener's `prefer`

    friend bool operator==(const grant&, const grant&) = default;
};

// Of one member and one listener with a lag limit: a member that was beyond it comes back only when
// it has been well below for a while, so that it does not go and come with every bulk load.
struct lag_watch
{
    bool lagging = false;
    std::optional<time_point> below_since; // while it is lagging

    friend bool operator==(const lag_watch&, const lag_watch&) = default;
};

struct member
{
    std::string name;
    std::string host; // as Patroni says it
    std::uint16_t port = 0;
    std::string address;                      // numeric, what to connect to; "" = not resolved yet
    std::vector<std::string> other_addresses; // of the same host, to try where that fails
    std::string api_url;
    member_role role = member_role::unknown;
    member_state state = member_state::unknown;
    std::string state_text; // as Patroni spells it; "" = never heard
    std::optional<std::uint32_t> timeline;
    std::optional<std::int64_t> lag_bytes; // of WAL that it has not replayed; unset: not known
    std::optional<time_point> lag_seen;    // when that was measured; unset: a listing said it
    std::optional<std::chrono::milliseconds> lag_time; // for so long it has not been up to date
    std::optional<time_point> up_to_date; // when it last said that nothing was left to replay
    sync_state sync = sync_state::unknown;
    std::string replication_state; // "streaming", "in archive recovery"; "" = not known
    tag_map tags;
    bool listed = true;        // still a member according to the DCS
    time_point listed_seen{};  // when it was last listed
    std::string check_text;    // of its additional check, as HAProxy says it; "" = there is none
    std::string check_failed;  // why it gets no new sessions by that; "" = it may
    operator_order order;      // what an operator wants of it
    grant write;               // as the primary
    grant read;                // as a replica
    std::vector<grant> grants; // for each listener of the cluster, see demands.hpp
    std::vector<lag_watch> lag_watches;  // by listener, like these
    std::optional<time_point> word_seen; // when Patroni last spoke for it
    std::string error;                   // why Patroni does not answer now; "" = it does
    std::optional<time_point> sql_seen;  // when its PostgreSQL last spoke for itself
    std::optional<bool> sql_in_recovery; // what it said; unset: it never spoke
    std::string sql_error; // why it does not answer now; "" = it does, or is not asked
};

// Who holds the leader key, as far as we know.
struct lock_belief
{
    enum class kind
    {
        unknown, // nobody could tell us
        none,    // the key is absent
        held,
    };
    kind what = kind::unknown;
    std::string holder;             // when held
    const char* source = "";        // "rest", "etcd3", "etcd"; "" = unknown. Static storage
    std::string reporter;           // HOST:PORT that said so
    time_point seen{};              // when it was last confirmed
    time_point since{};             // since when we have believed it
    std::optional<time_point> ends; // not before this, unless the holder lets it go; unset: unknown
    bool by_lease = false;          // nobody confirms it now, but its lease has not ended
};

// How the DCS is reached from here.
struct dcs_link
{
    std::string source;             // "" = none is configured
    bool connected = false;         // the watch stands and re-reads are answered
    std::string endpoint;           // that answered last
    std::optional<time_point> seen; // when it last confirmed the lock
    std::string error;              // why it is not connected
};

// Where the holder of the lock was in its WAL.
struct wal_position
{
    std::string member;
    std::int64_t lsn = 0; // bytes
    time_point seen{};
};

// What the cluster is, and so where beliefs about it come from.
enum class cluster_kind
{
    patroni,  // its leader lock and its members' words
    postgres, // streaming replication without Patroni: PostgreSQL's own words
    tcp,      // any service, whose members are open for reads if at all: checks
};

[[nodiscard]] const char* to_string(cluster_kind k) noexcept;
[[nodiscard]] const char* to_string(operator_state s) noexcept;
[[nodiscard]] std::optional<operator_state> operator_state_from(std::string_view word) noexcept;

struct topology
{
    std::string cluster;
    cluster_kind kind = cluster_kind::patroni;
    std::uint64_t generation = 0;       // +1 whenever a grant, an address or the lock changes
    std::vector<member> members;        // by name
    std::vector<std::string> listeners; // whose verdicts the members' grants are, by index
    lock_belief lock;
    dcs_link dcs;
    bool pause = false;
    bool failsafe_mode = false;   // configured, by what the DCS says
    bool standby_cluster = false; // its leader follows another cluster
    std::optional<planned_switchover> switchover;
    std::string last_writer; // opened for writes, and nothing said against it since; "" = nobody
    std::uint32_t highest_timeline = 0; // of any primary opened so far; without Patroni: seen
    time_point timeline_since{};        // when that last rose
    time_point fenced{};                // without Patroni: when a member was last closed for writes
    std::string system_identifier;      // of the first primary opened
    // The latest two: a replica's word is held against the one that is not newer.
    std::optional<wal_position> position;
    std::optional<wal_position> earlier_position;
    std::string cause; // why this generation differs from the one before

    // When the belief was last confirmed by a source; unset: never, and then it ages from `began`.
    // A worker that finds it older than stale_after routes nobody, even when the control thread
    // hangs.
    std::optional<time_point> confirmed;
    std::optional<time_point> began; // when following the cluster began
    std::chrono::milliseconds stale_after{10000};
    bool end_when_stale = false; // then its sessions end, too

    [[nodiscard]] const member* find(std::string_view name) const noexcept;

    // The member whose write verdict is open; nullptr while there is none.
    [[nodiscard]] const member* primary() const noexcept;

    // Else its members are only up or down.
    [[nodiscard]] bool has_roles() const noexcept { return kind != cluster_kind::tcp; }

    [[nodiscard]] bool stale(time_point now) const noexcept
    {
        const auto from = confirmed ? confirmed : began;
        return from && now - *from > stale_after;
    }
};

using topology_ptr = std::shared_ptr<const topology>;

// What a reader of the log wants to know first of a change: the lock, the primary, then members.
[[nodiscard]] std::string cause_of_change(const topology& before, const topology& after);

// Whether routing or what people are told differs, ages apart: then `generation` grows.
[[nodiscard]] bool same_belief(const topology& a, const topology& b) noexcept;

} // namespace rolegate::health
