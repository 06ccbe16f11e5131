// SPDX-License-Identifier: PostgreSQL
#include "config/schema.hpp"

#include "config/dcs_address.hpp"
#include "config/quote.hpp"
#include "config/secret_keys.hpp"

#include <array>
#include <limits>

namespace rolegate::config
{
namespace
{

// Patroni takes any whole number from 0, which is the coordinator.
constexpr integer_range group_range{0, std::numeric_limits<int>::max()};

void read_scope(yaml_reader& in, const yaml_node& node, std::string& out)
{
    in.text(node, out);
    if (out.empty() && !in.failed(node))
        in.fail(node, "expected Patroni's name of the cluster, got nothing");
}

// One section `etcd3:` or `etcd:`; read() once, then the keys are judged together.
class etcd_reader
{
public:
    etcd_reader(yaml_reader& in, const yaml_node& section, dcs_settings& out)
        : in_(in), section_(section), out_(out)
    {
    }

    void read();

private:
    void read_host(const yaml_node& node, const std::string& text);
    void read_hosts(const yaml_node& node);
    void read_url(const yaml_node& node);
    void read_protocol(const yaml_node& node);
    bool is_first_address(const yaml_node& node);
    void check_address();
    void check_tls();
    void check_credentials();
    bool is_https() const { return https_ || (url_ && url_->https); }

