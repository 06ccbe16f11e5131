// SPDX-License-Identifier: PostgreSQL
#include "config/patroni_etcd.hpp"

#include "config/dcs_address.hpp"
#include "config/quote.hpp"

#include <algorithm>
#include <charconv>

namespace rolegate::config
{
namespace
{

class etcd_section
{
public:
    etcd_section(patroni_values& from, std::string_view name, dcs_settings& out)
        : from_(from), name_(name), out_(out)
    {
    }

    void read_address(const patroni_value& at);
    void read_credentials();
    void read_tls();

private:
    std::optional<patroni_value> text(std::string_view key) { return from_.find_text(name_, key); }
    bool refuse(std::string_view key);
    std::uint16_t default_port();
    void add_host(const patroni_value& value, std::string_view text);
    void add_hosts(const patroni_value& value);
    void add_items(const patroni_value& value, const yaml_node& list);
    void read_url(const patroni_value& value);

    patroni_values& from_;
    std::string_view name_;
    dcs_settings& out_;
    bool https_ = false;
};

bool etcd_section::refuse(std::string_view key)
{
    const auto value = from_.find(name_, key);
    if (value)
        from_.fail(
            *value,
            quoted(std::string(name_) + "." + std::string(key)) +
                " is not supported by this version yet; name 'hosts'"
        );
    return value.has_value();
}

std::uint16_t etcd_section::default_port()
{
    const auto value = text("port");
    if (!value)
        return etcd_port;
    const auto port = whole_number(value->text, 65535);
    if (!port || *port == 0)
        from_.fail(*value, "expected a port, got " + quoted(value->text));
    return static_cast<std::uint16_t>(port.value_or(etcd_port));
}

void etcd_section::add_host(const patroni_value& value, std::string_view text)
{
    parsed_address parsed = parse_dcs_host(in_brackets(text), default_port());
    if (!parsed.value)
        return from_.fail(value, std::move(parsed.error));
    // Patroni does not mind a host that is named twice; our rule against repetition would.
    if (std::ranges::find(out_.hosts, *parsed.value) == out_.hosts.end())
        out_.hosts.push_back(*parsed.value);
}

void etcd_section::add_items(const patroni_value& value, const yaml_node& list)
{
    for (const yaml_node& item : list.children)
    {
        patroni_value at = value;
        if (value.node != nullptr)
            at.at = item.at;
        if (item.kind == yaml_kind::scalar)
            add_host(at, item.text);
        else
            from_.fail(at, "expected HOST:PORT such as 10.0.0.1:2379");
    }
    if (list.children.empty())
        from_.fail(value, "at least one host is needed");
}

// A list, or text such as "a:2379,b:2379". In the environment, where there are no lists, Patroni
// also takes the text of one: "['a:2379', 'b:2379']", with or without the brackets.
void etcd_section::add_hosts(const patroni_value& value)
{
    if (value.node != nullptr && value.node->kind == yaml_kind::sequence)
        return add_items(value, *value.node);
    if (value.node != nullptr && value.node->kind != yaml_kind::scalar)
        return from_.fail(value, "expected a list such as [10.0.0.1:2379]");
    if (value.node == nullptr)
    {
        const bool is_list = value.text.starts_with('-') || value.text.find('[') != value.text.npos;
        const yaml_document parsed = parse_yaml(is_list ? value.text : "[" + value.text + "]");
        const auto is_scalar = [](const yaml_node& item) { return item.kind == yaml_kind::scalar; };
        if (parsed.root && parsed.root->kind == yaml_kind::sequence &&
            std::ranges::all_of(parsed.root->children, is_scalar))
            return add_items(value, *parsed.root);
    }
    for (const std::string& host : split_list(value.text))
        add_host(value, host);
}

void etcd_section::read_url(const patroni_value& value)
{
    parsed_dcs_url parsed = parse_dcs_url(value.text, etcd_port);
    if (!parsed.value)
        return from_.fail(value, std::move(parsed.error));
    out_.hosts.push_back(parsed.value->address);
    out_.username = std::move(parsed.value->username);
    out_.password = std::move(parsed.value->password);
    https_ = parsed.value->https;
}

void etcd_section::read_address(const patroni_value& at)
{
    const auto protocol = text("protocol");
    https_ = protocol && protocol->text == "https";
    if (protocol && !https_ && protocol->text != "http")
        from_.fail(*protocol, "expected one of http, https, got " + quoted(protocol->text));

    // Patroni's own order of preference.
    const std::size_t before = from_.failures();
    if (refuse("proxy"))
        return;
    if (const auto url = text("url"))
        return read_url(*url);
    if (const auto hosts = from_.find(name_, "hosts"))
        return add_hosts(*hosts);
    if (const auto host = text("host"))
        return add_host(*host, host->text);
    if (refuse("srv") || refuse("discovery_srv") || refuse("srv_domain"))
        return;
    if (from_.failures() == before)
        from_.fail(at, "missing key 'hosts' in " + quoted(name_));
}

void etcd_section::read_credentials()
{
    // A user in the URL is the one, see read_url().
    if (out_.username.empty())
    {
        out_.username = from_.text_or_empty(name_, "username");
        out_.password = from_.text_or_empty(name_, "password");
    }
    // With one alone Patroni does not log in.
    if (out_.username.empty() || out_.password.empty())
    {
        out_.username.clear();
        out_.password.clear();
    }
}

void etcd_section::read_tls()
{
    // In clear text Patroni does not look at certificates.
    if (!https_)
        return;
    client_tls& tls = out_.tls.emplace();
    tls.ca = from_.text_or_empty(name_, "cacert");
    tls.cert = from_.text_or_empty(name_, "cert");
    if (!tls.cert.empty())
        tls.key = from_.text_or_empty(name_, "key");
    if (tls.key.empty())
        tls.key = tls.cert; // a PEM file may hold both
}

} // namespace

void read_patroni_etcd(
    patroni_values& from, std::string_view section, const patroni_value& at, dcs_settings& out
)
{
    etcd_section in(from, section, out);
    in.read_address(at);
    in.read_credentials();
    in.read_tls();
}

std::string in_brackets(std::string_view address)
{
    const std::size_t colon = address.rfind(':');
    if (address.starts_with('[') || colon == address.find(':'))
        return std::string(address);
    return "[" + std::string(address.substr(0, colon)) + "]" + std::string(address.substr(colon));
}

std::optional<int> whole_number(std::string_view text, int max)
{
    int out = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, ec] = std::from_chars(text.data(), end, out);
    if (ec != std::errc() || rest != end || out < 0 || out > max)
        return std::nullopt;
    return out;
}

} // namespace rolegate::config
