#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""What Rolegate costs as its work grows; see bench/scale.sh."""

import argparse
import contextlib
import json
import random
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial

sys.dont_write_bytecode = True

import crowd  # noqa: E402
import machine  # noqa: E402
import stage  # noqa: E402
import table  # noqa: E402
import usage  # noqa: E402
from demo.ports import free_port  # noqa: E402
from demo.processes import wait_until  # noqa: E402
from demo.rolegate import Rolegate  # noqa: E402
from fake_patroni import FakePatroni  # noqa: E402

SETTLE = 2      # seconds after the start, and between role changes at least


@dataclass(frozen=True)
class Load:
    sessions: int = 0
    members: int = 3        # of each cluster
    listeners: int = 1      # of each cluster
    clusters: int = 1


# The status of a proxy that has not answered.
NOBODY = {"listeners": {"": {"members": []}}}

LOADS = {
    "sessions": [Load(sessions=count) for count in (10, 1000, 9000)],
    "members": [Load(members=count) for count in (3, 30, 300)],
    "listeners": [Load(listeners=count) for count in (1, 10, 100)],
    "clusters": [Load(clusters=count) for count in (1, 20, 200)],
}


@dataclass
class Cost:
    """CPU in per cent of one core, while nothing happens but looking."""
    control: float
    workers: float
    others: float           # threads that resolve names and the like
    fake: float             # the fake Patroni's: near 100 it is what is slow
    memory: float           # MB resident
    start: float            # seconds until every listener led to a primary
    reactions: list         # ms from a role change to the new primary's being routable
    ends: list              # ms from a role change to the end of the last session of the old primary


class Scene:
    """Rolegate before fake clusters, with as many listeners and sessions as the load says."""

    def __init__(self, directory, load, number):
        self.load, self.directory = load, directory
        self.patroni = FakePatroni(directory, f"127.{100 + number}", load.clusters, load.members,
                                   free_port(), free_port())
        # The first two members lead in turn, and only the first cluster's have sessions.
        self.servers = [crowd.Server(directory, self.patroni.host(0, member), self.patroni.pg_port)
                        for member in (0, 1)] if load.sessions else []
        self.ports = [[free_port() for _ in range(load.listeners)] for _ in range(load.clusters)]
        clusters = {f"c{cluster}": {"patroni": {"members": self.patroni.seeds(cluster)}}
                    for cluster in range(load.clusters)}
        listeners = {f"c{cluster}-{place}": {"bind": f"127.0.0.1:{port}", "cluster": f"c{cluster}", "role": "primary"}
                     for cluster, given in enumerate(self.ports) for place, port in enumerate(given)}
        self.proxy = Rolegate([], directory, 0, 0, free_port(), name=f"rolegate-{number}", process={
            "clusters": clusters, "listeners": listeners, "log": {"level": "warning"}})
        self.leaders = [0] * load.clusters

    def parts(self):
        return [self.patroni, *self.servers]

    def start(self):
        """Until every listener leads to a primary; that may take many clusters longer than the demo's limit."""
        begin = time.monotonic()
        self.proxy.child.start()
        wait_until("Rolegate's admin answers", lambda: self.proxy.child.require_running() and self.proxy.is_live(), 120)
        wait_until("every listener leads to a primary",
                   lambda: all(one["members"] for one in (self.proxy.status() or NOBODY)["listeners"].values()), 60)
        self.start_seconds = time.monotonic() - begin

    def stop(self):
        self.proxy.stop()

    def sessions(self):
        if not self.load.sessions:
            return contextlib.nullcontext()
        return crowd.Idle(self.directory, "127.0.0.1", self.ports[0][0], self.load.sessions)

    def threads(self):
        """CPU seconds so far: control thread, workers, others, the fake."""
        pid = self.proxy.child.pid
        found = {"control": 0.0, "workers": 0.0, "others": 0.0, "fake": usage.cpu(self.patroni.child.pid)}
        for (thread, name), seconds in usage.threads(pid).items():
            kind = "control" if thread == pid else "workers" if name.startswith("worker-") else "others"
            found[kind] += seconds
        return found

    def rest(self, seconds):
        """CPU of each kind of thread, in per cent of a core, and memory, while nothing happens."""
        before, begin = self.threads(), time.monotonic()
        time.sleep(seconds)
        after, past = self.threads(), time.monotonic() - begin
        return {kind: 100 * (after[kind] - before[kind]) / past for kind in before} | {
            "memory": usage.resident(self.proxy.child.pid) / 1e6}

    def change(self, cluster):
        """Another leader in that cluster. Returns when that was, by the wall clock, and the ms until it was seen."""
        leader = self.leaders[cluster] = 1 - self.leaders[cluster]
        at = self.patroni.lead(cluster, leader)

        def promoted():
            wanted = (f"c{cluster}", f"m{leader}")
            # The event's time is cut to whole milliseconds.
            return next((event for event in reversed(self.proxy.events("promoted"))
                         if (event["cluster"], event["to"]) == wanted and moment(event) >= at - 0.001), None)
        event = wait_until("the role change is seen", promoted, 60)
        last = max((step["ms"] for step in event["steps"]), default=0)
        return at, 1000 * (moment(event) - at) + last


