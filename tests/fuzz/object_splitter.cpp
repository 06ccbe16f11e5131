// SPDX-License-Identifier: PostgreSQL
//
// Contract: any cut of a stream gives the objects that the whole gives, each of them within the
// limit and with its brackets closed; together with white space they are the stream.
// Input: a number of cuts, the sizes of the pieces, then the stream.
#include "health/dcs/object_splitter.hpp"

#include "tests/fuzz/require.hpp"

#include <algorithm>
#include <span>
#include <vector>

using rolegate::fuzz::require;
using rolegate::health::dcs::etcd3::object_splitter;

namespace
{

constexpr std::size_t limit = 200;

class splitting
{
public:
    void feed(std::string_view piece)
    {
        const bool good = splitter_.feed(piece);
        require(understood || !good); // what is broken stays so
        understood = good;
        while (auto object = splitter_.next())
            objects.push_back(std::move(*object));
    }

    std::vector<std::string> objects;
    bool understood = true;

private:
    object_splitter splitter_{limit};
};

void require_found_in(std::string_view stream, const std::vector<std::string>& objects)
{
    for (const auto& o : objects)
    {
        require(o.size() >= 2 && o.size() <= limit);
        require(o.front() == '{' && (o.back() == '}' || o.back() == ']'));
        const auto begin = stream.find_first_not_of(" \t\r\n");
        require(begin != std::string_view::npos && stream.substr(begin).starts_with(o));
        stream.remove_prefix(begin + o.size());
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    const auto cuts = std::min<std::size_t>(data[0], size - 1);
    const auto sizes = std::span(data, size).subspan(1, cuts);
    const auto tail = std::span(data, size).subspan(1 + cuts);
    const std::string_view stream{reinterpret_cast<const char*>(tail.data()), tail.size()};

    splitting whole;
    whole.feed(stream);
    require_found_in(stream, whole.objects);

    splitting in_pieces;
    auto rest = stream;
    for (const auto piece : sizes)
    {
        const auto n = std::min<std::size_t>(piece, rest.size());
        in_pieces.feed(rest.substr(0, n));
        rest.remove_prefix(n);
    }
    in_pieces.feed(rest);
    require(in_pieces.objects == whole.objects && in_pieces.understood == whole.understood);
    return 0;
}
