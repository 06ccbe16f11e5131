// SPDX-License-Identifier: PostgreSQL
//
// Whether an answer may come from the DCS that was believed so far: the same cluster, and no
// server that lives in the past. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace rolegate::health::dcs
{

class guard
{
public:
    // "" = accepted, and remembered; else what is wrong with it.
    [[nodiscard]] std::string admit(const std::string& cluster_id, std::uint64_t term);

    // More endpoints than not say the same strange thing: the DCS was built anew.
    void forget() { *this = {}; }

private:
    std::string cluster_id_;
    std::uint64_t term_ = 0;
};

inline std::string guard::admit(const std::string& cluster_id, std::uint64_t term)
{
    if (!cluster_id.empty() && !cluster_id_.empty() && cluster_id != cluster_id_)
        return "answers as DCS cluster " + cluster_id + ", so far it was " + cluster_id_;
    if (term != 0 && term < term_)
        return "lives in the past: raft term " + std::to_string(term) + ", so far " +
               std::to_string(term_);
    if (!cluster_id.empty())
        cluster_id_ = cluster_id;
    if (term != 0)
        term_ = term;
    return "";
}

} // namespace rolegate::health::dcs
