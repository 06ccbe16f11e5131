#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Rolegate and HAProxy in the same role changes of one three-node Patroni cluster.

switchover: as `patronictl switchover` does it. crash: kill -9 of the leader's PostgreSQL and Patroni. orphan: kill -9
of its Patroni alone, so that PostgreSQL goes on and nobody but a proxy keeps clients from it. replicas: kill -9 of all
replicas, whose reads the primary then gets (`fallback: primary`; a backup server). See bench/failover.sh.
"""

import argparse
import contextlib
import json
import os
import sys
from dataclasses import asdict, dataclass

sys.dont_write_bytecode = True

import psycopg2  # noqa: E402

import machine  # noqa: E402
import replicas_lost  # noqa: E402
import stage  # noqa: E402
from demo import outage, ports  # noqa: E402
from demo.haproxy import HAProxy  # noqa: E402
from demo.outage import Measurement  # noqa: E402
from demo.processes import Timeout, wait_until  # noqa: E402
from demo.rolegate import Rolegate, binary  # noqa: E402
from demo.writer import CREATE  # noqa: E402
from lock_watch import LockWatch  # noqa: E402
from resident import Resident  # noqa: E402

# Patroni's smallest ttl, with a short loop: a dead leader is replaced after 20 s instead of 30 s.
TTL, LOOP_WAIT, RETRY_TIMEOUT = 20, 2, 4
# Patroni's documentation has 3s; many make it 1s.
CHECK = "inter {}s fall 3 rise 2 on-marked-down shutdown-sessions"
# Longer than a failover takes, as the reference of the configuration asks.
HELD = {"queue": {"timeout": "60s"}}

KINDS = ("rolegate", "rolegate-etcd", "haproxy-1s", "haproxy-3s")


@dataclass
class Seen:
    """What a session of long standing saw, beside demo.outage's Outage of new ones."""
    outlived: float     # ms from the loss of the lock to the end of the session; below nothing: it was ended before
    stale: int          # its writes that the old primary took after the new one had taken one


def make_proxy(kind, cluster, sql):
    directory = cluster.settings.directory
    given = [ports.free_port() for _ in range(3)]
    if kind.startswith("haproxy"):
        return HAProxy(cluster, directory, *given, name=kind, check=CHECK.format(kind[-2]), fallback=True)
    part = {"dcs": cluster.dcs()} if kind.endswith("etcd") else {}
    if sql:
        part["sql"] = {"user": "postgres", "password": cluster.settings.password}
    proxy = Rolegate([node.rest for node in cluster.nodes], directory, *given, name=kind, cluster=part, write=HELD,
                     read={"fallback": "primary"})
    proxy.name = kind
    return proxy


def leads_to_primary(cluster, proxy):
    """HAProxy believes in all servers until it has checked them; afterwards every session is on the primary."""
    leader = cluster.leader()
    with contextlib.suppress(psycopg2.Error):
        found = {cluster.query_at(proxy.host, proxy.write_port, "SELECT host(inet_server_addr())")[0][0]
                 for _ in range(6)}
        return leader is not None and found == {leader.host}
    return False


EVENTS = {
    "switchover": ("switchover", lambda cluster, leader: cluster.switchover()),
    "crash": ("kill -9 of the leader's PostgreSQL and Patroni", lambda cluster, leader: leader.kill_all()),
    "orphan": ("kill -9 of the leader's Patroni alone", lambda cluster, leader: leader.kill_patroni()),
    "replicas": ("kill -9 of PostgreSQL and Patroni of all replicas", None),
}


def seen(resident, lost_at, opened_at):
    end = resident.ended
    return Seen(outlived=1000 * (end - lost_at) if end and lost_at else float("nan"),
                stale=sum(moment > opened_at for moment in resident.writes))


