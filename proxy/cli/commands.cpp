// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/commands.hpp"

#include "config/load.hpp"
#include "config/patroni_yaml.hpp"
#include "config/print.hpp"
#include "config/seeds.hpp"
#include "config/text_file.hpp"
#include "proxy/cli/admin_options.hpp"
#include "proxy/cli/import_haproxy.hpp"
#include "proxy/cli/operations.hpp"
#include "proxy/cli/reload_text.hpp"
#include "proxy/cli/table.hpp"
#include "proxy/cli/version.hpp"
#include "proxy/cli/watch.hpp"
#include "proxy/predecessor.hpp"
#include "proxy/server.hpp"
#include "proxy/unusable_files.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <cctype>
#include <exception>
#include <iostream>

namespace rolegate::proxy::cli
{

namespace
{

constexpr int ok = 0;
constexpr int failed = 1;
constexpr int usage = 2; // also a configuration that cannot be used

// Where `run` and `check` get the settings from.
struct source
{
    std::string file;
    std::string patroni_config;
    config::seed_options seeds;
};

struct arguments
{
    source from;
    admin_address admin = "http://127.0.0.1:7000";
    std::string listener; // explain, sessions: "" = all
    std::string member;   // set-member: CLUSTER/MEMBER
    std::string state;
    std::vector<std::string> sessions; // by id
    std::size_t limit = 1000;
    bool print = false;
    bool json = false;
    bool watch = false;
    import_arguments import;
};

void add_source(CLI::App& command, source& to)
{
    auto* file =
        command.add_option("-c,--config", to.file, "Configuration file (YAML)")->type_name("FILE");
    auto* seeds = command
                      .add_option(
                          "--patroni",
                          to.seeds.patroni,
                          "Run without a file: REST addresses of some Patroni members"
                      )
                      ->type_name("HOST:PORT[,HOST:PORT...]")
                      ->excludes(file);
    command
        .add_option(
            "--patroni-config",
            to.patroni_config,
            "Run without a file: Patroni's own configuration (YAML), and PATRONI_... variables"
        )
        ->type_name("FILE")
        ->excludes(file)
        ->excludes(seeds);
    // Of no use without one of the other two, see has_source().
    const auto add_bind = [&](const char* name, std::string& value, const char* what)
    {
        command.add_option(name, value, what)
            ->type_name("ADDR:PORT")
            ->excludes(file)
            ->capture_default_str();
    };
    add_bind("--write-bind", to.seeds.binds.write_bind, "Where clients reach the primary");
    add_bind("--read-bind", to.seeds.binds.read_bind, "Where clients reach the replicas");
    add_bind("--admin-bind", to.seeds.binds.admin_bind, "Status, metrics and API");
}

bool has_source(const CLI::App& command, const source& from)
{
    if (!from.file.empty() || !from.patroni_config.empty() || !from.seeds.patroni.empty())
        return true;
    std::cerr << "rolegate " << command.get_name()
              << ": where is the cluster? Give a configuration file:\n"
              << "    rolegate " << command.get_name() << " -c /etc/rolegate/rolegate.yaml\n"
              << "or the REST addresses of some Patroni members:\n"
              << "    rolegate " << command.get_name() << " --patroni 10.0.0.1:8008,10.0.0.2:8008\n"
              << "or Patroni's own configuration:\n"
              << "    rolegate " << command.get_name()
              << " --patroni-config /etc/patroni/config.yml\n";
    return false;
}

config::load_result load(const source& from)
{
    const auto env = config::process_environment();
    if (!from.patroni_config.empty())
        return config::load_patroni_config(from.patroni_config, from.seeds.binds, env);
    if (from.file.empty())
        return config::settings_from_seeds(from.seeds);
    return config::load_file(from.file, env);
}

std::string name_of(const source& from)
{
    if (!from.patroni_config.empty())
        return from.patroni_config;
    return from.file.empty() ? "--patroni" : from.file;
}

bool report_problems(const config::load_result& loaded)
{
    for (const auto& p : loaded.problems)
        std::cerr << config::to_string(p) << '\n';
    return !loaded.problems.empty();
}

int run(const source& from)
{
    const auto loaded = load(from);
    if (report_problems(loaded))
    {
        const auto more = loaded.problems.size() - 1;
        tell_failed(
            config::to_string(loaded.problems.front()) +
            (more > 0 ? " (and " + std::to_string(more) + " more)" : "")
        );
        return usage;
    }
    return run_server(loaded.value, [from] { return load(from); });
}

int check(const arguments& args)
{
    const auto loaded = load(args.from);
    if (report_problems(loaded))
        return usage;
    for (auto warning : loaded.warnings)
    {
        warning.text.insert(0, "warning: ");
        std::cerr << config::to_string(warning) << '\n';
    }
    const auto files = unusable_files(loaded.value);
    for (const auto& problem : files)
        std::cerr << name_of(args.from) << ": " << problem << '\n';
    if (!files.empty())
        return usage;
    if (args.print)
        std::cout << config::print(loaded.value);
    else
        std::cout << name_of(args.from) << ": ok\n";
    return ok;
}

int status(const arguments& args)
{
    query q{args.admin, "/api/v1/status", args.json ? nullptr : status_table};
    q.colours = true;
    return args.watch ? watch(q) : show(q);
}

int explain(const arguments& args)
{
    const auto path = "/api/v1/explain" + (args.listener.empty() ? "" : "/" + args.listener);
    return show({args.admin, path, explain_text});
}

int events(const arguments& args)
{
    return show({args.admin, "/api/v1/events", args.json ? nullptr : events_text});
}

int operate(const arguments& args, const char* verb)
{
    const query q{args.admin, "/api/v1/listeners/" + args.listener + "/" + verb, nullptr, true};
    return show(q);
}

int sessions(const arguments& args)
{
    auto path = "/api/v1/sessions?limit=" + std::to_string(args.limit);
    if (!args.listener.empty())
        path += "&listener=" + as_path_part(args.listener);
    if (!args.member.empty())
        path += "&member=" + as_path_part(args.member);
    return show({args.admin, path, args.json ? nullptr : sessions_table});
}

// All of them, also when one is not there any more.
int kill(const arguments& args)
{
    int result = ok;
    for (const auto& id : args.sessions)
        result = std::max(
            result, show({args.admin, "/api/v1/sessions/" + id + "/kill", order_text, true})
        );
    return result;
}

int set_member(const arguments& args)
{
    const auto slash = args.member.find('/'); // no cluster has one in its name
    const auto path = "/api/v1/members/" + as_path_part(args.member.substr(0, slash)) + "/" +
                      as_path_part(args.member.substr(slash + 1)) + "/state";
    return show({args.admin, path, order_text, true, R"({"state": ")" + args.state + R"("})"});
}

std::string bad_session_id(const std::string& id)
{
    const auto digit = [](unsigned char c) { return std::isdigit(c) != 0; };
    return std::ranges::all_of(id, digit) ? "" : "not the number of a session: " + id;
}

std::string bad_member(const std::string& name)
{
    const auto slash = name.find('/');
    const bool good = slash != std::string::npos && slash > 0 && slash + 1 < name.size();
    return good ? "" : "not CLUSTER/MEMBER: " + name;
}

// The proxy's rule for names (config/reference.yaml): whatever else would spoil the request.
std::string bad_listener_name(const std::string& name)
{
    const auto legal = [](unsigned char c)
    { return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-'; };
    return std::ranges::all_of(name, legal) ? "" : "not the name of a listener: " + name;
}

int run_command(int argc, char** argv)
{
    arguments args;
    CLI::App app("PostgreSQL-aware Layer-4 proxy for Patroni clusters", "rolegate");
    app.require_subcommand(1);
    app.set_version_flag("-V,--version", version_text());

    auto* run_it = app.add_subcommand("run", "Run the proxy in the foreground");
    add_source(*run_it, args.from);

    auto* check_it = app.add_subcommand("check", "Say what is wrong with a configuration");
    add_source(*check_it, args.from);
    check_it->add_flag("--print", args.print, "Print it with every default filled in");

    auto* status_it =
        app.add_subcommand("status", "Clusters, members, listeners of a running proxy");
    add_admin(*status_it, args.admin);
    status_it->add_flag("--json", args.json, "The API's JSON instead of tables");
    status_it->add_flag("--watch", args.watch, "Again every second, until Ctrl-C");

    auto* explain_it = app.add_subcommand("explain", "Why each member is routable or not");
    explain_it->add_option("listener", args.listener, "Only this one")
        ->type_name("LISTENER")
        ->check(bad_listener_name);
    add_admin(*explain_it, args.admin);

    auto* events_it = app.add_subcommand("events", "The last role changes, step by step");
    add_admin(*events_it, args.admin);
    events_it->add_flag("--json", args.json, "The API's JSON instead of a list");

    const auto add_operation = [&](const char* verb, const char* what)
    {
        auto* command = app.add_subcommand(verb, what);
        command->add_option("listener", args.listener, "Which one")
            ->type_name("LISTENER")
            ->check(bad_listener_name)
            ->required();
        add_admin(*command, args.admin);
        return command;
    };
    auto* pause_it = add_operation("pause", "Hold a listener's new clients at the door");
    auto* resume_it = add_operation("resume", "Let them in again");

    auto* reload_it =
        app.add_subcommand("reload", "Read the configuration again, as SIGHUP does, and say more");
    add_admin(*reload_it, args.admin);
    auto* sessions_it = app.add_subcommand("sessions", "Sessions of a running proxy");
    sessions_it->add_option("--listener", args.listener, "Only those of this one")
        ->type_name("LISTENER");
    sessions_it->add_option("--member", args.member, "Only those on this one")->type_name("MEMBER");
    sessions_it->add_option("--limit", args.limit, "So many of the oldest")->capture_default_str();
    sessions_it->add_flag("--json", args.json, "The API's JSON instead of a table");
    add_admin(*sessions_it, args.admin);

    auto* kill_it = app.add_subcommand("kill", "End sessions");
    kill_it->add_option("id", args.sessions, "Their numbers, as `rolegate sessions` shows them")
        ->type_name("ID")
        ->check(bad_session_id)
        ->required();
    add_admin(*kill_it, args.admin);

    auto* set_member_it = app.add_subcommand(
        "set-member",
        "ready: as usual; drain: no new sessions; maint: and those there are end with their "
        "transactions"
    );
    set_member_it->add_option("member", args.member, "Which one")
        ->type_name("CLUSTER/MEMBER")
        ->check(bad_member)
        ->required();
    set_member_it->add_option("state", args.state, "What it is to be")
        ->check(CLI::IsMember({"ready", "drain", "maint"}))
        ->required();
    add_admin(*set_member_it, args.admin);

    auto* import_it = add_import(app, args.import);

    auto* version_it = app.add_subcommand("version", "Version, build, library versions");

    try
    {
        app.parse(argc, argv);
    }
    catch (const CLI::ParseError& e)
    {
        return app.exit(e) == 0 ? ok : usage; // 0: --help and --version
    }

    if (run_it->parsed())
        return has_source(*run_it, args.from) ? run(args.from) : usage;
    if (check_it->parsed())
        return has_source(*check_it, args.from) ? check(args) : usage;
    if (status_it->parsed())
        return status(args);
    if (explain_it->parsed())
        return explain(args);
    if (events_it->parsed())
        return events(args);
    if (pause_it->parsed())
        return operate(args, "pause");
    if (resume_it->parsed())
        return operate(args, "resume");
    if (reload_it->parsed())
        return show({args.admin, "/api/v1/reload", reload_text, true});
    if (sessions_it->parsed())
        return sessions(args);
    if (kill_it->parsed())
        return kill(args);
    if (set_member_it->parsed())
        return set_member(args);
    if (import_it->parsed())
        return import_haproxy(args.import);
    if (version_it->parsed())
        std::cout << version_text();
    return ok;
}

} // namespace

int main(int argc, char** argv)
try
{
    return run_command(argc, argv);
}
catch (const std::exception& e)
{
    std::cerr << "rolegate: " << e.what() << '\n';
    return failed;
}

} // namespace rolegate::proxy::cli
