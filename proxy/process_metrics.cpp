// SPDX-License-Identifier: PostgreSQL
#include "proxy/process_metrics.hpp"

#include <chrono>
#include <optional>

namespace rolegate::proxy
{

namespace
{

using prometheus::MetricType;
constexpr auto counter = MetricType::Counter;
constexpr auto gauge = MetricType::Gauge;

double epoch_seconds(std::chrono::system_clock::time_point t)
{
    return std::chrono::duration<double>(t.time_since_epoch()).count();
}

void add_config(families& out, const process_view& view)
{
    metric_family success(
        gauge, "config_reload_success", "1 if the last load of the configuration worked."
    );
    metric_family loaded(gauge, "config_last_reload_timestamp_seconds", "When it last worked.");
    metric_family build(gauge, "build_info", "1; the version is a label.");
    metric_family reloads(
        counter, "reloads_total", "Reloads, by result; one that failed changed nothing."
    );
    success.add({}, view.config.error.empty() ? 1.0 : 0.0);
    loaded.add({}, epoch_seconds(view.config.loaded));
    reloads.add({{"result", "ok"}}, view.config.reloads);
    reloads.add({{"result", "failed"}}, view.config.failed);
    metric_family dropped(counter, "log_dropped_total", "Lines of the log that found no room.");
    build.add({{"version", view.version}}, 1.0);
    dropped.add({}, view.log_dropped);
    success.move_to(out);
    loaded.move_to(out);
    reloads.move_to(out);
    build.move_to(out);
    dropped.move_to(out);
}

void add_logins(families& out, const login_counts& logins)
{
    metric_family all(
        counter,
        "admin_logins_total",
        "Passwords that came to the admin port, by result; limited: not looked at."
    );
    all.add({{"result", "ok"}}, logins.ok);
    all.add({{"result", "failed"}}, logins.failed);
    all.add({{"result", "limited"}}, logins.limited);
    all.move_to(out);
}

void add_certificates(families& out, const process_view& view)
{
    metric_family ends(
        gauge,
        "certificate_expiry_timestamp_seconds",
        "When the certificates in a file of the configuration end, as it was last read."
    );
    for (const auto& [file, end] : view.certificates)
        ends.add({{"file", file}}, epoch_seconds(end));
    ends.move_to(out);
}

// The names and units of Prometheus' own client libraries.
void add_usage(families& out, const process_usage& u)
{
    const auto add = [&out](MetricType type, const char* name, const char* help, auto value)
    {
        metric_family f(type, name, help, "process_");
        if (value)
            f.add({}, *value);
        f.move_to(out);
    };
    add(gauge, "open_fds", "Number of open file descriptors.", u.open_fds);
    add(gauge, "max_fds", "Maximum number of open file descriptors.", u.max_fds);
    add(gauge, "resident_memory_bytes", "Resident memory size in bytes.", u.resident_bytes);
    add(counter,
        "cpu_seconds_total",
        "Total user and system CPU time spent in seconds.",
        std::optional(u.cpu_seconds));
    add(gauge,
        "start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        u.started);
}

} // namespace

void add_process_metrics(families& out, const process_view& view)
{
    add_config(out, view);
    add_logins(out, view.logins);
    add_certificates(out, view);
    add_usage(out, view.usage);
}

} // namespace rolegate::proxy
