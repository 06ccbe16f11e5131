// SPDX-License-Identifier: PostgreSQL
//
// A worker's relay buffers. Bytes pass through one scratch buffer; only what a slow receiver has
// not taken yet is parked in a buffer of its own, so that an idle session owns none. One thread.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace rolegate::proxy
{

class buffer_pool
{
public:
    using buffer = std::unique_ptr<std::byte[]>;

    // `size` is that of each buffer, in bytes.
    explicit buffer_pool(std::size_t size) : size_(size), scratch_(make()) {}

    [[nodiscard]] std::span<std::byte> scratch() { return {scratch_.get(), size_}; }

    // The scratch buffer with what is in it; the pool takes another in its place.
    [[nodiscard]] buffer park();
    void give_back(buffer b);

    [[nodiscard]] std::size_t parked() const noexcept { return parked_; }

private:
    // More spare buffers than this go back to the system after a burst of slow receivers.
    static constexpr std::size_t max_spare = 64;

    [[nodiscard]] buffer make() const { return std::make_unique_for_overwrite<std::byte[]>(size_); }

    std::size_t size_;
    buffer scratch_;
    std::vector<buffer> spare_;
    std::size_t parked_ = 0;
};

} // namespace rolegate::proxy
