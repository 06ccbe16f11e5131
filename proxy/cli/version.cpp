// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/version.hpp"

#include "rolegate_version.hpp"

#include <CLI/Version.hpp>
#include <boost/version.hpp>
#include <libpq-fe.h>
#include <openssl/crypto.h>

namespace rolegate::proxy::cli
{

namespace
{

std::string dotted(int major, int minor, int patch)
{
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

const char* compiler()
{
#if defined(__clang__)
    return "Clang " __VERSION__;
#else
    return "GCC " __VERSION__;
#endif
}

// 150006 is 15.6; before 10 it was 90624 for 9.6.24, which is too old to be met.
std::string libpq_version()
{
    const int v = PQlibVersion();
    return std::to_string(v / 10000) + "." + std::to_string(v % 10000);
}

} // namespace

// yaml-cpp and prometheus-cpp do not tell theirs.
std::string version_text()
{
    const std::string build = *build_type == '\0' ? "unknown" : build_type;
    return std::string("rolegate ") + version + "\n" + "build     " + build + ", " + compiler() +
           "\n" + "Boost     " +
           dotted(BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100) + "\n" +
           "OpenSSL   " + OpenSSL_version(OPENSSL_VERSION_STRING) + "\n" +
           "CLI11     " CLI11_VERSION "\n" + "libpq     " + libpq_version() + "\n";
}

} // namespace rolegate::proxy::cli
