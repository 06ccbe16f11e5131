// SPDX-License-Identifier: PostgreSQL
#include "config/address_map.hpp"
#include "config/quote.hpp"
#include "config/schema.hpp"

namespace rolegate::config
{

void read_address_map(yaml_reader& in, const yaml_node& node, address_map& out)
{
    const auto read = [&](const yaml_node& v)
    {
        const auto said = parse_said(v.key);
        if (!said.value)
            in.fail(v, v.key_at, said.error);
        std::string text;
        in.text(v, text);
        if (in.failed(v))
            return;
        const auto target = parse_target(text);
        if (!target.value)
            return in.fail(v, target.error);
        if (!out.emplace(key_of(*said.value), *target.value).second)
            in.fail(v, v.key_at, quoted(v.key) + " is mapped already");
    };
    in.entries(node, "address", read);
}

} // namespace rolegate::config