def play(cluster, proxies, event):
    """One event: what the clients of each proxy saw of it, new ones and those of long standing."""
    _, act = EVENTS[event]
    cluster.heal(120)
    for proxy in proxies:
        wait_until(f"{proxy.name} leads to the primary", lambda: leads_to_primary(cluster, proxy), 40)  # noqa: B023
    leader = cluster.leader()
    with contextlib.ExitStack() as around:
        lock = around.enter_context(LockWatch(cluster))
        measurement = around.enter_context(Measurement(cluster, proxies))
        residents = [around.enter_context(Resident(
            proxy.name, cluster.dsn(proxy.host, proxy.write_port, connect_timeout=30))) for proxy in proxies]
        wait_until("the old sessions write", lambda: all(len(resident.writes) > 10 for resident in residents), 20)
        act(cluster, leader)
        measurement.wait_over(120)
        # Who has not ended its session by now never does.
        with contextlib.suppress(Timeout):
            wait_until("old sessions end", lambda: all(resident.ended for resident in residents), 15)
    _, opened_at = measurement.prober.opened()
    lost_at = lock.lost(leader.name)
    return measurement.outages(), [seen(resident, lost_at, opened_at) for resident in residents]


def table(rounds):
    """Medians of the times, sums of the counts; proxies side by side."""
    columns = [outage.median(column) for column in zip(*(outages for outages, _ in rounds))]
    lines = [outage.table(columns)]
    standing = list(zip(*(residents for _, residents in rounds)))
    rows = [("old session ended after the lock was lost, ms",
             [f"{outage.middle(s.outlived for s in of):+.0f}" for of in standing]),
            ("old sessions that were never ended", [str(sum(s.outlived != s.outlived for s in of)) for of in standing]),
            ("stale writes of old sessions", [str(sum(s.stale for s in of)) for of in standing])]
    return "\n".join(lines + [f"{label:<46}" + "".join(f"{cell:>14}" for cell in cells) for label, cells in rows])


def play_all(on, cluster, proxies, event, count):
    """So many rounds of one event: what they look like, and what is kept of them."""
    rounds = []
    text, act = EVENTS[event]
    for number in range(count):
        on.say(text, f"{number + 1} of {count}")
        rounds.append(replicas_lost.play(cluster, proxies) if act is None else play(cluster, proxies, event))
    on.say("")
    if act is None:
        return replicas_lost.table(rounds), [[asdict(one) for one in each] for each in rounds]
    return table(rounds), [[asdict(o) | {"standing": asdict(s)} for o, s in zip(*one)] for one in rounds]


def bench(on, options):
    described = machine.describe()
    on.say("the cluster starts")
    cluster = on.cluster(ttl=TTL, loop_wait=LOOP_WAIT, retry_timeout=RETRY_TIMEOUT, etcds=3)
    cluster.query(cluster.leader(), CREATE)
    proxies = [on.start(make_proxy(kind, cluster, options.sql)) for kind in options.proxies]
    outcome = {}
    for event in options.events:
        text, outcome[event] = play_all(on, cluster, proxies, event, options.rounds)
        print(f"{EVENTS[event][0]}, {options.rounds} times: medians of the times, sums of the counts\n{text}\n",
              flush=True)
    print(machine.text(described))
    stage.write(options.out, "failover.json", json.dumps({"machine": described, "events": outcome}, indent=1))


def several(known):
    def parse(text):
        words = text.split(",")
        if not set(words) <= set(known):
            raise argparse.ArgumentTypeError(f"some of {','.join(known)}")
        return words
    return parse


def main():
    parser = argparse.ArgumentParser(prog="bench/failover.sh", description=__doc__.split("\n\n")[1])
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of each event, default %(default)s")
    for option, known in (("--events", EVENTS), ("--proxies", KINDS)):
        parser.add_argument(option, type=several(known), default=list(known), metavar="NAME,...", help=",".join(known))
    parser.add_argument("--sql", action="store_true", help="let Rolegate ask PostgreSQL as well")
    parser.add_argument("--out", metavar="DIR", default=stage.RESULTS)
    options = parser.parse_args()
    if not os.access(binary(), os.X_OK):
        parser.error(f"{binary()} is missing; bench/failover.sh builds it")
    return stage.play(lambda on: bench(on, options))


if __name__ == "__main__":
    sys.exit(main())