    yaml_reader& in_;
    const yaml_node& section_;
    dcs_settings& out_;
    const yaml_node* address_ = nullptr; // `host`, `hosts` or `url`, whichever stands first
    std::optional<dcs_url> url_;
    bool https_ = false; // by `protocol`
    client_tls tls_;
    std::string password_of_file_;
};

void etcd_reader::read()
{
    const auto read_one_host = [&](const yaml_node& v)
    {
        const auto text = is_first_address(v) ? in_.scalar(v, "HOST:PORT") : std::nullopt;
        if (text)
            read_host(v, *text);
    };
    in_.map(
        section_,
        {
            {"host", read_one_host},
            {"hosts", [&](const yaml_node& v) { read_hosts(v); }},
            {"url", [&](const yaml_node& v) { read_url(v); }},
            {"protocol", [&](const yaml_node& v) { read_protocol(v); }},
            {"username", [&](const yaml_node& v) { in_.text(v, out_.username); }},
            {"password", [&](const yaml_node& v) { in_.text(v, out_.password); }},
            {"password_file",
             [&](const yaml_node& v) { read_secret_file(in_, v, password_of_file_); }},
            {"cacert", [&](const yaml_node& v) { in_.text(v, tls_.ca); }},
            {"cert", [&](const yaml_node& v) { in_.text(v, tls_.cert); }},
            {"key", [&](const yaml_node& v) { in_.text(v, tls_.key); }},
            {"verify", [&](const yaml_node& v) { in_.boolean(v, tls_.verify); }},
        },
        {"srv", "srv_suffix", "proxy", "use_proxies", "discovery_srv"}
    );
    check_address();
    check_tls();
    check_credentials();
}

// The first one stands, as with duplicate keys.
bool etcd_reader::is_first_address(const yaml_node& node)
{
    if (address_ == nullptr)
    {
        address_ = &node;
        return true;
    }
    in_.fail(node, node.key_at, quoted(node.key) + " cannot stand beside " + quoted(address_->key));
    return false;
}

void etcd_reader::read_host(const yaml_node& node, const std::string& text)
{
    parsed_address parsed = parse_dcs_host(text, etcd_port);
    if (!parsed.value)
        in_.fail(node, std::move(parsed.error));
    out_.hosts.push_back(parsed.value.value_or(host_port{}));
}

void etcd_reader::read_hosts(const yaml_node& node)
{
    constexpr std::string_view expected = "a list such as [10.0.0.1:2379]";
    if (!is_first_address(node))
        return;
    // Patroni also takes "a:2379,b:2379".
    if (node.kind == yaml_kind::scalar)
    {
        const auto text = in_.scalar(node, expected);
        for (const std::string& host : text ? split_list(*text) : std::vector<std::string>())
            read_host(node, host);
        return;
    }
    const auto read_item = [&](const yaml_node& item)
    {
        if (const auto text = in_.scalar(item, "HOST:PORT"))
            read_host(item, *text);
        else
            out_.hosts.push_back({});
    };
    in_.list(node, expected, read_item);
    if (out_.hosts.empty() && !in_.failed(node))
        in_.fail(node, "at least one host is needed");
}

void etcd_reader::read_url(const yaml_node& node)
{
    const auto text = is_first_address(node) ? in_.scalar(node, "a URL") : std::nullopt;
    if (!text)
        return;
    parsed_dcs_url parsed = parse_dcs_url(*text, etcd_port);
    if (!parsed.value)
        return in_.fail(node, std::move(parsed.error));
    url_ = std::move(parsed.value);
    out_.hosts.push_back(url_->address);
}

void etcd_reader::read_protocol(const yaml_node& node)
{
    if (const auto word = in_.choice(node, {"http", "https"}))
        https_ = *word == "https";
}

void etcd_reader::check_address()
{
    const auto asked_for = [&](std::string_view key) { return section_.find(key) != nullptr; };
    // Whoever asked for one of these has been told; "missing" would only send him in circles.
    const bool told = asked_for("srv") || asked_for("discovery_srv") || asked_for("proxy");
    if (!told && !asked_for("host") && !asked_for("url"))
        in_.require(section_, {"hosts"});
    const yaml_node* const protocol = section_.find("protocol");
    if (address_ != nullptr && address_->key == "url" && protocol != nullptr)
        in_.fail(
            *protocol,
            protocol->key_at,
            "'protocol' cannot stand beside 'url', which begins with it"
        );
}

void etcd_reader::check_tls()
{
    for (const std::string_view key : {"protocol", "url", "cacert", "cert", "key", "verify"})
    {
        if (was_refused(in_, section_, key))
            return;
    }
    const std::array<std::pair<std::string_view, bool>, 4> set{
        {{"cacert", !tls_.ca.empty()},
         {"cert", !tls_.cert.empty()},
         {"key", !tls_.key.empty()},
         {"verify", !tls_.verify}}};
    // Patroni ignores them then, and goes on in clear text although somebody meant otherwise.
    const std::string way = url_ ? "write 'url' with https://" : "set 'protocol: https'";
    for (const auto& [key, is_set] : set)
    {
        const yaml_node* const node = section_.find(key);
        if (is_set && !is_https() && node != nullptr)
            in_.fail(*node, node->key_at, quoted(key) + " is for HTTPS only: " + way);
    }
    if (!is_https())
        return;
    if (tls_.cert.empty() && !tls_.key.empty())
        in_.fail(*section_.find("key"), "'key' needs 'cert' beside it");
    // A PEM file may hold both, and Patroni takes it so.
    if (tls_.key.empty())
        tls_.key = tls_.cert;
    out_.tls = tls_;
}

void etcd_reader::check_credentials()
{
    settle_secret(in_, section_, "password", out_.password, password_of_file_);
    if (url_ && !url_->username.empty())
    {
        for (const std::string_view key : {"username", "password", "password_file"})
        {
            if (const yaml_node* const node = section_.find(key); node != nullptr)
                in_.fail(*node, node->key_at, quoted(key) + " cannot stand beside a user in 'url'");
        }
        out_.username = url_->username;
        out_.password = url_->password;
    }
    for (const std::string_view key : {"url", "username", "password", "password_file"})
    {
        if (was_refused(in_, section_, key))
            return;
    }
    // Patroni would go on without logging in.
    if (out_.username.empty() && !out_.password.empty())
        in_.require(section_, {"username"});
    if (!out_.username.empty() && out_.password.empty())
        in_.fail(
            *(url_ && !url_->username.empty() ? section_.find("url") : section_.find("username")),
            "'username' needs 'password' or 'password_file' beside it"
        );
}

} // namespace

dcs_settings read_dcs(yaml_reader& in, const yaml_node& node)
{
    dcs_settings out;
    const yaml_node* kind = nullptr;
    const auto read_etcd = [&](const yaml_node& v)
    {
        if (kind != nullptr)
            return in.fail(
                v, v.key_at, quoted(v.key) + " cannot stand beside " + quoted(kind->key)
            );
        kind = &v;
        out.kind = v.key == "etcd" ? dcs_kind::etcd : dcs_kind::etcd3;
        etcd_reader(in, v, out).read();
    };
    const auto read_group = [&](const yaml_node& v)
    {
        if (const auto value = in.integer(v, group_range))
            out.group = static_cast<int>(*value);
    };
    in.map(
        node,
        {
            {"scope", [&](const yaml_node& v) { read_scope(in, v, out.scope); }},
            {"namespace", [&](const yaml_node& v) { in.text(v, out.name_space); }},
            {"group", read_group},
            {"etcd3", read_etcd},
            {"etcd", read_etcd},
        },
        {"consul", "zookeeper", "exhibitor", "kubernetes", "raft"}
    );
    in.require(node, {"scope"});
    const auto asks_for = [&](std::string_view key) { return node.find(key) != nullptr; };
    const bool told = asks_for("etcd") || asks_for("consul") || asks_for("zookeeper") ||
                      asks_for("exhibitor") || asks_for("kubernetes") || asks_for("raft");
    if (!told)
        in.require(node, {"etcd3"});
    return out;
}

} // namespace rolegate::config
