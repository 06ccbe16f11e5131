// SPDX-License-Identifier: PostgreSQL
#include "proxy/cli/import_haproxy.hpp"

#include "config/haproxy/import.hpp"
#include "config/haproxy/print.hpp"
#include "config/load.hpp"
#include "config/text_file.hpp"
#include "config/utf8.hpp"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <iostream>

namespace rolegate::proxy::cli
{

namespace
{

namespace haproxy = config::haproxy;

constexpr int ok = 0;
constexpr int unusable = 2;
constexpr int refused = 3;

// Its texts are a stranger's, and this is a terminal.
void say(const std::string& text)
{
    std::cerr << config::readable(text, text.size()) << '\n';
}

void tell(const std::string& file, const haproxy::ledger& book)
{
    using haproxy::verdict;
    for (const haproxy::remark& r : book.remarks())
        say(haproxy::to_string(r, file));
    say(file + ": " + std::to_string(book.count(verdict::used)) + " lines used, " +
        std::to_string(book.count(verdict::ignored)) + " ignored, " +
        std::to_string(book.count(verdict::refused)) + " refused");
}

// What our own reader says of it: nothing, unless two things that HAProxy takes contradict here.
bool is_loadable(const std::string& yaml)
{
    const auto no_variables = [](const std::string&) -> std::optional<std::string> { return {}; };
    const auto loaded = config::load_text(yaml, "the result", no_variables);
    for (const config::problem& p : loaded.problems)
        say(config::to_string(p));
    return loaded.problems.empty();
}

} // namespace

CLI::App* add_import(CLI::App& app, import_arguments& to)
{
    auto* command =
        app.add_subcommand("import-haproxy", "Make a configuration of a haproxy.cfg, on stdout");
    command->add_option("file", to.file, "The haproxy.cfg")->type_name("FILE")->required();
    command->add_flag(
        "--allow-unsupported", to.allow_unsupported, "Also when lines of it had to be refused"
    );
    return command;
}

int import_haproxy(const import_arguments& args)
{
    const config::file_text file = config::read_text_file(args.file);
    if (!file.value || file.value->size() > config::max_file_bytes)
    {
        say(args.file + ": " + (file.value ? "larger than 1MB" : file.error));
        return unusable;
    }
    const auto made = haproxy::import_text(*file.value, config::process_environment());
    tell(args.file, made.book);
    if (made.book.has_refused() && !args.allow_unsupported)
    {
        say("nothing is written, because without the refused lines Rolegate would do something "
            "else; --allow-unsupported writes what is left");
        return refused;
    }
    if (made.value.listeners.empty())
    {
        say("nothing is written: no section leads clients to PostgreSQL");
        return made.book.has_refused() ? refused : unusable;
    }
    const std::string yaml = haproxy::print(made.value, args.file);
    std::cout << yaml;
    return is_loadable(yaml) ? ok : refused;
}

} // namespace rolegate::proxy::cli
