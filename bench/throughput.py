#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Transactions, CPU, connections and bulk data through each contender; see bench/run.sh.

Every measure is a round over all contenders, in an order that moves on by one each time; ratios are taken within a round
and their median is shown, so that a machine that is busy for a while does not favour anybody.
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import contenders  # noqa: E402
from demo.patroni_cluster import Cluster, Settings  # noqa: E402

YARDSTICK = "HAProxy"
RATE = 8000
ROW = "SELECT repeat('x', 1000) FROM generate_series(1, {rows})"


class Measure:
    """`play` gives figures by name for one contender; more of `higher` is better, less of all others."""

    def __init__(self, label, play, higher=()):
        self.label, self.play, self.higher = label, play, higher
        self.rounds = []  # contender: figures


def environment(contender):
    return {"PATH": os.environ["PATH"], "PGHOST": contender.host, "PGPORT": str(contender.port), "PGUSER": "postgres",
            "PGDATABASE": "postgres", "PGSSLMODE": "disable", "PGGSSENCMODE": "disable", "LC_ALL": "C"}


def run(contender, argv, **more):
    done = subprocess.run(argv, env=environment(contender), capture_output=True, text=True, timeout=300, **more)
    if done.returncode:
        raise RuntimeError(f"{contender.name}: {' '.join(argv)}: {done.stderr.strip()[-500:]}")
    return done.stdout


def pgbench(contender, *words):
    return run(contender, ["pgbench", "-n", "-S", *words])


def figure(text, pattern):
    return float(re.search(pattern, text)[1])


def transactions(clients, seconds):
    def play(contender):
        with tempfile.TemporaryDirectory() as logs:
            text = pgbench(contender, "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2)), "-T", str(seconds),
                           "-l", "--sampling-rate=0.05", f"--log-prefix={logs}/log")
            times = []
            for name in os.listdir(logs):
                with open(f"{logs}/{name}") as file:
                    times += [int(line.split()[2]) for line in file]
        return {"tps": figure(text, r"tps = ([\d.]+)"), "avg ms": figure(text, r"latency average = ([\d.]+)"),
                "p99 ms": statistics.quantiles(times, n=100)[98] / 1000}
    return Measure(f"{clients} clients", play, ("tps",))


def cpu_at_rate(clients, seconds):
    def play(contender):
        before = contender.cpu()
        text = pgbench(contender, "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2)), "-T", str(seconds),
                       "-R", str(RATE))
        count = figure(text, r"number of transactions actually processed: (\d+)")
        return {"us CPU/transaction": (contender.cpu() - before) * 1e6 / count, "tps": figure(text, r"tps = ([\d.]+)")}
    return Measure(f"{RATE} a second, {clients} clients", play, ("tps",))


def connections(seconds):
    def play(contender):
        before = contender.cpu()
        text = pgbench(contender, "-C", "-c", "8", "-j", "2", "-T", str(seconds))
        count = figure(text, r"number of transactions actually processed: (\d+)")
        return {"connections/s": figure(text, r"tps = ([\d.]+)"),
                "us CPU/connection": (contender.cpu() - before) * 1e6 / count}
    return Measure("pgbench -C", play, ("connections/s",))


def bulk(direction, rows):
    """MB/s, and CPU of the proxy per GB; rows are a kilobyte each."""
    size = rows * 1001 / 1e6
    data = "x" * 1000 + "\n"

    def play(contender):
        before = contender.cpu()
        if direction == "out":
            argv = ["psql", "-qAtXc", "\\timing on", "-c", f"COPY ({ROW.format(rows=rows)}) TO STDOUT", "-o", "/dev/null"]
            text = run(contender, argv)
        else:
            text = run(contender, ["psql", "-qAtXc", "CREATE TEMPORARY TABLE t (v text)", "-c", "\\timing on", "-c",
                                   "COPY t FROM STDIN"], input=data * rows)
        seconds = figure(text, r"Time: ([\d.]+) ms") / 1000
        return {"MB/s": size / seconds, "s CPU/GB": (contender.cpu() - before) / (size / 1000)}
    return Measure(f"COPY {direction}", play, ("MB/s",))


def plan(kind):
    if kind == "quick":
        return 3, [transactions(8, 2), cpu_at_rate(16, 2), connections(2), bulk("out", 200000)]
    return 5, [*(transactions(clients, 4) for clients in (1, 8, 32, 128)),
               *(cpu_at_rate(clients, 4) for clients in (1, 16, 64)),
               connections(4), bulk("out", 500000), bulk("in", 500000)]


