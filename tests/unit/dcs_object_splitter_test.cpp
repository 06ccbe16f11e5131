// SPDX-License-Identifier: PostgreSQL
#include "health/dcs/object_splitter.hpp"

#include <doctest/doctest.h>

#include <vector>

using rolegate::health::dcs::etcd3::object_splitter;

namespace
{

struct outcome
{
    std::vector<std::string> objects;
    bool understood = true;

    friend bool operator==(const outcome&, const outcome&) = default;
};

void feed(object_splitter& splitter, std::string_view piece, outcome& out)
{
    out.understood = splitter.feed(piece);
    while (auto object = splitter.next())
        out.objects.push_back(std::move(*object));
}

outcome split(std::initializer_list<std::string_view> pieces, std::size_t limit = 1000)
{
    object_splitter splitter(limit);
    outcome out;
    for (const auto piece : pieces)
        feed(splitter, piece, out);
    return out;
}

// etcd 3.4's gateway ends each object with a line feed, and each makes one chunk of HTTP.
const std::string stream = R"({"result":{"header":{"revision":"1"},"created":true}})"
                           "\n"
                           R"({"result":{"events":[{"kv":{"key":"a}{\"[\\"}},{"type":"DELETE"}]}})"
                           "\n{}\r\n\t {\"a\":[[],{}]}{\"b\":\"\\\\\"}";

} // namespace

TEST_SUITE_BEGIN("dcs/object_splitter");

TEST_CASE("a stream falls into its objects, brackets in strings notwithstanding")
{
    const auto out = split({stream});
    CHECK(out.understood);
    REQUIRE(out.objects.size() == 5);
    CHECK(out.objects[0] == R"({"result":{"header":{"revision":"1"},"created":true}})");
    CHECK(
        out.objects[1] == R"({"result":{"events":[{"kv":{"key":"a}{\"[\\"}},{"type":"DELETE"}]}})"
    );
    CHECK(out.objects[2] == "{}");
    CHECK(out.objects[3] == R"({"a":[[],{}]})");
    CHECK(out.objects[4] == R"({"b":"\\"})");
}

TEST_CASE("any two cuts give the same objects as none")
{
    const auto whole = split({stream});
    const std::string_view all = stream;
    for (std::size_t i = 0; i <= all.size(); ++i)
        for (std::size_t j = i; j <= all.size(); ++j)
        {
            const auto out = split({all.substr(0, i), all.substr(i, j - i), all.substr(j)});
            if (out != whole)
                FAIL("cut at " << i << " and " << j);
        }
}

TEST_CASE("an object that is not complete is waited for")
{
    CHECK(split({"{", "\"a\"", ":", "[{}"}) == outcome{{}, true});
    CHECK(split({"", "", " \r\n\t"}) == outcome{{}, true});
    CHECK(split({"{\"a\":\"}"}) == outcome{{}, true});
}

TEST_CASE("anything between objects breaks the stream; what came before is still there")
{
    for (const auto* garbage : {"x", "]", "}", "[", "[{}]", "\"", "1", "null", ",", "\xef\xbb\xbf"})
    {
        CAPTURE(garbage);
        CHECK(split({garbage}) == outcome{{}, false});
        CHECK(split({std::string("{}") + garbage}) == outcome{{"{}"}, false});
        CHECK(split({"{}\n", garbage, "{}"}) == outcome{{"{}"}, false});
    }
}

TEST_CASE("an object is as long as the limit at most")
{
    CHECK(split({"{\"a\":1}{\"b\":2}"}, 7) == outcome{{"{\"a\":1}", "{\"b\":2}"}, true});
    CHECK(split({"{\"a\":12}"}, 7) == outcome{{}, false});
    CHECK(split({"{\"a\":1", "  "}, 7) == outcome{{}, false});
    CHECK(split({"{}      {}"}, 2) == outcome{{"{}", "{}"}, true});
    CHECK(split({"{"}, 0) == outcome{{}, false});
}
