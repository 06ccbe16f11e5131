// SPDX-License-Identifier: PostgreSQL
#include "proxy/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <array>
#include <stdexcept>
#include <system_error>

namespace rolegate::proxy
{

namespace
{

using config::sslmode;

// As ALPN has it on the wire: every name behind its length.
constexpr std::array<unsigned char, 11> alpn_list{
    10, 'p', 'o', 's', 't', 'g', 'r', 'e', 's', 'q', 'l'};

// The first entry is where it began to go wrong; what follows is who passed it on.
[[noreturn]] void fail(const std::string& what)
{
    const auto code = ERR_get_error();
    ERR_clear_error();
    throw std::runtime_error(what + ": " + openssl_reason(code));
}

[[noreturn]] void fail_file(const std::string& key, const std::string& path)
{
    fail(key + ": cannot use '" + path + "'");
}

// OpenSSL would ask for the passphrase on the terminal.
int no_passphrase(char*, int, int, void* asked)
{
    *static_cast<bool*>(asked) = true;
    return -1;
}

tls_context::handle make_context(const SSL_METHOD* method)
{
    ERR_clear_error();
    tls_context::handle ctx(::SSL_CTX_new(method));
    if (!ctx)
        fail("TLS");
    // Idle sessions are many: their 34 KiB of record buffers go back. What the kernel has not taken
    // of a write is offered again from wherever it lies then.
    SSL_CTX_set_mode(
        ctx.get(),
        SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
    );
    // A record in one recv: without, its head of five bytes costs one of its own.
    SSL_CTX_set_read_ahead(ctx.get(), 1);
    // A FIN without close_notify is an end like another: many drivers close so, the messages of
    // PostgreSQL have lengths of their own, and the other direction may still have bytes to carry.
    SSL_CTX_set_options(
        ctx.get(),
        SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
            SSL_OP_IGNORE_UNEXPECTED_EOF
    );
    SSL_CTX_set_session_cache_mode(ctx.get(), SSL_SESS_CACHE_OFF);
    return ctx;
}

void set_min_version(SSL_CTX* ctx, config::tls_version version)
{
    const int number = version == config::tls_version::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    if (SSL_CTX_set_min_proto_version(ctx, number) != 1)
        fail("TLS: min_version");
}

void use_identity(
    SSL_CTX* ctx, const std::string& where, const std::string& cert, const std::string& key
)
{
    bool asked = false;
    ::SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    ::SSL_CTX_set_default_passwd_cb_userdata(ctx, &asked);
    if (::SSL_CTX_use_certificate_chain_file(ctx, cert.c_str()) != 1)
        fail_file(where + ".cert", cert);
    // A key of another kind than the certificate's would be kept beside it without an error.
    const bool good = ::SSL_CTX_use_PrivateKey_file(ctx, key.c_str(), SSL_FILETYPE_PEM) == 1 &&
                      ::SSL_CTX_check_private_key(ctx) == 1;
    ::SSL_CTX_set_default_passwd_cb_userdata(ctx, nullptr);
    if (asked)
        throw std::runtime_error(where + ".key: cannot use '" + key + "': it has a passphrase");
    if (!good)
        fail_file(where + ".key", key);
}

void trust(SSL_CTX* ctx, const std::string& where, const std::string& ca)
{
    if (::SSL_CTX_load_verify_file(ctx, ca.c_str()) != 1)
        fail_file(where + ".ca", ca);
}

// A client that offers only other protocols takes us for something else: PostgreSQL ends the
// handshake, too. One that offers none is not asked about it here.
int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered, unsigned int offered_size, void*)
{
    unsigned char* selected = nullptr;
    const int r = ::SSL_select_next_proto(
        &selected, out_size, alpn_list.data(), alpn_list.size(), offered, offered_size
    );
    *out = selected;
    return r == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool names_addresses(X509* cert)
{
    auto* names =
        static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr)
        );
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i)
        found = found || sk_GENERAL_NAME_value(names, i)->type == GEN_IPADD;
    ::GENERAL_NAMES_free(names);
    return found;
}

// The rules of libpq (fe-secure-openssl.c). Names: a dNSName, and the CN only where there is no
// dNSName. Addresses: an iPAddress; else, because libpq knew no iPAddress before version 15, the
// address as the text of a dNSName, or of the CN where there is no iPAddress. "*" stands for one
// whole label, the leftmost. Stricter than libpq is OpenSSL in one point: "*.lan" matches nothing.
bool is_for(X509* cert, const std::string& host)
{
    constexpr unsigned whole_labels =
        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_SINGLE_LABEL_SUBDOMAINS;
    // To OpenSSL ".example.org" means every name below.
    if (host.empty() || host.starts_with('.'))
        return false;
    if (!is_address(host))
        return ::X509_check_host(cert, host.data(), host.size(), whole_labels, nullptr) == 1;
    if (::X509_check_ip_asc(cert, host.c_str(), 0) == 1)
        return true;
    const unsigned subject = names_addresses(cert) ? X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
                                                   : X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT;
    const unsigned flags = X509_CHECK_FLAG_NO_WILDCARDS | subject;
    return ::X509_check_host(cert, host.data(), host.size(), flags, nullptr) == 1;
}

