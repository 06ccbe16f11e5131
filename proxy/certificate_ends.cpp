// SPDX-License-Identifier: PostgreSQL
#include "proxy/certificate_ends.hpp"

#include <algorithm>
#include <ctime>
#include <memory>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <optional>

namespace rolegate::proxy
{

namespace
{

using time_point = std::chrono::system_clock::time_point;

struct releaser
{
    void operator()(BIO* b) const noexcept { ::BIO_free(b); }
    void operator()(X509* x) const noexcept { ::X509_free(x); }
};

std::optional<time_point> end_of(const X509* certificate)
{
    std::tm utc{};
    if (::ASN1_TIME_to_tm(::X509_get0_notAfter(certificate), &utc) != 1)
        return std::nullopt;
    return std::chrono::system_clock::from_time_t(::timegm(&utc));
}

enum class kind
{
    chain,
    trusted,
};

std::optional<time_point> end_of(const std::string& file, kind what)
{
    std::optional<time_point> found;
    const std::unique_ptr<BIO, releaser> in(::BIO_new_file(file.c_str(), "r"));
    while (in)
    {
        const std::unique_ptr<X509, releaser> c(
            ::PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)
        );
        if (!c)
            break;
        if (const auto end = end_of(c.get()))
            found = what == kind::chain ? std::min(found.value_or(*end), *end)
                                        : std::max(found.value_or(*end), *end);
    }
    // The end of the file is an error to OpenSSL, and would be taken for that of the next call.
    ::ERR_clear_error();
    return found;
}

} // namespace

certificate_ends read_certificate_ends(const config::settings& settings)
{
    certificate_ends ends;
    const auto look = [&ends](const std::string& file, kind what)
    {
        if (file.empty() || ends.contains(file))
            return;
        if (const auto end = end_of(file, what))
            ends.emplace(file, *end);
    };
    const auto look_at_both = [&look](const std::string& cert, const std::string& ca)
    {
        look(cert, kind::chain);
        look(ca, kind::trusted);
    };
    for (const auto& l : settings.listeners)
    {
        look_at_both(l.tls.cert, l.tls.ca);
        look_at_both(l.server_tls.cert, l.server_tls.ca);
    }
    for (const auto& c : settings.clusters)
    {
        if (const auto& tls = c.patroni.tls)
            look_at_both(tls->cert, tls->ca);
        if (c.dcs && c.dcs->tls)
            look_at_both(c.dcs->tls->cert, c.dcs->tls->ca);
        const auto& sql = c.postgres ? c.postgres->sql : c.sql.value_or(config::sql_settings{});
        look_at_both(sql.sslcert, sql.sslrootcert);
    }
    return ends;
}

} // namespace rolegate::proxy
