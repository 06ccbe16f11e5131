# SPDX-License-Identifier: PostgreSQL
"""pgbench through each contender: transactions, their latency and their cost, and new sessions."""

import os
import re
import statistics
import subprocess
import tempfile

from measure import Measure, at_least, at_most

RATE = 8000
SCALE = 10
ENOUGH = 5      # transactions of each client in a run that counts
# So that the log's files stay small; single clients are few enough to be logged whole.
SAMPLED = 0.1


def run(way, argv, **more):
    done = subprocess.run(argv, env=way.environment(), stderr=subprocess.PIPE, text=True, timeout=300,
                          **({"stdout": subprocess.PIPE} | more))
    if done.returncode:
        raise RuntimeError(f"{way.name}: {' '.join(argv)}: {done.stderr.strip()[-500:]}")
    return done.stdout


def prepare(way):
    run(way, ["pgbench", "-i", "-q", "-s", str(SCALE)])


def figure(text, pattern):
    return float(re.search(pattern, text)[1])


def pgbench(way, clients, seconds, *words):
    """pgbench's time begins before it connects, which takes many clients long; a run without work is played again."""
    seconds += clients // 64
    while True:
        text = run(way, ["pgbench", "-n", "-S", "-c", str(clients), "-j", str(min(clients, os.cpu_count())),
                         "-T", str(seconds), *words])
        if count(text) >= clients * ENOUGH:
            return text
        seconds *= 2
        if seconds > 30:
            raise RuntimeError(f"{way.name}: {clients} clients get nothing done on this machine: {text}")


def count(text):
    return figure(text, r"number of transactions actually processed: (\d+)")


def crowd(clients):
    return "1 client" if clients == 1 else f"{clients} clients"


def logged_times(directory):
    """Microseconds of each transaction in pgbench's log."""
    times = []
    for name in os.listdir(directory):
        with open(f"{directory}/{name}") as file:
            times += [int(line.split()[2]) for line in file]
    return times


def add_hop(found):
    """What the way through the proxy takes more than the direct one of the same round."""
    if "direct" in found:
        for name, figures in found.items():
            figures["p50 us"] = figures.pop("p50 us")   # at the end, beside what it is for
            if name != "direct":
                figures["one hop adds us"] = figures["p50 us"] - found["direct"]["p50 us"]


def transactions(ways, clients, seconds, rounds):
    def play(way):
        with tempfile.TemporaryDirectory() as logs:
            text = pgbench(way, clients, seconds, "-M", "prepared", "-l", f"--log-prefix={logs}/log",
                           f"--sampling-rate={1 if clients == 1 else SAMPLED}")
            cuts = statistics.quantiles(logged_times(logs), n=100)
        found = {"tps": figure(text, r"tps = ([\d.]+)"), "average ms": figure(text, r"latency average = ([\d.]+)"),
                 "p99 ms": cuts[98] / 1000}
        return found | ({"p50 us": cuts[49]} if clients == 1 else {})
    goals = {"p99 ms": at_most(1.0)} | ({"tps": at_least(1.05)} if clients <= 32 else {})
    return Measure(f"transactions, {crowd(clients)}", ways, play, rounds, goals, ("tps",),
                   add_hop if clients == 1 else None)


def cpu_at_rate(ways, clients, seconds, rounds):
    def play(way):
        before = way.cpu()
        text = pgbench(way, clients, seconds, "-M", "prepared", "-R", str(RATE))
        return {"CPU us/transaction": (way.cpu() - before) * 1e6 / count(text), "tps": figure(text, r"tps = ([\d.]+)")}
    # No proxy, no CPU of it.
    return Measure(f"{RATE}/s, {crowd(clients)}", [way for way in ways if way.program.pids], play, rounds,
                   {"CPU us/transaction": at_most(0.70)}, ("tps",))


def connections(ways, seconds, rounds):
    def play(way):
        before = way.cpu()
        text = pgbench(way, 8, seconds, "-C")
        return {"connections/s": figure(text, r"tps = ([\d.]+)"),
                "CPU us/connection": (way.cpu() - before) * 1e6 / count(text)}
    return Measure("pgbench -C", ways, play, rounds, {"connections/s": at_least(1.0)}, ("connections/s",))
