// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/admin_options.hpp"

#include "config/text_file.hpp"

#include <cstdlib>
#include <string>

namespace rolegate::proxy::cli
{

namespace
{

// CLI11's own way to the environment would not do: it lets the environment of one command have its
// way with the options of another, where both write to the same place.
const char* environment(const char* name)
{
    const char* value = std::getenv(name);
    return value && *value ? value : nullptr;
}

} // namespace

void add_admin(CLI::App& command, admin_address& to)
{
    if (const auto* url = environment("ROLEGATE_ADMIN"))
        to.url = url;
    command
        .add_option(
            "-a,--admin",
            to.url,
            "Admin HTTP of the proxy to ask: http://[USER[:PASSWORD]@]HOST:PORT, https://..., or "
            "unix:/PATH (Env:ROLEGATE_ADMIN)"
        )
        ->type_name("URL")
        ->capture_default_str();
    command.add_option("--ca", to.ca, "Whom to trust with https://, instead of the system's store")
        ->type_name("FILE");
    command.add_flag("--insecure", to.insecure, "Any certificate will do");
    const auto read_password = [&to](const std::string& path)
    {
        auto line = config::read_first_line(path);
        to.password = line.value.value_or("");
        return line.error;
    };
    constexpr const char* variable = "ROLEGATE_ADMIN_PASSWORD_FILE";
    auto* file = command
                     .add_option(
                         "--password-file",
                         "The password of the URL's user, in its first line "
                         "(Env:ROLEGATE_ADMIN_PASSWORD_FILE)"
                     )
                     ->type_name("FILE")
                     ->check(read_password);
    command.parse_complete_callback(
        [file, read_password]
        {
            const auto* path = file->count() == 0 ? environment(variable) : nullptr;
            if (const auto error = path ? read_password(path) : ""; !error.empty())
                throw CLI::ValidationError(variable, error);
        }
    );
}

} // namespace rolegate::proxy::cli