// The whole verification of a member's certificate in verify-full. tls_stream has left the host
// with the connection.
int verify_with_host(X509_STORE_CTX* store, void*)
{
    const int good = ::X509_verify_cert(store);
    if (good != 1)
        return good;
    const auto* ssl = static_cast<SSL*>(
        ::X509_STORE_CTX_get_ex_data(store, ::SSL_get_ex_data_X509_STORE_CTX_idx())
    );
    const auto* host = static_cast<const std::string*>(::SSL_get_ex_data(ssl, 0));
    if (host && is_for(::X509_STORE_CTX_get0_cert(store), *host))
        return 1;
    const bool address = host && is_address(*host);
    ::X509_STORE_CTX_set_error(
        store, address ? X509_V_ERR_IP_ADDRESS_MISMATCH : X509_V_ERR_HOSTNAME_MISMATCH
    );
    return 0;
}

} // namespace

void tls_context::deleter::operator()(ssl_ctx_st* ctx) const noexcept
{
    ::SSL_CTX_free(ctx);
}

tls_context_ptr make_client_facing(const config::listener_tls& settings)
{
    auto ctx = make_context(::TLS_server_method());
    set_min_version(ctx.get(), settings.min_version);
    // Without this TLS 1.3 would issue tickets that stand for an entry of the cache.
    if (::SSL_CTX_set_num_tickets(ctx.get(), 0) != 1)
        fail("TLS: tickets");
    ::SSL_CTX_set_options(ctx.get(), SSL_OP_CIPHER_SERVER_PREFERENCE);
    ::SSL_CTX_set_alpn_select_cb(ctx.get(), select_alpn, nullptr);
    use_identity(ctx.get(), "tls", settings.cert, settings.key);
    if (!settings.ca.empty())
    {
        trust(ctx.get(), "tls", settings.ca);
        // A client with many certificates chooses by these names.
        auto* names = ::SSL_load_client_CA_file(settings.ca.c_str());
        if (!names)
            fail_file("tls.ca", settings.ca);
        ::SSL_CTX_set_client_CA_list(ctx.get(), names);
        ::SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    return std::make_shared<tls_context>(std::move(ctx));
}

tls_context_ptr make_server_facing(const config::server_tls_settings& settings)
{
    if (settings.sslmode == sslmode::disable)
        return nullptr;
    if (settings.sslmode == sslmode::verify_ca && settings.ca.empty())
        throw std::runtime_error("server_tls: verify-ca needs a ca; the system's store is for "
                                 "verify-full only");
    auto ctx = make_context(::TLS_client_method());
    set_min_version(ctx.get(), config::tls_version::tls_1_2);
    // libpq offers it since 17; servers before 17 take no notice. 0 is success here.
    if (::SSL_CTX_set_alpn_protos(ctx.get(), alpn_list.data(), alpn_list.size()) != 0)
        fail("TLS: ALPN");
    if (!settings.cert.empty())
        use_identity(ctx.get(), "server_tls", settings.cert, settings.key);

    const bool full = settings.sslmode == sslmode::verify_full;
    if (!settings.ca.empty())
        trust(ctx.get(), "server_tls", settings.ca);
    else if (full && ::SSL_CTX_set_default_verify_paths(ctx.get()) != 1)
        fail("server_tls: cannot use the system's certificates");
    if (full || !settings.ca.empty())
        ::SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER, nullptr);
    if (full)
        ::SSL_CTX_set_cert_verify_callback(ctx.get(), verify_with_host, nullptr);
    return std::make_shared<tls_context>(std::move(ctx));
}

bool is_address(const std::string& host) noexcept
{
    std::array<unsigned char, sizeof(::in6_addr)> ignored{};
    return ::inet_pton(AF_INET, host.c_str(), ignored.data()) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

std::string openssl_reason(unsigned long code)
{
    if (code == 0)
        return "no reason given";
    // OpenSSL 3 has no words for the system's errors.
    if (ERR_SYSTEM_ERROR(code))
        return std::generic_category().message(ERR_GET_REASON(code));
    if (const char* text = ::ERR_reason_error_string(code))
        return text;
    return "OpenSSL error " + std::to_string(code);
}

} // namespace rolegate::proxy
