// SPDX-License-Identifier: PostgreSQL
#include "tests/support/certificates.hpp"

#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

namespace rolegate::support
{

namespace
{

std::string new_certificate(const std::string& cn)
{
    return "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
           "-subj '/CN=" +
           cn + "'";
}

std::string into(const std::string& base)
{
    return " -keyout " + base + ".key -out " + base + ".crt";
}

} // namespace

certificates::certificates()
{
    std::string name = (std::filesystem::temp_directory_path() / "rolegate-tls-XXXXXX").string();
    if (!::mkdtemp(name.data()))
        throw std::system_error(errno, std::generic_category(), "mkdtemp");
    folder_ = name;
    make_ca("ca");
    make_ca("other");
    make_signed("server", "server", "IP:127.0.0.1", "ca");
    make_signed("client", "client", "DNS:rolegate", "ca");
}

certificates::~certificates()
{
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void certificates::openssl(const std::string& arguments)
{
    if (std::system(("openssl " + arguments + " >/dev/null 2>&1").c_str()) != 0)
        throw std::runtime_error("failed: openssl " + arguments);
}

void certificates::make_ca(const std::string& name) const
{
    openssl(new_certificate(name) + into(path(name)));
}

void certificates::make_signed(
    const std::string& name,
    const std::string& cn,
    const std::string& alt_names,
    const std::string& by
) const
{
    const auto extension = alt_names.empty() ? "" : " -addext subjectAltName=" + alt_names;
    openssl(
        new_certificate(cn) + extension + " -addext basicConstraints=critical,CA:FALSE -CA " +
        path(by + ".crt") + " -CAkey " + path(by + ".key") + into(path(name))
    );
}

certificates::pair certificates::issue(
    const std::string& cn, const std::string& alt_names, const std::string& by
) const
{
    const auto name = "issued" + std::to_string(issued_++);
    make_signed(name, cn, alt_names, by);
    return {path(name + ".crt"), path(name + ".key")};
}

server_tls certificates::for_server(bool ask_clients) const
{
    return {path("server.crt"), path("server.key"), ask_clients ? ca() : std::string()};
}

} // namespace rolegate::support
