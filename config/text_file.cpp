// SPDX-License-Identifier: PostgreSQL
#include "config/text_file.hpp"

#include "config/quote.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

namespace rolegate::config
{
namespace
{

struct file_closer
{
    void operator()(std::FILE* f) const noexcept { std::fclose(f); }
};

file_text cannot_read(int error)
{
    return {std::nullopt, "cannot read: " + std::system_category().message(error)};
}

} // namespace

file_text read_text_file(const std::string& path)
{
    const std::unique_ptr<std::FILE, file_closer> in(std::fopen(path.c_str(), "re"));
    if (!in)
        return cannot_read(errno);
    std::string text;
    std::array<char, 16384> chunk{};
    // Not by the size the file system tells: pipes have none.
    while (text.size() <= max_file_bytes)
    {
        const std::size_t n = std::fread(chunk.data(), 1, chunk.size(), in.get());
        text.append(chunk.data(), n);
        if (n < chunk.size())
            break;
    }
    if (std::ferror(in.get()) != 0)
        return cannot_read(errno);
    return {std::move(text), {}};
}

file_text read_first_line(const std::string& path)
{
    file_text file = read_text_file(path);
    if (!file.value)
        return {std::nullopt, quoted(path) + ": " + file.error};
    std::string& line = *file.value;
    line.erase(std::min(line.find('\n'), line.size()));
    if (line.ends_with('\r'))
        line.pop_back();
    if (line.empty())
        return {std::nullopt, quoted(path) + ": its first line is empty"};
    return file;
}

} // namespace rolegate::config
