# SPDX-License-Identifier: PostgreSQL
"""Switchovers under clients that come for each transaction and clients that keep their session: who comes gets in, who
stays is told to come again, and nothing of either is left in Rolegate."""

import contextlib
import datetime
import os
import re
import threading
import time
from dataclasses import dataclass

import psycopg2

import modes
from comers import PAUSE, Comers
from demo import processes
from demo.processes import wait_until
from footprint import descriptors, memory
from modes import in_each_mode
from raw import RawClient, simple

ROUNDS = int(os.environ.get("ROLEGATE_TEST_SESSION_ROUNDS", "2"))
COMING = KEPT = int(os.environ.get("ROLEGATE_TEST_SESSIONS", "32"))
# Rolegate does not give up before a slow machine has its new primary.
PATIENCE = "90s"
MEGABYTE = 1 << 20
# What Rolegate may grow by from the first round to the last: the log's buffers, the history of role changes, fragments
# of the heap. A leak of one session of each client in each round would be more.
GROWTH = 8 * MEGABYTE


@dataclass
class End:
    how: str            # SQLSTATE of the last words, `silent`, or `reset`
    words: tuple        # texts of all errors at the end
    at: float           # wall clock


class Keepers:
    """Clients that keep their session, every other one idle, and come again when it is ended."""

    def __init__(self, mode, cluster, proxy, count):
        self._make = lambda: RawClient(proxy.host, proxy.write_port, modes.tls_context(mode, cluster), limit=120,
                                       application_name="keeper")
        self.ends = [[] for _ in range(count)]
        self.hosts = [None] * count
        self.refused = []
        self._stop = threading.Event()
        self._clients = {}
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for client in list(self._clients.values()):
            with contextlib.suppress(OSError):
                client.socket.shutdown(2)
        for thread in self._threads:
            thread.join(60 * processes.TIMEOUT_SCALE)

    def _run(self, number):
        while not self._stop.is_set():
            try:
                client = self._make()
            except (OSError, EOFError) as error:
                if not self._stop.is_set():
                    self.refused.append(f"{type(error).__name__}: {error}")
                continue
            self._clients[number] = client
            with client:
                self._stay(number, client)
            self.hosts[number] = None

    def _stay(self, number, client):
        begin = 0
        try:
            row = client.ask(simple("SELECT host(inet_server_addr())"))[1][1]
            self.hosts[number] = row[6:].decode()
            begin = len(client.said)
            while number % 2 and not self._stop.wait(PAUSE):
                begin = len(client.said)
                client.ask(simple("SELECT pg_sleep(0.1)"))
            client.until(b"")   # to the end of the connection
        except EOFError:
            how = "silent"
        except OSError as error:
            how = "reset" if isinstance(error, ConnectionResetError) else repr(error)
        if self._stop.is_set():
            return
        errors = [body for kind, body in client.said[begin:] if kind == b"E"]
        if errors:
            how = re.search(rb"\0C(\w{5})\0", errors[-1])[1].decode()
        words = tuple(re.search(rb"\0M([^\0]*)\0", body)[1].decode() for body in errors)
        self.ends[number].append(End(how, words, time.time()))

    def all_on(self, host):
        return set(self.hosts) == {host}


def sessions(proxy):
    return sum(listener["sessions"] + listener["held"] for listener in proxy.status()["listeners"].values())


def lock_lost_at(proxy, old):
    """Wall clock when Rolegate noticed that the lock had left this member."""
    event = next((event for event in reversed(proxy.events()) if event["from"] == old.name), None)
    step = next((step for step in event["steps"] if step["step"] == "lock_lost"), None) if event else None
    if step is None:
        return None
    began = datetime.datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp()
    return began + step["ms"] / 1000


@in_each_mode
def test_switchovers_under_sessions_that_come_and_stay(cluster, make_rolegate, mode):
    """Whoever comes gets a session of the primary; where TLS is passed through, only the old primary itself, or its
    end, may turn one away. Every session that stays is ended once in each round, with 57P01 where Rolegate can read it,
    and its client gets another one at the first try. When all have gone, no session and no descriptor is left, and
    Rolegate's memory is what it was after the first round."""
    proxy = modes.start(mode, cluster, make_rolegate, dcs=True, queue={"timeout": PATIENCE})
    wait_until("nobody is connected", lambda: sessions(proxy) == 0, 10)
    descriptors_before = descriptors(proxy)
    dsn = cluster.dsn(proxy.host, proxy.write_port, connect_timeout=int(90 * processes.TIMEOUT_SCALE),
                      **modes.options(mode, cluster))
    sizes, after_lock, shown = [], [], []
    with Comers(dsn, COMING) as comers, Keepers(mode, cluster, proxy, KEPT) as keepers:
        for number in range(ROUNDS):
            cluster.wait_healthy()
            old = cluster.leader()
            wait_until("all sessions are on the primary", lambda: keepers.all_on(old.host), 60)  # noqa: B023
            _, new = cluster.switchover()
            wait_until("all sessions are on the new primary", lambda: keepers.all_on(new.host), 90)  # noqa: B023
            last = max(ends[-1].at for ends in keepers.ends)
            lost = lock_lost_at(proxy, old)
            if lost is not None:
                after_lock.append(1000 * (last - lost))
            served = comers.served
            wait_until("others are served", lambda: comers.served > served + COMING, 60)  # noqa: B023
            sizes.append(memory(proxy))
            shown.append(f"{descriptors(proxy)} descriptors, {sizes[-1] / MEGABYTE:.1f} MB")
            assert [len(ends) for ends in keepers.ends] == [number + 1] * KEPT, "a session was not ended, or twice"

    ways = {}
    for end in (end for ends in keepers.ends for end in ends):
        ways[end.how, end.words] = ways.get((end.how, end.words), 0) + 1
    refused = comers.refused + keepers.refused
    print(f"\n{mode}: {ROUNDS} switchovers, {comers.served} sessions came and went, {comers.interrupted} interrupted, "
          f"{len(refused)} refused {set(refused) or ''}")
    print("\n".join(f"{count:>6} ended: {how} {words}" for (how, words), count in ways.items()))
    print("last end after the lock was seen lost, ms: " + " ".join(f"{ms:+.0f}" for ms in after_lock))
    print("after each round: " + "; ".join(shown[:3] + shown[-3:] if len(shown) > 6 else shown))

    assert {end.how for ends in keepers.ends for end in ends} <= \
        ({"57P01", "silent", "reset"} if mode == "passthrough" else {"57P01"})
    if mode != "passthrough":
        assert refused == []
    assert not [text for text in refused if "standby" in text]
    wait_until("no session is left", lambda: sessions(proxy) == 0, 30)
    # The connections to etcd and to Patroni come and go.
    wait_until(f"no descriptor is left (at first {descriptors_before})",
               lambda: descriptors(proxy) <= descriptors_before + 4, 30)
    print(f"descriptors: {descriptors_before} before, {descriptors(proxy)} afterwards")
    assert sizes[-1] - sizes[0] <= GROWTH, [f"{size / MEGABYTE:.1f}" for size in sizes]
