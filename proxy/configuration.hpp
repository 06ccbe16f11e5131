// SPDX-License-Identifier: PostgreSQL
//
// What holds, where it comes from, and how the last attempt to change it went. Control thread only.
#pragma once

#include "config/load.hpp"
#include "config/settings.hpp"
#include "proxy/reload_report.hpp"

#include <functional>
#include <string>
#include <vector>

namespace rolegate::proxy
{

class configuration
{
public:
    // Reads it again.
    using source = std::function<config::load_result()>;

    // Brings it about, all or nothing; returns what was wrong.
    using applier = std::function<std::vector<std::string>(const config::settings&)>;

    configuration(config::settings first, source again);

    [[nodiscard]] const config::settings& settings() const noexcept { return settings_; }
    [[nodiscard]] const config_state& state() const noexcept { return state_; }

    // The whole of a reload, from reading the file to the last line of the log.
    reload_report reload(const applier& apply);

private:
    [[nodiscard]] reload_report attempt(const applier& apply);

    config::settings settings_;
    source again_;
    config_state state_;
};

} // namespace rolegate::proxy
