// SPDX-License-Identifier: PostgreSQL
//
// What the TLS connections of a listener have in common: certificates, keys, whom they trust. Made
// once from the operator's files, then only read; shared by all workers.
#pragma once

#include "config/listener_settings.hpp"

#include <memory>
#include <string>
#include <utility>

struct ssl_ctx_st; // OpenSSL's SSL_CTX

namespace rolegate::proxy
{

class tls_context
{
public:
    struct deleter
    {
        void operator()(ssl_ctx_st* ctx) const noexcept;
    };
    using handle = std::unique_ptr<ssl_ctx_st, deleter>;

    explicit tls_context(handle ctx) noexcept : ctx_(std::move(ctx)) {}

    // OpenSSL counts the references that connections hold; making one changes nothing else.
    [[nodiscard]] ssl_ctx_st* native() const noexcept { return ctx_.get(); }

private:
    handle ctx_;
};

using tls_context_ptr = std::shared_ptr<const tls_context>;

// Our side towards clients, as PostgreSQL's server does it: no compression, no renegotiation, no
// session that could be resumed. Throws std::runtime_error, which names the file and the reason.
[[nodiscard]] tls_context_ptr make_client_facing(const config::listener_tls& settings);

// Our side towards servers, with libpq's meaning of sslmode once TLS is agreed on:
//
//   disable               nullptr: there is no TLS
//   allow prefer require  with a `ca` as verify-ca, without one any certificate will do
//   verify-ca             a chain up to `ca`, which must be given: the system's store trusts so
//   many
//                         that without the name it says nothing (libpq: "weak sslmode")
//   verify-full           a chain up to `ca` or the system's store, and the member's name or
//   address
//
// Whether TLS is tried at all, and what follows a refusal, is the caller's part of the modes.
// Throws like make_client_facing().
[[nodiscard]] tls_context_ptr make_server_facing(const config::server_tls_settings& settings);

// PostgreSQL's name in ALPN.
inline constexpr const char* alpn_name = "postgresql";

// "10.0.3.141" or "fd00::1", not a name.
[[nodiscard]] bool is_address(const std::string& host) noexcept;

// An entry of OpenSSL's error queue in words: printable, and nothing but OpenSSL's own text.
[[nodiscard]] std::string openssl_reason(unsigned long code);

} // namespace rolegate::proxy
