// SPDX-License-Identifier: PostgreSQL
#include "health/dcs/protocol.hpp"

#include "health/dcs/etcd2.hpp"
#include "health/dcs/etcd3.hpp"

namespace rolegate::health::dcs
{

std::unique_ptr<protocol> make_protocol(const config::dcs_settings& settings)
{
    if (settings.kind == config::dcs_kind::etcd)
        return std::make_unique<etcd2_protocol>(settings);
    return std::make_unique<etcd3_protocol>(settings);
}

} // namespace rolegate::health::dcs
