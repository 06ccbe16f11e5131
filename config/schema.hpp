// SPDX-License-Identifier: PostgreSQL
//
// The keys of the configuration file, section by section: which exist, which this version does
// not support yet, and within which bounds their values make sense.
//
// Problems go to `in`. What could not be read keeps its default; an unreadable address stays as
// an empty one, so that positions in a list are those of the file.
#pragma once

#include "config/settings.hpp"
#include "config/yaml_reader.hpp"

namespace rolegate::config
{

[[nodiscard]] settings read_settings(yaml_reader& in, const yaml_node& root);

[[nodiscard]] cluster_settings read_cluster(yaml_reader& in, const yaml_node& node);

[[nodiscard]] dcs_settings read_dcs(yaml_reader& in, const yaml_node& node);

[[nodiscard]] sql_settings read_sql(yaml_reader& in, const yaml_node& node);

[[nodiscard]] listener_settings read_listener(yaml_reader& in, const yaml_node& node);

[[nodiscard]] host_port read_bind(yaml_reader& in, const yaml_node& node);

[[nodiscard]] host_port read_member(yaml_reader& in, const yaml_node& node);

} // namespace rolegate::config
