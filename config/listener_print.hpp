// SPDX-License-Identifier: PostgreSQL
//
// The part of the effective configuration that is about one listener. Pure.
#pragma once

#include "config/listener_settings.hpp"
#include "config/yaml_writer.hpp"

namespace rolegate::config
{

void print_listener(yaml_writer& to, const listener_settings& listener);

} // namespace rolegate::config
