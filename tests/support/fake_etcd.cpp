// SPDX-License-Identifier: PostgreSQL
#include "tests/support/fake_etcd.hpp"

#include "tests/support/fake_etcd_text.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace rolegate::support
{

namespace
{

using namespace std::chrono_literals;
using namespace etcd_text;
using health::dcs::base64_encode;

} // namespace

// --- life --------------------------------------------------------------------------------------

fake_etcd::fake_etcd(std::size_t endpoints, const server_tls& tls) : nodes_(endpoints)
{
    for (std::size_t i = 0; i < endpoints; ++i)
        nodes_[i].server =
            std::make_unique<fake_server>(tls, [this, i](transport& t) { serve(i, t); });
}

fake_etcd::~fake_etcd()
{
    {
        const std::lock_guard held(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
}

std::uint16_t fake_etcd::port(std::size_t endpoint) const
{
    return nodes_[endpoint].server->port();
}

std::string fake_etcd::address(std::size_t endpoint) const
{
    return "127.0.0.1:" + std::to_string(port(endpoint));
}

// --- the keys ----------------------------------------------------------------------------------

std::int64_t fake_etcd::grant(int seconds)
{
    const std::lock_guard held(mutex_);
    leases_[++last_lease_] = seconds;
    return last_lease_;
}

void fake_etcd::put(const std::string& name, const std::string& value, std::int64_t lease)
{
    const std::lock_guard held(mutex_);
    auto& k = keys_[name];
    const bool is_new = k.revision == 0;
    const char* action = is_new ? "create" : k.value == value ? "compareAndSwap" : "set";
    ++revision_;
    k = {value, lease, revision_, is_new ? revision_ : k.created};
    const auto kv = R"({"kv":{"key":")" + base64_encode(folder + name) + "\"," +
                    number("create_revision", k.created) + "," + number("mod_revision", revision_) +
                    (value.empty() ? "" : R"(,"value":")" + base64_encode(value) + '"') +
                    (lease == 0 ? "" : "," + number("lease", static_cast<std::uint64_t>(lease))) +
                    "}}";
    happen(
        {{revision_,
          name,
          kv,
          R"({"action":")" + std::string(action) + R"(","node":)" + node2(name, k) + "}"}}
    );
}

void fake_etcd::erase(const std::string& name)
{
    const std::lock_guard held(mutex_);
    erase_all({name}, "compareAndDelete");
}

void fake_etcd::expire(std::int64_t lease)
{
    const std::lock_guard held(mutex_);
    std::vector<std::string> names;
    for (const auto& [name, k] : keys_)
        if (k.lease == lease)
            names.push_back(name);
    leases_.erase(lease);
    erase_all(names, "expire");
}

void fake_etcd::erase_all(const std::vector<std::string>& names, const char* action)
{
    ++revision_;
    std::vector<event> gone;
    for (const auto& name : names)
    {
        const auto path = folder + name;
        keys_.erase(name);
        gone.push_back(
            {revision_,
             name,
             R"({"type":"DELETE","kv":{"key":")" + base64_encode(path) + "\"," +
                 number("mod_revision", revision_) + "}}",
             R"({"action":")" + std::string(action) + R"(","node":{"key":)" + quoted(path) +
                 R"(,"modifiedIndex":)" + std::to_string(revision_) + R"(,"createdIndex":2}})"}
        );
    }
    happen(gone);
}

void fake_etcd::happen(const std::vector<event>& what)
{
    log_.insert(log_.end(), what.begin(), what.end());
    for (auto* w : watches_)
        push(*w, events(w->endpoint, what));
    changed_.notify_all();
}

void fake_etcd::rebuild()
{
    {
        const std::lock_guard held(mutex_);
        keys_.clear();
        log_.clear();
        revision_ = 1;
        for (auto& n : nodes_)
            ++n.cluster_id;
    }
    for (auto& n : nodes_)
        n.server->end_all();
}

void fake_etcd::compact()
{
    const std::lock_guard held(mutex_);
    compacted_ = revision_;
    log_.clear();
    for (auto* w : watches_)
        push(
            *w,
            R"({"result":{"header":)" + header(w->endpoint) + R"(,"canceled":true,)" +
                number("compact_revision", compacted_) + "}}"
        );
    changed_.notify_all();
}

// --- the endpoints -----------------------------------------------------------------------------

void fake_etcd::stop(std::size_t endpoint)
{
    nodes_[endpoint].server->refuse();
    nodes_[endpoint].server->end_all();
}

void fake_etcd::start(std::size_t endpoint)
{
    {
        const std::lock_guard held(mutex_);
        nodes_[endpoint].hangs = false;
    }
    nodes_[endpoint].server->listen();
    changed_.notify_all();
}

void fake_etcd::hang(std::size_t endpoint)
{
    const std::lock_guard held(mutex_);
    nodes_[endpoint].hangs = true;
}

void fake_etcd::belong_to(std::size_t endpoint, std::uint64_t cluster_id)
{
    const std::lock_guard held(mutex_);
    nodes_[endpoint].cluster_id = cluster_id;
}

void fake_etcd::set_term(std::size_t endpoint, std::uint64_t term)
{
    const std::lock_guard held(mutex_);
    nodes_[endpoint].term = term;
}

// --- the watches -------------------------------------------------------------------------------

void fake_etcd::mute_watches()
{
    const std::lock_guard held(mutex_);
    for (auto* w : watches_)
        w->muted = true;
}

void fake_etcd::say(const std::string& text)
{
    const std::lock_guard held(mutex_);
    for (auto* w : watches_)
        w->pending += chunk(text);
    changed_.notify_all();
}

void fake_etcd::refuse_watches(const std::string& reason)
{
    const std::lock_guard held(mutex_);
    refusal_ = reason;
}

void fake_etcd::begin_chunk()
{
    const std::lock_guard held(mutex_);
    gathering_ = true;
}

void fake_etcd::end_chunk()
{
    const std::lock_guard held(mutex_);
    gathering_ = false;
    for (auto* w : watches_)
        if (!w->muted)
            w->pending += chunk(gathered_);
    gathered_.clear();
    changed_.notify_all();
}

std::size_t fake_etcd::watches() const
{
    const std::lock_guard held(mutex_);
    return static_cast<std::size_t>(
        std::ranges::count_if(watches_, [](const open_watch* w) { return !w->muted; })
    );
}

std::string fake_etcd::chunks(const std::string& text) const
{
    if (step_ == 0)
        return chunk(text);
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += step_)
        out += chunk(text.substr(i, step_));
    return out;
}

