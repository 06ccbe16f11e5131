#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Transactions, CPU, connections, memory and bulk data through each contender; see bench/run.sh."""

import argparse
import json
import sys
import time
from types import SimpleNamespace

sys.dont_write_bytecode = True

import bulk  # noqa: E402
import contenders  # noqa: E402
import crowd  # noqa: E402
import machine  # noqa: E402
import sessions  # noqa: E402
import stage  # noqa: E402
import table  # noqa: E402
import transactions  # noqa: E402
from certificate import Certificate  # noqa: E402
from contenders import CLEAR, ENDED, PASSED, ways  # noqa: E402
from demo.ports import free_port  # noqa: E402
from fake_patroni import FakePatroni  # noqa: E402
from measure import play_all  # noqa: E402

FAKES = "127.20"    # address of the fake server
IDLE = 5000


def quick(real, fake, directory):
    """Every kind of measure, once or little more: about two minutes."""
    return [
        sessions.idle(ways(fake, CLEAR), IDLE, 1, directory),
        transactions.transactions(ways(real, CLEAR), 1, 1, 2),
        transactions.transactions(ways(real, CLEAR), 8, 1, 2),
        transactions.transactions(ways(real, PASSED), 8, 1, 2),
        transactions.transactions(ways(real, ENDED), 8, 1, 2),
        transactions.cpu_at_rate(ways(real, CLEAR), 16, 1, 3),
        transactions.cpu_at_rate(ways(real, PASSED), 16, 1, 3),
        transactions.connections(ways(real, CLEAR), 1, 2),
        sessions.connect_rate(ways(fake, CLEAR), 1, 2, directory),
        bulk.copy_out(ways(real, CLEAR), 200, 2),
        bulk.copy_in(ways(real, CLEAR), 200, 2, directory),
    ]


def full(real, fake, directory):
    """Whole seconds of pgbench; what they add up to is under twenty minutes."""
    measures = [sessions.idle(ways(fake, CLEAR), IDLE, 3, directory)]
    for clients in (1, 8, 32, 128):
        measures += [transactions.transactions(ways(real, CLEAR), clients, 2, 5),
                     transactions.transactions(ways(real, PASSED), clients, 2, 3),
                     transactions.transactions(ways(real, ENDED), clients, 2, 3)]
    for clients in (1, 16, 64):
        measures += [transactions.cpu_at_rate(ways(real, mode), clients, 2, 5) for mode in (CLEAR, PASSED)]
    return measures + [
        *(transactions.connections(ways(real, mode), 2, 3) for mode in (CLEAR, PASSED, ENDED)),
        sessions.connect_rate(ways(fake, CLEAR), 2, 5, directory),
        *(bulk.copy_out(ways(real, mode), 300, 5 if mode == CLEAR else 3) for mode in (CLEAR, PASSED)),
        *(bulk.copy_in(ways(real, mode), 300, 5 if mode == CLEAR else 3, directory) for mode in (CLEAR, PASSED)),
    ]


PLANS = {"quick": quick, "full": full}


def start_programs(on, server, certificate):
    return [on.start(kind(server, on.directory, certificate)) for kind in contenders.ALL]


def start_fake(on):
    """A server that costs next to nothing, behind a Patroni that is not there."""
    patroni = on.start(FakePatroni(on.directory, FAKES, members=1, rest_port=free_port(), pg_port=free_port()))
    on.start(crowd.Server(on.directory, patroni.host(), patroni.pg_port))
    return SimpleNamespace(host=patroni.host(), pg_port=patroni.pg_port, rest_port=patroni.rest_port,
                           rest=patroni.seeds()[0])


def summary(measures):
    return [{"measure": m.label, "mode": m.mode, "yardstick": m.yardstick, "seconds": m.seconds,
             "figures": {figure: {"ratio": m.ratio(figure), "goal": str(m.goals.get(figure) or ""),
                                  "medians": {name: m.median(name, figure) for name in m.rounds[0]}}
                         for figure in m.figures()}, "rounds": m.rounds} for m in measures]


def compare(on, options):
    begin = time.monotonic()
    described = machine.describe()
    on.say("PostgreSQL starts")
    certificate = Certificate(on.directory)
    cluster = on.cluster(nodes=1, parameters=certificate.postgres())
    real = start_programs(on, cluster.leader(), certificate)
    fake = start_programs(on, start_fake(on), certificate)
    transactions.prepare(ways(real, CLEAR)[0])
    measures = PLANS[options.kind](real, fake, on.directory)
    play_all(measures, on.say)
    on.say("")
    took = time.monotonic() - begin
    print(f"{table.comparison(measures, contenders.NAMES)}\n\n"
          "Medians of rounds that took turns; ratio: Rolegate to HAProxy within a round, of the same.\n"
          f"{machine.text(described)}; {options.kind}, {took:.0f} s")
    stage.write(options.out, "results.json", json.dumps(
        {"machine": described, "kind": options.kind, "seconds": took, "measures": summary(measures)}, indent=1))
    stage.write(options.out, "results.svg", table.chart(measures))


def main():
    parser = argparse.ArgumentParser(prog="bench/run.sh")
    parser.add_argument("kind", nargs="?", choices=PLANS, default="full")
    parser.add_argument("--out", metavar="DIR", default=stage.RESULTS)
    options = parser.parse_args()
    return stage.play(lambda on: compare(on, options))


if __name__ == "__main__":
    sys.exit(main())
