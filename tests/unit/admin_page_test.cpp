// SPDX-License-Identifier: PostgreSQL
#include "proxy/admin/page.hpp"

#include "proxy/admin/routes.hpp"
#include "tests/support/sample_view.hpp"

#include <doctest/doctest.h>

using namespace rolegate;
using proxy::admin::answer;
using proxy::admin::page_policy;
using proxy::admin::page_text;

TEST_SUITE_BEGIN("admin/page");

TEST_CASE("the page is one small document that needs nothing from elsewhere")
{
    const auto page = page_text();

    CHECK(page.starts_with("<!DOCTYPE html>"));
    CHECK(page.ends_with("</html>\n"));
    CHECK(page.size() < 150'000);
    for (const char* foreign : {"http://", "https://", "//cdn", "@import", "url(", "src="})
    {
        CAPTURE(foreign);
        CHECK(page.find(foreign) == page.npos);
    }
}

TEST_CASE("all its parts are joined")
{
    const auto page = page_text();

    // The first and the last line of what is joined, and no place that was left open.
    for (const char* part : {":root {", "\"use strict\";", "function h(tag", "begin();\n</script>"})
    {
        CAPTURE(part);
        CHECK(page.find(part) != page.npos);
    }
    CHECK(page.find("@STYLE@") == page.npos);
    CHECK(page.find("@SCRIPT@") == page.npos);
}

TEST_CASE("texts become text: nothing in the page can make HTML of them")
{
    for (const char* door :
         {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("})
    {
        CAPTURE(door);
        CHECK(page_text().find(door) == page_text().npos);
    }
}

TEST_CASE("a handler or a style in an attribute would be stopped by the policy")
{
    for (const char* attribute : {" style=\"", " onclick=\"", " onload=\"", " onerror=\""})
    {
        CAPTURE(attribute);
        CHECK(page_text().find(attribute) == page_text().npos);
    }
}

TEST_CASE("a browser gets the page with its policy, and without scripts a way on")
{
    const auto r = answer("GET", "/", support::sample_view());

    CHECK(r.status == 200);
    CHECK(r.content_type == "text/html; charset=utf-8");
    CHECK(r.body == page_text());
    CHECK(r.policy == page_policy());
    CHECK(r.policy.starts_with("default-src 'none'; script-src 'sha256-"));
    CHECK(r.policy.find("unsafe") == r.policy.npos);
    CHECK(r.policy.find("frame-ancestors 'none'") != r.policy.npos);
    CHECK(r.policy.find("connect-src 'self'") != r.policy.npos);
    CHECK(r.body.find("<noscript>") != r.body.npos);
    CHECK(answer("GET", "/api/v1/status", support::sample_view()).policy.empty());
}

TEST_SUITE_END();
