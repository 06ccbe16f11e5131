// SPDX-License-Identifier: PostgreSQL
//
// The watch's stream in pieces: several objects in one chunk, one object over several. An object
// longer than the limit is an error, as is anything between objects that is not white space.
// etcd 3.4 ends each with a line feed and makes it one chunk of HTTP, but nothing promises that.
// Pure.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace rolegate::health::dcs::etcd3
{

class object_splitter
{
public:
    explicit object_splitter(std::size_t limit) : limit_(limit) {}

    // False: the stream cannot be understood any more. Objects before that place are still there.
    [[nodiscard]] bool feed(std::string_view piece);

    // The next whole object; nullopt when more is needed. Call until then after each feed().
    [[nodiscard]] std::optional<std::string> next();

private:
    void take(char c);

    std::size_t limit_;
    std::deque<std::string> ready_;
    std::string rest_; // the object that has begun, with the state below
    int depth_ = 0;
    bool in_string_ = false;
    bool escaped_ = false;
    bool broken_ = false;
};

} // namespace rolegate::health::dcs::etcd3
