# Joins the parts of the status page into one document and writes it as C++, with the policy that
# lets a browser run exactly this style and this script:
#   cmake -D FROM=DIRECTORY -D TO=FILE.cpp [-D HTML=FILE.html] -P join.cmake
cmake_minimum_required(VERSION 3.25)

set(SCRIPTS dom words net model trend tables operator clusters haproxy listeners sessions events voice main)

file(READ ${FROM}/page.html PAGE)
file(READ ${FROM}/page.css STYLE)
set(STYLE "\n${STYLE}")
set(SCRIPT "\n\"use strict\";\n")
foreach(NAME ${SCRIPTS})
    file(READ ${FROM}/${NAME}.js PART)
    string(APPEND SCRIPT "${PART}")
endforeach()
# What would end the element, not arrive byte for byte, or end the literal.
foreach(WORD "</" "<!--" "\r" "@STYLE@" "@SCRIPT@" ")page\"")
    string(FIND "${STYLE}${SCRIPT}" "${WORD}" FOUND)
    if(NOT FOUND EQUAL -1)
        message(FATAL_ERROR "the page's style and script must not contain '${WORD}'")
    endif()
endforeach()

# Base64 of the SHA-256, as the policy wants it: three hexadecimal digits are two of base64.
set(DIGITS ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
function(hash_source TEXT OUT)
    string(SHA256 HEX "${TEXT}")
    string(APPEND HEX "00") # for the last digit, of which four bits are left
    set(BASE64 "")
    foreach(AT RANGE 0 63 3)
        string(SUBSTRING ${HEX} ${AT} 3 THREE)
        math(EXPR HIGH "0x${THREE} >> 6")
        math(EXPR LOW "0x${THREE} & 63")
        string(SUBSTRING ${DIGITS} ${HIGH} 1 FIRST)
        string(SUBSTRING ${DIGITS} ${LOW} 1 SECOND)
        string(APPEND BASE64 ${FIRST}${SECOND})
    endforeach()
    string(SUBSTRING ${BASE64} 0 43 BASE64)
    set(${OUT} "'sha256-${BASE64}='" PARENT_SCOPE)
endfunction()
hash_source("${STYLE}" STYLE_HASH)
hash_source("${SCRIPT}" SCRIPT_HASH)

string(REPLACE "@STYLE@" "${STYLE}" PAGE "${PAGE}")
string(REPLACE "@SCRIPT@" "${SCRIPT}" PAGE "${PAGE}")
string(CONCAT POLICY "default-src 'none'; script-src ${SCRIPT_HASH}; style-src ${STYLE_HASH}; "
    "connect-src 'self'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'")

file(WRITE ${TO} "// Made by proxy/admin/page/join.cmake.
#include \"proxy/admin/page.hpp\"

namespace rolegate::proxy::admin
{

std::string_view page_text() noexcept
{
    return R\"page(${PAGE})page\";
}

std::string_view page_policy() noexcept
{
    return R\"page(${POLICY})page\";
}

} // namespace rolegate::proxy::admin
")
if(HTML)
    file(WRITE ${HTML} "${PAGE}")
    file(WRITE ${HTML}.policy "${POLICY}")
endif()
