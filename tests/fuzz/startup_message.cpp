// SPDX-License-Identifier: PostgreSQL
//
// Contract: what is found is what a plain reading of the packet finds; with the client's address
// behind its application_name a packet is as well-formed as before, differs in nothing else, and
// is never longer than the server takes.
//
// Input: a byte with the length of the client's address (0..127), the address, the packet.
#include "proxy/pgwire/startup_message.hpp"

#include "tests/fuzz/require.hpp"

#include <algorithm>
#include <string>
#include <utility>

using namespace rolegate::pgwire;
using rolegate::fuzz::require;

namespace
{

using parameters = std::vector<std::pair<std::string, std::string>>;

// The manual's words in code, byte by byte.
std::optional<parameters> read_plainly(bytes packet)
{
    if (packet.size() < 9 || packet.size() > max_first_packet_size)
        return std::nullopt;
    std::uint64_t header = 0;
    for (std::size_t i = 0; i < 8; ++i)
        header = header << 8 | std::to_integer<std::uint64_t>(packet[i]);
    if (header >> 32 != packet.size() || (header >> 16 & 0xffff) != 3)
        return std::nullopt;

    std::vector<std::string> strings(1);
    for (std::size_t i = 8; i < packet.size(); ++i)
    {
        const auto c = std::to_integer<char>(packet[i]);
        if (c != '\0')
            strings.back() += c;
        else if (strings.back().empty() && strings.size() % 2 == 1)
        {
            if (i + 1 != packet.size())
                return std::nullopt;
            parameters out;
            for (std::size_t s = 0; s + 1 < strings.size(); s += 2)
                out.emplace_back(strings[s], strings[s + 1]);
            return out;
        }
        else
            strings.emplace_back();
    }
    return std::nullopt;
}

bool is_application_name(std::string name)
{
    for (char& c : name)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c + ('a' - 'A'));
    return name == "application_name";
}

void check_lookup(bytes packet, const std::optional<parameters>& expected)
{
    require(well_formed_startup(packet) == expected.has_value());
    require(!startup_parameter(packet, "").has_value());
    if (!expected)
    {
        require(!startup_parameter(packet, "user").has_value());
        return;
    }
    for (const auto& [name, ignored] : *expected)
    {
        std::string last;
        for (const auto& p : *expected)
            if (p.first == name)
                last = p.second;
        const auto found = startup_parameter(packet, name);
        require(found.has_value() && *found == last);
        const auto* begin = reinterpret_cast<const char*>(packet.data());
        require(found->data() >= begin && found->data() + found->size() < begin + packet.size());
        if (expected->size() > 64)
            break; // the squares of long lists say no more
    }
}

std::size_t shown_size(std::string_view text)
{
    std::size_t out = 0;
    for (const char c : text)
        out += c >= ' ' && c <= '~' ? 1 : 4;
    return out;
}

void check_name(bytes packet, std::string_view client, const std::optional<parameters>& before)
{
    const auto out = with_application_name_host(packet, client);
    require(out.size() <= std::max(packet.size(), max_first_packet_size));
    const bool unchanged = std::ranges::equal(out, packet);
    if (!before)
    {
        require(unchanged);
        return;
    }
    const auto after = read_plainly(out);
    require(after.has_value());

    auto expected = *before;
    const auto is_name = [](const auto& p) { return is_application_name(p.first); };
    auto last = std::find_if(expected.rbegin(), expected.rend(), is_name);
    const bool added = last == expected.rend();
    const auto& found = added
                            ? after->empty() ? std::string{} : after->back().second
                            : (*after)[static_cast<std::size_t>(expected.rend() - last - 1)].second;
    if (unchanged)
    {
        // Too long with the address, or the address says nothing new.
        const auto most = packet.size() + (added ? 18 : 0) + max_application_name_size;
        require(most > max_first_packet_size || (!added && found == last->second));
        return;
    }
    if (added)
        expected.emplace_back("application_name", found);
    else
        last->second = found;
    require(*after == expected);

    require(shown_size(found) <= max_application_name_size);
    const auto told = client.substr(0, client.find('\0'));
    if (shown_size(told) <= max_application_name_size)
        require(found.ends_with(told));
    else if (shown_size(told) == told.size())
        require(found == told.substr(0, max_application_name_size));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    const auto in = std::as_bytes(std::span(data, size)).subspan(1);
    const auto client = in.first(std::min<std::size_t>(data[0] & 127, in.size()));
    const auto rest = in.subspan(client.size());
    const std::string_view told{reinterpret_cast<const char*>(client.data()), client.size()};

    // As it is, and with the header it should have: the fuzzer need not find lengths.
    std::vector<std::byte> packet{rest.begin(), rest.end()};
    for (int round = 0; round < 2; ++round)
    {
        const auto expected = read_plainly(packet);
        check_lookup(packet, expected);
        check_name(packet, told, expected);
        if (packet.size() < 8)
            break;
        for (std::size_t i = 0; i < 4; ++i)
            packet[i] = static_cast<std::byte>(packet.size() >> (24 - 8 * i) & 0xff);
        packet[4] = std::byte{0};
        packet[5] = std::byte{3};
    }
    return 0;
}
