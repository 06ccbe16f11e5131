// SPDX-License-Identifier: PostgreSQL
#include "proxy/command_line.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include <unistd.h>

namespace rolegate::proxy
{

namespace
{

namespace fs = std::filesystem;

bool can_run(const fs::path& file)
{
    std::error_code ignored;
    return fs::is_regular_file(file, ignored) && ::access(file.c_str(), X_OK) == 0;
}

// As execvp(3) has found it.
fs::path found_in_path(const std::string& name)
{
    const char* places = std::getenv("PATH");
    std::istringstream all(places ? places : "");
    for (std::string place; std::getline(all, place, ':');)
        if (const auto file = fs::absolute(place.empty() ? "." : place) / name; can_run(file))
            return file;
    return {};
}

} // namespace

command_line own_command_line()
{
    command_line c;
    std::ifstream in("/proc/self/cmdline", std::ios::binary);
    for (std::string word; std::getline(in, word, '\0');)
        c.arguments.push_back(word);
    if (c.arguments.empty())
        return c; // there is no /proc
    const auto& name = c.arguments.front();
    std::error_code ignored;
    const auto file =
        name.find('/') == std::string::npos ? found_in_path(name) : fs::absolute(name, ignored);
    // Whoever started us may have called us anything.
    c.program = can_run(file) ? file : fs::read_symlink("/proc/self/exe", ignored);
    return c;
}

} // namespace rolegate::proxy