def ratio(rounds, name, what):
    pairs = [r[name][what] / r[YARDSTICK][what] for r in rounds if r[YARDSTICK][what] > 0]
    return statistics.median(pairs) if pairs else float("nan")


def table(measures, names):
    lines = ["| | | " + " | ".join(names) + f" | Rolegate / {YARDSTICK} |", "|---" * (len(names) + 3) + "|"]
    for measure in measures:
        for what in measure.rounds[0][YARDSTICK]:
            cells = []
            for name in names:
                value = statistics.median(r[name][what] for r in measure.rounds)
                cells.append("" if name == "direct" and "CPU" in what else f"{value:,.0f}" if value >= 100 else f"{value:.3g}")
            lines.append(f"| {measure.label} | {what} | " + " | ".join(cells) +
                         f" | {ratio(measure.rounds, 'Rolegate', what):.2f} |")
    return "\n".join(lines)


def chart(measures):
    """Ratios to the yardstick, turned so that longer is better."""
    bars = []
    for measure in measures:
        for what in measure.rounds[0][YARDSTICK]:
            value = ratio(measure.rounds, "Rolegate", what)
            bars.append((f"{measure.label}: {what}", value if what in measure.higher else 1 / value if value else 0))
    height, wide, origin = 22, 300, 330
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height * len(bars) + 50}" '
             'font-family="sans-serif" font-size="12">',
             f'<text x="8" y="18">Rolegate against {YARDSTICK}: as good at the line, better to its right</text>']
    for number, (label, value) in enumerate(bars):
        y = 32 + number * height
        color = "#2a7" if value >= 1 else "#c63"
        lines.append(f'<text x="8" y="{y + 14}">{label}</text>'
                     f'<rect x="{origin}" y="{y + 3}" width="{min(value, 1.4) * wide:.0f}" height="{height - 8}" fill="{color}"/>'
                     f'<text x="{origin + min(value, 1.4) * wide + 5:.0f}" y="{y + 14}">{value:.2f}</text>')
    lines.append(f'<line x1="{origin + wide}" x2="{origin + wide}" y1="28" y2="{36 + height * len(bars)}" stroke="#333"/></svg>')
    return "\n".join(lines) + "\n"


def machine():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    return {"cpu": model[1] if model else platform.machine(), "cpus": os.cpu_count(), "kernel": platform.release()}


def measure_all(measures, rounds, all_of_them):
    for number in range(rounds):
        for measure in measures:
            found = {}
            turn = (number + measures.index(measure)) % len(all_of_them)
            for contender in all_of_them[turn:] + all_of_them[:turn]:
                print(f"\r\033[Kround {number + 1} of {rounds}: {measure.label}, {contender.name}", end="", file=sys.stderr,
                      flush=True)
                found[contender.name] = measure.play(contender)
            measure.rounds.append(found)
    print("\r\033[K", end="", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(prog="bench/run.sh")
    parser.add_argument("kind", nargs="?", choices=("quick", "full"), default="full")
    parser.add_argument("--out", metavar="DIR", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "results"))
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    rounds, measures = plan(options.kind)
    directory = tempfile.mkdtemp(prefix="rolegate-bench-")
    os.chmod(directory, 0o755)
    cluster = Cluster(Settings(directory=directory, prefix="127.0.3", scope="bench", nodes=1))
    started = []
    try:
        cluster.start()
        node = cluster.leader()
        all_of_them = [kind(node, directory) for kind in contenders.ALL]
        run(all_of_them[0], ["pgbench", "-i", "-q", "-s", "10"])
        for contender in all_of_them:
            started.append(contender)
            contender.start()
        measure_all(measures, rounds, all_of_them)
        print(f"{machine()}\n\n{table(measures, [c.name for c in all_of_them])}")
        os.makedirs(options.out, exist_ok=True)
        with open(f"{options.out}/results.json", "w") as file:
            json.dump({"machine": machine(), "kind": options.kind,
                       "rounds": {m.label: m.rounds for m in measures}}, file, indent=1)
        with open(f"{options.out}/results.svg", "w") as file:
            file.write(chart(measures))
    except KeyboardInterrupt:
        return 130
    finally:
        for contender in started:
            contender.stop()
        cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