// All watches of a test that gathers are at one endpoint.
void fake_etcd::push(open_watch& w, const std::string& object)
{
    if (gathering_)
        gathered_ += object + "\n";
    else if (!w.muted)
        w.pending += chunks(object + "\n");
}

std::string fake_etcd::header(std::size_t endpoint) const
{
    const auto& n = nodes_[endpoint];
    return "{" + number("cluster_id", n.cluster_id) + "," +
           number("member_id", 8722020444722966759) + "," + number("revision", revision_) + "," +
           number("raft_term", n.term) + "}";
}

std::string fake_etcd::events(std::size_t endpoint, const std::vector<event>& of) const
{
    std::string list;
    for (const auto& e : of)
        list += (list.empty() ? "" : ",") + e.v3;
    return R"({"result":{"header":)" + header(endpoint) + R"(,"events":[)" + list + "]}}";
}

void fake_etcd::watch(std::size_t endpoint, transport& t, const request& r, lock& held)
{
    open_watch w{endpoint, "", false};
    const auto refused = refusal_of(r).empty() ? refusal_ : "etcdserver: user name is empty";
    const auto start = number_in(text_in(r.body, "start_revision"));
    push(
        w,
        R"({"result":{"header":)" + header(endpoint) + R"(,"created":true)" +
            (refused.empty() ? "}}"
                             : R"(,"canceled":true,"cancel_reason":)" + quoted(refused) + "}}")
    );
    std::vector<event> missed;
    std::ranges::copy_if(
        log_, std::back_inserter(missed), [start](const event& e) { return e.revision >= start; }
    );
    if (refused.empty())
    {
        if (!missed.empty())
            push(w, events(endpoint, missed));
        watches_.push_back(&w);
    }
    held.unlock();
    t.write(status_line(200) + "Transfer-Encoding: chunked\r\n\r\n");
    held.lock();
    do
    {
        if (nodes_[endpoint].hangs)
            w.muted = true;
        const auto out = w.muted ? std::string() : std::exchange(w.pending, {});
        held.unlock();
        t.write(out);
        held.lock();
    } while (wait_while_open(t, held));
    std::erase(watches_, &w);
}

