// SPDX-License-Identifier: PostgreSQL
//
// One listener as a person would write it: what is as it is by default is left out. Pure.
#pragma once

#include "config/listener_settings.hpp"
#include "config/yaml_writer.hpp"

namespace rolegate::config::haproxy
{

void print_listener(yaml_writer& to, const listener_settings& l);

} // namespace rolegate::config::haproxy
