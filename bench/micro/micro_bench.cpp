// SPDX-License-Identifier: PostgreSQL
//
// What the pure parts cost: build/micro_bench, with Google Benchmark's options.
#include "proxy/balance.hpp"
#include "proxy/handshake.hpp"
#include "proxy/pgwire/frame_tracker.hpp"
#include "proxy/route.hpp"
#include "proxy/slowstart.hpp"
#include "tests/support/bytes.hpp"
#include "tests/support/evidence_builder.hpp"
#include "tests/support/topology_builder.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>

using namespace rolegate;
using support::operator+;
using namespace std::string_view_literals;

namespace
{

std::string name_of(std::int64_t n)
{
    return "pg-" + std::to_string(1000 + n); // in the order of the numbers
}

// A StartupMessage in one piece, as it comes off the socket.
void startup(benchmark::State& state)
{
    const auto body =
        support::int32(0x00030000) +
        support::bytes_of("user\0postgres\0database\0postgres\0application_name\0psql\0"
                          "client_encoding\0UTF8\0\0"sv);
    const auto packet = support::int32(static_cast<std::uint32_t>(body.size() + 4)) + body;
    for (auto _ : state)
    {
        proxy::handshake h;
        std::size_t sent = 0;
        while (h.step() == proxy::handshake::next::read)
        {
            const auto room = h.room();
            const auto n = std::min(room.size(), packet.size() - sent);
            std::memcpy(room.data(), packet.data() + sent, n);
            h.filled(n);
            sent += n;
        }
        benchmark::DoNotOptimize(h.step());
    }
}
BENCHMARK(startup);

// Rows of so many bytes, in the relay's buffers of 64 kB.
void boundaries(benchmark::State& state)
{
    const auto row =
        support::message('D', std::string(static_cast<std::size_t>(state.range(0)), 'x'));
    support::byte_vector stream;
    while (stream.size() < 1 << 20)
        stream.insert(stream.end(), row.begin(), row.end());
    for (auto _ : state)
    {
        pgwire::frame_tracker t;
        for (std::size_t at = 0; at < stream.size(); at += 65536)
            t.feed(std::span(stream).subspan(at, std::min<std::size_t>(65536, stream.size() - at)));
        benchmark::DoNotOptimize(t.at_boundary());
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(stream.size()));
}
BENCHMARK(boundaries)->Arg(50)->Arg(1000)->Arg(8000)->Arg(100000);

// A new client of the read port, with so many members.
void route(benchmark::State& state)
{
    support::topology_builder t;
    t.primary(name_of(0));
    for (std::int64_t n = 1; n < state.range(0); ++n)
        t.replica(name_of(n));
    const auto topology = t.build();
    const config::cluster_settings cluster;
    const proxy::listed_places listed(cluster);
    const auto now = *topology.confirmed;
    std::vector<const health::member*> eligible;
    std::vector<proxy::candidate> candidates;
    proxy::balance balance(config::balance_algorithm::roundrobin, 1);
    balance.adopt(topology);
    for (auto _ : state)
    {
        proxy::find_eligible(support::read_port, topology, now, cluster, listed, eligible);
        candidates.clear();
        for (const auto* m : eligible)
            candidates.push_back({m->name, proxy::weight_scale});
        benchmark::DoNotOptimize(balance.choose(candidates, {}).member);
    }
}
BENCHMARK(route)->Arg(3)->Arg(100);

// The lock moves to another member, of so many, and back.
void decide(benchmark::State& state)
{
    support::story s({});
    for (std::int64_t n = 0; n < state.range(0); ++n)
        s.join(name_of(n));
    s.settle_with_dcs(name_of(0));
    std::int64_t holder = 0;
    for (auto _ : state)
    {
        holder = 1 - holder;
        s.after(std::chrono::seconds(1)).dcs(name_of(holder));
        benchmark::DoNotOptimize(s.decide().generation);
    }
}
BENCHMARK(decide)->Arg(3)->Arg(100);

// Nothing has changed.
void decide_again(benchmark::State& state)
{
    support::story s({});
    for (std::int64_t n = 0; n < state.range(0); ++n)
        s.join(name_of(n));
    s.settle_with_dcs(name_of(0));
    for (auto _ : state)
        benchmark::DoNotOptimize(health::decide(s.seen, s.rules, s.believed, s.now).generation);
}
BENCHMARK(decide_again)->Arg(3)->Arg(100);

} // namespace

BENCHMARK_MAIN();
