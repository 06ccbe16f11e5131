// SPDX-License-Identifier: PostgreSQL
//
// Contract: more bytes never take back an answer, the proxy never waits for more than
// max_first_error_size, and what it sends itself it can read.
#include "proxy/pgwire/error_response.hpp"
#include "proxy/pgwire/frame_tracker.hpp"

#include "tests/fuzz/require.hpp"

using namespace rolegate::pgwire;
using rolegate::fuzz::require;

namespace
{

void check_prefixes(bytes in)
{
    first_answer before;
    // Every cut of the first bytes and of the last, where the decisions are made.
    for (std::size_t cut = 0; cut <= in.size(); ++cut)
    {
        if (cut > 128 && cut + 128 < in.size())
            continue;
        const auto now = parse_first_answer(in.first(cut));
        require(now.status != parse_status::malformed);
        require(now.sqlstate.empty() || now.sqlstate.size() == 5);
        if (before.status == parse_status::complete)
            require(now.status == parse_status::complete && now.sqlstate == before.sqlstate);
        if (now.status == parse_status::need_more)
            require(cut < max_first_answer_size + max_first_error_size && now.sqlstate.empty());
        before = now;
    }
}

void check_own_error(std::string_view text)
{
    const auto error = fatal_error("57P03", text);
    const auto in = std::as_bytes(std::span(error));

    frame_tracker tracker;
    tracker.feed(in);
    require(tracker.at_boundary());

    const auto found = parse_first_answer(in);
    require(found.status == parse_status::complete);
    require(found.sqlstate == (error.size() <= max_first_error_size ? "57P03" : ""));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    check_prefixes(std::as_bytes(std::span(data, size)));
    check_own_error({reinterpret_cast<const char*>(data), size});
    return 0;
}
