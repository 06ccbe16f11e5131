// SPDX-License-Identifier: PostgreSQL
//
// What becomes of each line of a haproxy.cfg: it is used, ignored because nothing depends on it, or
// refused because without it Rolegate would do something else. Pure.
#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rolegate::config::haproxy
{

// From the weakest to the strongest: of the words of one line the strongest decides.
enum class verdict
{
    ignored,
    used,
    refused,
};

enum class remark_kind
{
    note, // of a line that is used: what is worth knowing
    ignored,
    refused,
};

// `what` are words of the line in quotes; "" = the line as a whole.
struct remark
{
    int line = 0; // from 1
    remark_kind kind = remark_kind::note;
    std::string what;
    std::string why;

    friend auto operator<=>(const remark&, const remark&) = default;
};

// "FILE:LINE: refused: 'what': why"
[[nodiscard]] std::string to_string(const remark& r, std::string_view file);

class ledger
{
public:
    void use(int line) { settle(line, verdict::used); }
    void ignore(int line, std::string_view what, std::string_view why);
    void refuse(int line, std::string_view what, std::string_view why);
    void note(int line, std::string_view what, std::string_view why);

    // Without a remark: another line's tells why.
    void settle(int line, verdict v);

    [[nodiscard]] std::optional<verdict> of(int line) const;
    // Lines that ended so.
    [[nodiscard]] std::size_t count(verdict v) const;
    [[nodiscard]] bool has_refused() const { return count(verdict::refused) > 0; }
    // By line; the same is said once, however many sections inherit the line.
    [[nodiscard]] const std::set<remark>& remarks() const noexcept { return remarks_; }

private:
    std::map<int, verdict> lines_;
    std::set<remark> remarks_;
};

} // namespace rolegate::config::haproxy
