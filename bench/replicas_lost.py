# SPDX-License-Identifier: PostgreSQL
"""All replicas die at once, and reads go on at the primary: when the proxy knew that, by its own log, and how long after
that the first new session was served there."""

import contextlib
import re
import threading
import time
from dataclasses import dataclass
from datetime import datetime

import psycopg2

from demo import outage
from demo.processes import wait_until
from demo.writer import Reader

INTERVAL = 0.02
# What each says in its log when the primary takes over.
TOLD = re.compile(r"^(\d\S+) .*(?:event=member_up .*listener=read .*rule=fallback |Server read/.* Running on backup)", re.M)


@dataclass
class Seen:
    """Through one proxy. Milliseconds."""
    proxy: str
    known: float        # from the end of the last replica until the log says that the primary stands in
    first_read: float   # from then until the first new session has its answer from the primary
    longest_gap: float  # between two answers
    failed: int         # attempts without a session
    failed_known: int   # those of clients that came when it was known
    total: int


def served_by_replicas(cluster, proxy):
    with contextlib.suppress(psycopg2.Error):
        return all(cluster.query_at(proxy.host, proxy.read_port, "SELECT pg_is_in_recovery()") == [(True,)]
                   for _ in range(6))
    return False


def told_since(proxy, moment):
    """When the log said that the primary stands in, by the monotonic clock as `moment` is; None: not yet."""
    ahead = time.time() - time.monotonic()
    with open(proxy.child.log, errors="replace") as file:
        times = [datetime.fromisoformat(found[1]).timestamp() - ahead for found in TOLD.finditer(file.read())]
    return next((told for told in times if told > moment), None)


def seen(reader, primary, died_at, known_at):
    answered = sorted(attempt.acknowledged for attempt in reader.acknowledged())
    on_primary = [attempt.acknowledged for attempt in reader.acknowledged_since(known_at) if attempt.server == primary]
    failed = [attempt.started for attempt in reader.attempts if attempt.failed_to_connect]
    return Seen(proxy=reader.name, known=1000 * (known_at - died_at), first_read=1000 * (min(on_primary) - known_at),
                longest_gap=1000 * max(later - earlier for earlier, later in zip(answered, answered[1:])),
                failed=len(failed), failed_known=sum(started > known_at for started in failed),
                total=len(reader.attempts))


def play(cluster, proxies):
    """What new readers through each proxy saw of it."""
    cluster.heal(120)
    for proxy in proxies:
        wait_until(f"{proxy.name} leads to replicas", lambda: served_by_replicas(cluster, proxy), 40)   # noqa: B023
    leader, replicas = cluster.leader(), cluster.replicas()
    readers = [Reader(proxy.name, cluster.dsn(proxy.host, proxy.read_port, connect_timeout=30), INTERVAL).start()
               for proxy in proxies]
    try:
        wait_until("all read", lambda: all(len(reader.acknowledged()) > 20 for reader in readers), 20)
        for node in replicas:
            node.kill_all()
        died_at = time.monotonic()
        # A little before, for the log's clock has milliseconds only.
        known = [wait_until(f"{proxy.name} knows", lambda: told_since(proxy, died_at - 0.5), 60)    # noqa: B023
                 for proxy in proxies]
        wait_until("all read from the primary", lambda: all(len([
            attempt for attempt in reader.acknowledged_since(known_at) if attempt.server == leader.postgres]) > 20
            for reader, known_at in zip(readers, known)), 60)
    finally:
        stopping = [threading.Thread(target=reader.stop) for reader in readers]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
    return [seen(reader, leader.postgres, died_at, known_at) for reader, known_at in zip(readers, known)]


TIMES = {"known after the last replica's end, ms": "known", "first read of the primary after that, ms": "first_read",
         "longest time without a read, ms": "longest_gap"}
COUNTS = {"failed attempts": "failed", "failed attempts once it was known": "failed_known",
          "attempts, one every 20 ms": "total"}


def table(rounds):
    """Medians of the times, sums of the counts; proxies side by side."""
    columns = list(zip(*rounds))
    lines = [f"{'':<46}" + "".join(f"{column[0].proxy:>14}" for column in columns)]
    for label, name in TIMES.items():
        cells = [f"{outage.middle(getattr(one, name) for one in column):+.0f}" for column in columns]
        lines.append(f"{label:<46}" + "".join(f"{cell:>14}" for cell in cells))
    for label, name in COUNTS.items():
        cells = [str(sum(getattr(one, name) for one in column)) for column in columns]
        lines.append(f"{label:<46}" + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join(lines)
