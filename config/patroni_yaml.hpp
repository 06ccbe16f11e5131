// SPDX-License-Identifier: PostgreSQL
//
// Settings from Patroni's own configuration: `rolegate run --patroni-config FILE`. As with
// --patroni there is one cluster "main" with a listener "write" and "read".
#pragma once

#include "config/load.hpp"
#include "config/seeds.hpp"

#include <string>

namespace rolegate::config
{

// `path` is a file or a folder, as Patroni takes it; PATRONI_... of `env` wins over it. Read are
// scope, namespace, citus.group, etcd3 or etcd, and of restapi and ctl what it takes to ask this
// node's REST API. Everything else is Patroni's business and never an error.
[[nodiscard]] load_result
load_patroni_config(const std::string& path, const bind_options& binds, const environment& env);

} // namespace rolegate::config
