// SPDX-License-Identifier: PostgreSQL
#include "health/dcs/object_splitter.hpp"

#include <utility>

namespace rolegate::health::dcs::etcd3
{

bool object_splitter::feed(std::string_view piece)
{
    for (const char c : piece)
    {
        if (broken_)
            return false;
        take(c);
    }
    return !broken_;
}

// Which bracket closes which is left to the parser: here they are only counted.
void object_splitter::take(char c)
{
    if (depth_ == 0 && (c == ' ' || c == '\t' || c == '\r' || c == '\n'))
        return;
    if ((depth_ == 0 && c != '{') || rest_.size() == limit_)
    {
        broken_ = true;
        rest_.clear();
        return;
    }
    rest_ += c;
    if (in_string_)
    {
        in_string_ = escaped_ || c != '"';
        escaped_ = !escaped_ && c == '\\';
        return;
    }
    if (c == '"')
        in_string_ = true;
    else if (c == '{' || c == '[')
        ++depth_;
    else if (c == '}' || c == ']')
        --depth_;
    if (depth_ == 0)
        ready_.push_back(std::exchange(rest_, {}));
}

std::optional<std::string> object_splitter::next()
{
    if (ready_.empty())
        return std::nullopt;
    std::optional<std::string> object(std::move(ready_.front()));
    ready_.pop_front();
    return object;
}

} // namespace rolegate::health::dcs::etcd3
