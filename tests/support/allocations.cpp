// SPDX-License-Identifier: PostgreSQL
#include "tests/support/allocations.hpp"

#include <cstdlib>
#include <new>

namespace
{

thread_local std::uint64_t allocations = 0;

} // namespace

std::uint64_t rolegate::support::allocations_here() noexcept
{
    return allocations;
}

// The other forms of `new` and `delete` come down to these, but for one: AddressSanitizer has its
// own.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept
{
    ++allocations;
    return std::malloc(size == 0 ? 1 : size);
}

void* operator new(std::size_t size)
{
    if (auto* p = operator new(size, std::nothrow))
        return p;
    throw std::bad_alloc();
}

void operator delete(void* p) noexcept
{
    std::free(p);
}

void operator delete(void* p, std::size_t) noexcept
{
    std::free(p);
}
