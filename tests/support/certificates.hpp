// SPDX-License-Identifier: PostgreSQL
//
// A certificate authority, what it signs, and the folder that holds it; made by openssl(1).
#pragma once

#include "tests/support/fake_server.hpp"

#include <filesystem>
#include <string>

namespace rolegate::support
{

class certificates
{
public:
    struct pair
    {
        std::string cert;
        std::string key;
    };

    certificates();
    ~certificates();
    certificates(const certificates&) = delete;
    certificates& operator=(const certificates&) = delete;

    [[nodiscard]] std::string ca() const { return path("ca.crt"); }
    [[nodiscard]] std::string other_ca() const { return path("other.crt"); }
    [[nodiscard]] std::string client_cert() const { return path("client.crt"); }
    [[nodiscard]] std::string client_key() const { return path("client.key"); }

    // For 127.0.0.1, and for no other name or address.
    [[nodiscard]] server_tls for_server(bool ask_clients = false) const;

    // A file in the folder, as it is wanted. The folder is removed with all that is in it.
    [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }

    // openssl(1) with these arguments; throws when it fails.
    static void openssl(const std::string& arguments);

    // One more, signed by our CA ("ca") or the one nobody trusts ("other"); `alt_names` as
    // openssl(1) spells them ("DNS:a.example.org,IP:10.0.0.1"), "" = none.
    pair
    issue(const std::string& cn, const std::string& alt_names, const std::string& by = "ca") const;

private:
    void make_ca(const std::string& name) const;
    void make_signed(
        const std::string& name,
        const std::string& cn,
        const std::string& alt_names,
        const std::string& by
    ) const;

    std::filesystem::path folder_;
    mutable int issued_ = 0;
};

} // namespace rolegate::support