def moment(event):
    return datetime.fromisoformat(event["at"]).timestamp()


def play(scene, options, say):
    reactions, ends, cost = [], [], None
    for number in range(options.changes):
        with scene.sessions() as idle:
            # At no fixed distance from the proxy's own rhythm.
            time.sleep(SETTLE + random.random())
            if cost is None:
                say("at rest")
                cost = scene.rest(options.seconds)
            say(f"role change {number + 1} of {options.changes}")
            at, took = scene.change(number % scene.load.clusters)
            reactions.append(took)
            if idle:
                ends.append(1000 * (idle.all_closed(60) - at))
    return Cost(**cost, start=scene.start_seconds, reactions=reactions, ends=ends)


def label(what, load):
    count = getattr(load, what)
    return f"{count:,} {what if count > 1 else what[:-1]}"


def rows(outcome):
    yield ["", "control %", "workers %", "others %", "fake Patroni %", "memory MB", "start s", "seen, ms", "at most",
           "sessions ended, ms"]
    for what, load, cost in outcome:
        yield [label(what, load), *map(table.number, (
            cost.control, cost.workers, cost.others, cost.fake, cost.memory, cost.start,
            statistics.median(cost.reactions), max(cost.reactions),
            statistics.median(cost.ends) if cost.ends else None))]


def bench(on, options):
    described = machine.describe()
    outcome, number = [], 0
    for what in options.only:
        for load in LOADS[what]:
            number += 1
            on.say(label(what, load))
            scene = Scene(on.directory, load, number)
            with contextlib.ExitStack() as parts:
                for part in [*scene.parts(), scene]:
                    parts.callback(part.stop)
                    part.start()
                outcome.append((what, load, play(scene, options, partial(on.say, label(what, load)))))
    on.say("")
    print(f"{table.aligned(list(rows(outcome)))}\n\n"
          "CPU in per cent of a core, at rest. Start: until every listener leads to a primary. Seen: from a role\n"
          f"change of the fake to the new primary's being routable, median and maximum of {options.changes}; sessions "
          "ended:\nto the end of the last one, median.\n"
          f"{machine.text(described)}")
    stage.write(options.out, "scale.json", json.dumps(
        {"machine": described,
         "loads": [asdict(load) | {"grows": what} | asdict(cost) for what, load, cost in outcome]}, indent=1))


def several(text):
    words = text.split(",")
    if not set(words) <= set(LOADS):
        raise argparse.ArgumentTypeError(f"some of {','.join(LOADS)}")
    return words


def main():
    parser = argparse.ArgumentParser(prog="bench/scale.sh", description=__doc__.split(";")[0])
    parser.add_argument("--only", type=several, default=list(LOADS), metavar="NAME,...", help=",".join(LOADS))
    parser.add_argument("--seconds", type=float, default=5, metavar="SECONDS", help="at rest, default %(default)s")
    parser.add_argument("--changes", type=int, default=5, metavar="N", help="of role, each load, default %(default)s")
    parser.add_argument("--out", metavar="DIR", default=stage.RESULTS)
    options = parser.parse_args()
    return stage.play(lambda on: bench(on, options))


if __name__ == "__main__":
    sys.exit(main())
