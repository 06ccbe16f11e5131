// SPDX-License-Identifier: PostgreSQL
//
// The hashes in the status page's policy are made by a CMake script; here OpenSSL says what they
// must be. Needs no socket, but OpenSSL, which unit tests do without.
#include "proxy/admin/page.hpp"

#include <array>
#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <string>

using rolegate::proxy::admin::page_policy;
using rolegate::proxy::admin::page_text;

namespace
{

// Between <tag> and </tag>.
std::string content_of(const std::string& tag)
{
    const std::string page(page_text());
    const auto open = "<" + tag + ">";
    const auto from = page.find(open);
    REQUIRE(from != page.npos);
    const auto begin = from + open.size();
    REQUIRE(page.find(open, begin) == page.npos);
    return page.substr(begin, page.find("</" + tag + ">", begin) - begin);
}

std::string hash_source(const std::string& text)
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    REQUIRE(EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
    std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> base64{};
    const auto n = EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(size));
    return "'sha256-" + std::string(base64.begin(), base64.begin() + n) + "'";
}

} // namespace

TEST_CASE("admin/page: the policy lets exactly the page's style and script run")
{
    const std::string policy(page_policy());

    CHECK(policy.find("script-src " + hash_source(content_of("script")) + ";") != policy.npos);
    CHECK(policy.find("style-src " + hash_source(content_of("style")) + ";") != policy.npos);
}
