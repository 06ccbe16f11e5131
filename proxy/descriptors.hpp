// SPDX-License-Identifier: PostgreSQL
//
// What the limit on open files means for the number of clients.
#pragma once

#include <cstddef>
#include <optional>

namespace rolegate::proxy
{

// Every client costs two descriptors; the limit an operator set as the hard one is meant.
void raise_descriptor_limit();

// As many clients as are configured, or as descriptors allow. More wait in the kernel's queue.
[[nodiscard]] std::size_t most_clients(std::optional<std::size_t> configured);

} // namespace rolegate::proxy
