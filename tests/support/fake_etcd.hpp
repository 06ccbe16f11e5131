// SPDX-License-Identifier: PostgreSQL
//
// etcd as a script: the JSON gateway of its API v3 and its API v2 over the same keys, framed as
// etcd 3.4 frames them, with several endpoints that may disagree.
#pragma once

#include "tests/support/fake_server.hpp"

#include <condition_variable>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace rolegate::support
{

class fake_etcd
{
public:
    explicit fake_etcd(std::size_t endpoints = 1, const server_tls& tls = {});
    ~fake_etcd();
    fake_etcd(const fake_etcd&) = delete;
    fake_etcd& operator=(const fake_etcd&) = delete;

    [[nodiscard]] std::size_t size() const noexcept { return nodes_.size(); }
    [[nodiscard]] std::uint16_t port(std::size_t endpoint = 0) const;
    [[nodiscard]] std::string address(std::size_t endpoint = 0) const;

    // --- the keys; names are those below /service/demo/ ---

    std::int64_t grant(int seconds); // a lease; lives on until expire()
    void put(const std::string& key, const std::string& value, std::int64_t lease = 0);
    void erase(const std::string& key);
    void expire(std::int64_t lease); // its keys go in one revision, as v3 does it
    void rebuild();                  // another etcd, and empty; connections end

    // History is gone: open watches are canceled (v3), waits for what was are refused (v2).
    void compact();

    // --- the endpoints ---

    void stop(std::size_t endpoint); // as a process that is killed
    void start(std::size_t endpoint);
    void hang(std::size_t endpoint); // accepts and says nothing more, to anybody
    void belong_to(std::size_t endpoint, std::uint64_t cluster_id);
    void set_term(std::size_t endpoint, std::uint64_t term);

    // --- the watches ---

    void mute_watches();                            // those that are open now tell nothing more
    void say(const std::string& text);              // to those that are open, as one chunk
    void refuse_watches(const std::string& reason); // new ones; "" = no more
    void dribble() { step_ = 1; }                   // from now on every byte is a chunk
    void begin_chunk();                             // what happens until end_chunk() is one chunk
    void end_chunk();
    [[nodiscard]] std::size_t watches() const; // open ones that are not muted

    // --- requests; a path is that of v3 behind the version, or "/v2/keys"; "/kv/range" means the
    // snapshot, "leader" one of a single key ---

    // From now on these requests get this body, and an error's framing if the status is one.
    void answer(const std::string& path, int status, const std::string& body);
    void answer_again(const std::string& path); // as etcd would

    // One request of the path, the one after the next `skipped`, waits until release().
    void hold(const std::string& path, int skipped = 0);
    void release();
    [[nodiscard]] bool holds() const; // the request is there

    void require_login(const std::string& user, const std::string& password);
    void expire_tokens();

    [[nodiscard]] std::size_t requests(const std::string& path) const;

private:
    struct node
    {
        std::unique_ptr<fake_server> server;
        std::uint64_t cluster_id = 997359003451124628;
        std::uint64_t term = 2;
        bool hangs = false;
    };

    struct key
    {
        std::string value;
        std::int64_t lease = 0;
        std::uint64_t revision = 0;
        std::uint64_t created = 0;
    };

    // What a watch from an older revision still has to be told, one entry a key.
    struct event
    {
        std::uint64_t revision = 0;
        std::string name;
        std::string v3; // an element of "events"
        std::string v2; // the whole body
    };

    struct request
    {
        std::string method;
        std::string target;
        std::string authorization;
        std::string body;
    };

    struct open_watch
    {
        std::size_t endpoint = 0;
        std::string pending; // chunks to be sent
        bool muted = false;
    };

    using lock = std::unique_lock<std::mutex>;

    void serve(std::size_t endpoint, transport& t);
    static bool read_request(transport& t, std::string& buffer, request& to);
    [[nodiscard]] static std::string path_of(const request& r);
    void answer_one(std::size_t endpoint, transport& t, const request& r);
    [[nodiscard]] std::string respond(std::size_t endpoint, const request& r);
    [[nodiscard]] std::string range(std::size_t endpoint, const std::string& body) const;
    [[nodiscard]] std::string lease(std::size_t endpoint, const std::string& body) const;
    [[nodiscard]] std::string log_in(std::size_t endpoint, const std::string& body);
    [[nodiscard]] std::string refusal_of(const request& r) const;
    void watch(std::size_t endpoint, transport& t, const request& r, lock& held);
    void wait2(std::size_t endpoint, transport& t, const request& r, lock& held);
    [[nodiscard]] std::string get2(std::size_t endpoint, const request& r) const;
    [[nodiscard]] std::string head2(std::size_t endpoint, int status) const;
    [[nodiscard]] std::string node2(const std::string& name, const key& k) const;
    [[nodiscard]] std::string header(std::size_t endpoint) const;
    [[nodiscard]] std::string events(std::size_t endpoint, const std::vector<event>& of) const;
    void happen(const std::vector<event>& what);
    void erase_all(const std::vector<std::string>& names, const char* action);
    void push(open_watch& w, const std::string& object);
    [[nodiscard]] std::string chunks(const std::string& text) const;
    [[nodiscard]] bool wait_while_open(const transport& t, lock& held);

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, key> keys_;
    std::map<std::int64_t, int> leases_;
    std::vector<event> log_;
    std::uint64_t revision_ = 1;
    std::uint64_t compacted_ = 0;
    std::int64_t last_lease_ = 3523963355495206919;

    std::vector<open_watch*> watches_;
    std::string refusal_;
    std::size_t step_ = 0; // 0 = an object a chunk
    bool gathering_ = false;
    std::string gathered_;

    std::map<std::string, std::pair<int, std::string>> answers_;
    std::map<std::string, std::size_t> requests_;
    std::string held_path_;
    int held_after_ = 0;
    bool holding_ = false;
    std::string user_;
    std::string password_;
    std::set<std::string> tokens_;
    int last_token_ = 0;
    bool stopping_ = false;
    std::vector<node> nodes_; // last: their handlers use the above
};

} // namespace rolegate::support