// False when there is nobody left to talk to.
bool fake_etcd::wait_while_open(const transport& t, lock& held)
{
    changed_.wait_for(held, 5ms);
    return !stopping_ && t.usable() && !t.stirs();
}

// --- requests ----------------------------------------------------------------------------------

void fake_etcd::answer(const std::string& path, int status, const std::string& body)
{
    const std::lock_guard held(mutex_);
    answers_[path] = {status, body};
}

void fake_etcd::answer_again(const std::string& path)
{
    const std::lock_guard held(mutex_);
    answers_.erase(path);
}

void fake_etcd::hold(const std::string& path, int skipped)
{
    const std::lock_guard held(mutex_);
    held_path_ = path;
    held_after_ = skipped;
    holding_ = false;
}

void fake_etcd::release()
{
    const std::lock_guard held(mutex_);
    held_path_.clear();
    holding_ = false;
    changed_.notify_all();
}

bool fake_etcd::holds() const
{
    const std::lock_guard held(mutex_);
    return holding_;
}

void fake_etcd::require_login(const std::string& user, const std::string& password)
{
    const std::lock_guard held(mutex_);
    user_ = user;
    password_ = password;
}

void fake_etcd::expire_tokens()
{
    const std::lock_guard held(mutex_);
    tokens_.clear();
}

std::size_t fake_etcd::requests(const std::string& path) const
{
    const std::lock_guard held(mutex_);
    const auto found = requests_.find(path);
    return found == requests_.end() ? 0 : found->second;
}

bool fake_etcd::read_request(transport& t, std::string& buffer, request& to)
{
    std::size_t end = 0;
    while ((end = buffer.find("\r\n\r\n")) == buffer.npos)
    {
        const auto more = t.read_some();
        if (more.empty())
            return false;
        buffer += more;
    }
    const auto head = buffer.substr(0, end + 2);
    buffer.erase(0, end + 4);
    const auto field = [&head](const std::string& name)
    {
        const auto begin = head.find("\r\n" + name + ": ");
        if (begin == head.npos)
            return std::string();
        const auto from = begin + name.size() + 4;
        return head.substr(from, head.find("\r\n", from) - from);
    };
    const auto first = head.find(' ');
    to.method = head.substr(0, first);
    to.target = head.substr(first + 1, head.find(' ', first + 1) - first - 1);
    to.authorization = field("Authorization");
    const auto size = number_in(field("Content-Length"));
    while (buffer.size() < size)
    {
        const auto more = t.read_some();
        if (more.empty())
            return false;
        buffer += more;
    }
    to.body = buffer.substr(0, size);
    buffer.erase(0, size);
    return true;
}

std::string fake_etcd::path_of(const request& r)
{
    if (r.target.starts_with("/v2/keys"))
        return "/v2/keys";
    if (r.target == "/v3/kv/range" && text_in(r.body, "range_end").empty())
        return "leader";
    return r.target.starts_with("/v3/") ? r.target.substr(3) : r.target;
}

void fake_etcd::serve(std::size_t endpoint, transport& t)
{
    std::string buffer;
    request r;
    while (t.usable() && read_request(t, buffer, r))
        answer_one(endpoint, t, r);
}

