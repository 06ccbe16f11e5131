// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/doorway.hpp"

#include "proxy/inherited_sockets.hpp"
#include "proxy/listening_socket.hpp"
#include "proxy/peer.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <sstream>
#include <stdexcept>
#include <utility>

#include <openssl/ssl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rolegate::proxy::admin
{

namespace
{

namespace asio = boost::asio;
using asio::ip::tcp;
using local = asio::local::stream_protocol;
using boost::system::error_code;

tcp::endpoint endpoint_of(asio::io_context& control, const config::host_port& bind)
{
    if (bind.host == "*")
        return {tcp::v4(), bind.port};
    error_code ec;
    const auto address = asio::ip::make_address(bind.host, ec);
    if (!ec)
        return {address, bind.port};
    // A name such as "localhost", at start-up: it may block.
    tcp::resolver resolver(control);
    return resolver.resolve(bind.host, std::to_string(bind.port), tcp::resolver::passive)
        .begin()
        ->endpoint();
}

std::string text_of(const tcp::endpoint& at)
{
    std::ostringstream out;
    out << at;
    return out.str();
}

template <class Use> void use_file(const char* key, const std::string& path, Use use)
{
    error_code ec;
    use(ec);
    if (ec)
        throw std::runtime_error(
            std::string("admin.tls.") + key + ": cannot use '" + path + "': " + ec.message()
        );
}

} // namespace

doorway::doorway(asio::io_context& control, const config::admin_settings& settings)
    : acceptor_(open(control, settings))
{
}

doorway::~doorway()
{
    close();
}

any_acceptor doorway::open(asio::io_context& control, const config::admin_settings& settings)
{
    if (settings.bind.is_unix())
        return open_unix(control, settings);
    const auto at = endpoint_of(control, settings.bind);
    tcp::acceptor acceptor(control);
    if (auto before = inherited().take(text_of(at)); before.is_open())
    {
        inherited_ = true;
        acceptor.assign(at.protocol(), before.get());
        before.release();
    }
    else
    {
        acceptor.open(at.protocol());
        acceptor.set_option(tcp::acceptor::reuse_address(true));
        acceptor.bind(at);
        acceptor.listen();
    }
    bound_ = text_of(acceptor.local_endpoint());
    return any_acceptor(std::move(acceptor));
}

any_acceptor doorway::open_unix(asio::io_context& control, const config::admin_settings& settings)
{
    const auto& path = settings.bind.host;
    bound_ = "unix:" + path;
    local::acceptor acceptor(control);
    if (auto before = inherited().take(bound_); before.is_open())
    {
        inherited_ = true;
        if (inherited().is_ours(path))
            path_ = path;
        acceptor.assign(local(), before.get());
        before.release();
        return any_acceptor(std::move(acceptor));
    }
    remove_dead_socket(path);
    acceptor.open();
    // Nobody may connect before the permissions are what they shall be.
    const auto mask = ::umask(0777);
    error_code ec;
    acceptor.bind(local::endpoint(path), ec);
    ::umask(mask);
    if (ec)
        throw boost::system::system_error(ec);
    path_ = path;
    removes_file_ = true;
    ::chmod(path_.c_str(), static_cast<::mode_t>(settings.mode));
    acceptor.listen();
    return any_acceptor(std::move(acceptor));
}

shared_socket doorway::shared()
{
    return {"admin", acceptor_.native_handle(), path_, inherited_};
}

void doorway::close() noexcept
{
    // First the file: afterwards one of this name may be somebody else's.
    if (std::exchange(removes_file_, false) && !path_.empty())
        ::unlink(path_.c_str());
    // Not close(): another process may have it as well, and the kernel would go on reporting it.
    error_code ignored;
    if (acceptor_.is_open())
        unique_fd(acceptor_.release(ignored)).reset();
}

std::shared_ptr<asio::ssl::context> make_tls(const std::optional<config::admin_tls>& settings)
{
    if (!settings)
        return nullptr;
    const auto& s = *settings;
    auto tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
    tls->set_options(
        asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
        asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
        asio::ssl::context::no_tlsv1_1 | asio::ssl::context::no_compression
    );
    // Every connection is a whole handshake: a session that is taken up again would have to be
    // bound to a context of ours where clients have certificates, and an admin port has few
    // clients.
    auto* native = tls->native_handle();
    ::SSL_CTX_set_options(native, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
    if (::SSL_CTX_set_num_tickets(native, 0) != 1)
        throw std::runtime_error("admin.tls: cannot do without tickets");
    use_file("cert", s.cert, [&](error_code& ec) { tls->use_certificate_chain_file(s.cert, ec); });
    use_file(
        "key",
        s.key,
        [&](error_code& ec) { tls->use_private_key_file(s.key, asio::ssl::context::pem, ec); }
    );
    if (s.ca.empty())
        return tls;
    use_file("ca", s.ca, [&](error_code& ec) { tls->load_verify_file(s.ca, ec); });
    tls->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    return tls;
}

std::string address_of(const any_socket& s)
{
    error_code ec;
    const auto from = s.remote_endpoint(ec);
    if (ec)
        return "";
    auto text = peer_from(from.data()).text(); // "10.1.2.3:5555", "[fd00::1]:5555", "unix"
    if (const auto port = text.rfind(':'); port != text.npos)
        text.erase(port);
    return text.starts_with('[') ? text.substr(1, text.size() - 2) : text;
}

} // namespace rolegate::proxy::admin
