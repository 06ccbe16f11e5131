// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/split.hpp"

#include "config/quote.hpp"

#include <array>
#include <cstddef>
#include <utility>

namespace rolegate::config::haproxy
{
namespace
{

// Of all its words, each with a space; variables that contain each other could grow without end.
constexpr std::size_t longest_line = 16384;

bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_name_part(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

std::optional<unsigned> hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return static_cast<unsigned>(c - '0');
    const char lower = static_cast<char>(c | 0x20);
    if (lower >= 'a' && lower <= 'f')
        return static_cast<unsigned>(lower - 'a' + 10);
    return std::nullopt;
}

class splitter
{
public:
    splitter(std::string_view line, const variables& lookup) : in_(line), lookup_(lookup) {}

    split_line run()
    {
        while (at_ < in_.size() && out_.error.empty())
        {
            step();
            if (before_ + word_.size() > longest_line)
                out_.error = "a line is longer than 16kB";
        }
        if (quote_ != '\0' && out_.error.empty())
            out_.error = "a quote is not closed";
        end_word();
        return std::move(out_);
    }

private:
    // The next character, as HAProxy's parse_line() takes it.
    void step()
    {
        const char c = in_[at_];
        if (quote_ == '\'')
            return c == '\'' ? leave_quote() : put(c);
        if (c == '\\')
            return escape();
        if (quote_ == '"')
            return c == '"' ? leave_quote() : c == '$' ? variable() : put(c);
        if (c == '\'' || c == '"')
            return enter_quote(c);
        if (c == '#')
        {
            at_ = in_.size();
            return;
        }
        if (c == ' ' || c == '\t' || c == '\r')
        {
            end_word();
            ++at_;
            return;
        }
        put(c);
    }

    void put(char c)
    {
        word_ += c;
        in_word_ = true;
        ++at_;
    }

    void enter_quote(char c)
    {
        quote_ = c;
        in_word_ = true; // "" is a word as well
        ++at_;
    }

    void leave_quote()
    {
        quote_ = '\0';
        ++at_;
    }

    void end_word()
    {
        if (in_word_)
        {
            before_ += word_.size() + 1;
            out_.words.push_back(std::exchange(word_, {}));
        }
        in_word_ = false;
    }

    void escape()
    {
        if (at_ + 1 >= in_.size())
        {
            out_.error = "a line ends with a backslash: HAProxy knows no continued lines";
            return;
        }
        constexpr std::array<std::pair<char, char>, 9> meanings{
            {{'n', '\n'},
             {'r', '\r'},
             {'t', '\t'},
             {' ', ' '},
             {'#', '#'},
             {'\\', '\\'},
             {'\'', '\''},
             {'"', '"'},
             {'$', '$'}}};
        const char c = in_[at_ + 1];
        if (c == 'x')
            return hexadecimal();
        for (const auto& [letter, meaning] : meanings)
        {
            // A dollar is nothing special outside of double quotes.
            if (letter != c || (c == '$' && quote_ != '"'))
                continue;
            ++at_;
            return put(meaning);
        }
        put('\\');
    }

    void hexadecimal()
    {
        const auto high = at_ + 3 < in_.size() ? hex_digit(in_[at_ + 2]) : std::nullopt;
        const auto low = high ? hex_digit(in_[at_ + 3]) : std::nullopt;
        if (!low)
        {
            out_.error = "\\x needs two hexadecimal digits";
            return;
        }
        at_ += 3;
        put(static_cast<char>(*high * 16 + *low));
    }

    // $NAME, ${NAME} or ${NAME-default}
    void variable()
    {
        ++at_;
        const bool braced = at_ < in_.size() && in_[at_] == '{';
        if (braced)
            ++at_;
        std::string name;
        while (at_ < in_.size() && (name.empty() ? is_name_start : is_name_part)(in_[at_]))
            name += in_[at_++];
        std::optional<std::string> otherwise;
        if (braced)
        {
            const std::size_t end = in_.find('}', at_);
            if (end == std::string_view::npos)
            {
                out_.error = "${ is not closed";
                return;
            }
            const std::string_view rest = in_.substr(at_, end - at_);
            if (rest.starts_with('-'))
                otherwise = rest.substr(1);
            else if (!rest.empty())
                name.clear(); // ${NAME[*]}, which is several words
            at_ = end + 1;
        }
        if (name.empty())
        {
            out_.error = "only $NAME, ${NAME} and ${NAME-default} are understood";
            return;
        }
        const auto value = lookup_(name);
        if (!value && !otherwise)
        {
            out_.error = "the environment variable " + quoted(name) +
                         " is not set here: run this command in HAProxy's environment";
            return;
        }
        word_ += value ? *value : *otherwise;
    }

    std::string_view in_;
    const variables& lookup_;
    split_line out_;
    std::string word_;
    std::size_t before_ = 0; // characters of the words before it
    std::size_t at_ = 0;
    char quote_ = '\0'; // that we are in
    bool in_word_ = false;
};

} // namespace

split_line split(std::string_view line, const variables& lookup)
{
    return splitter(line, lookup).run();
}

} // namespace rolegate::config::haproxy