void fake_etcd::answer_one(std::size_t endpoint, transport& t, const request& r)
{
    const auto path = path_of(r);
    lock held(mutex_);
    ++requests_[path];
    while (nodes_[endpoint].hangs)
        if (!wait_while_open(t, held))
            return;
    if (path == held_path_ && held_after_-- == 0)
    {
        holding_ = true;
        while (holding_)
            if (!wait_while_open(t, held))
                return;
    }
    const auto own = answers_.find(path);
    if (own == answers_.end() && path == "/watch")
        return watch(endpoint, t, r, held);
    if (own == answers_.end() && r.target.find("wait=true") != r.target.npos)
        return wait2(endpoint, t, r, held);
    const auto out =
        own == answers_.end() ? respond(endpoint, r) : whole(own->second.first, own->second.second);
    held.unlock();
    t.write(out);
}

std::string fake_etcd::refusal_of(const request& r) const
{
    if (user_.empty() || tokens_.contains(r.authorization))
        return {};
    if (r.authorization.empty())
        return failure(400, 3, "user name is empty");
    return failure(401, 16, "invalid auth token");
}

std::string fake_etcd::respond(std::size_t endpoint, const request& r)
{
    const auto path = path_of(r);
    if (path == "/version")
        return whole(200, R"({"etcdserver":"3.4.23","etcdcluster":"3.4.0"})");
    if (path == "/v2/keys")
        return get2(endpoint, r);
    if (path == "/auth/authenticate")
        return log_in(endpoint, r.body);
    // Leases are told to anybody, even after the token has expired.
    if (path == "/lease/timetolive" || path == "/kv/lease/timetolive")
        return lease(endpoint, r.body);
    if (path != "/kv/range" && path != "leader")
        return whole(404, "Not Found\n");
    const auto refused = refusal_of(r);
    return refused.empty() ? range(endpoint, r.body) : refused;
}

std::string fake_etcd::range(std::size_t endpoint, const std::string& body) const
{
    const auto from = plain(text_in(body, "key"));
    const bool all = !text_in(body, "range_end").empty();
    std::string list;
    std::size_t n = 0;
    for (const auto& [name, k] : keys_)
    {
        const auto path = folder + name;
        if (all ? !path.starts_with(from) : path != from)
            continue;
        ++n;
        list += (list.empty() ? "" : ",") + (R"({"key":")" + base64_encode(path) + "\",") +
                number("create_revision", k.created) + "," + number("mod_revision", k.revision) +
                (k.value.empty() ? "" : R"(,"value":")" + base64_encode(k.value) + '"') +
                (k.lease == 0 ? "" : "," + number("lease", static_cast<std::uint64_t>(k.lease))) +
                "}";
    }
    return whole(
        200,
        R"({"header":)" + header(endpoint) +
            (n == 0 ? "" : R"(,"kvs":[)" + list + "]," + number("count", n)) + "}"
    );
}

std::string fake_etcd::lease(std::size_t endpoint, const std::string& body) const
{
    const auto id = text_in(body, "ID");
    const auto found = leases_.find(static_cast<std::int64_t>(number_in(id)));
    std::string left = R"(,"TTL":"-1"})";
    if (found != leases_.end())
        left = "," + number("TTL", static_cast<std::uint64_t>(found->second)) +
               R"(,"grantedTTL":"30"})";
    return whole(200, R"({"header":)" + header(endpoint) + R"(,"ID":")" + id + '"' + left);
}

std::string fake_etcd::log_in(std::size_t endpoint, const std::string& body)
{
    if (user_.empty())
        return failure(400, 9, "authentication is not enabled");
    if (text_in(body, "name") != user_ || text_in(body, "password") != password_)
        return failure(400, 3, "authentication failed, invalid user ID or password");
    const auto token = "eJQmXdYzbbRrnIzT." + std::to_string(++last_token_);
    tokens_.insert(token);
    return whole(200, R"({"header":)" + header(endpoint) + R"(,"token":")" + token + "\"}");
}

} // namespace rolegate::support
