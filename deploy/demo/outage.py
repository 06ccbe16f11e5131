# SPDX-License-Identifier: PostgreSQL
"""One role change under writing clients, measured through several proxies at once."""

import statistics
import threading
from dataclasses import dataclass

from .processes import wait_until
from .prober import Prober
from .writer import CREATE, Writer


@dataclass
class Outage:
    """What the clients of one proxy saw. Milliseconds."""
    proxy: str
    longest_gap: float        # between two acknowledged inserts
    first_write_delay: float  # first write through the proxy, after the new primary first took one asked directly
    failed: int               # attempts that could not connect
    interrupted: int          # the server was shut down under the insert: beyond any proxy's power
    on_standby: int           # sessions of the write port that reached a standby
    stale: int                # acknowledged by another server after the new primary took writes
    total: int
    offences: tuple = ()      # what no client should have seen, in words

    def require_clean(self, when=""):
        """No failed attempt, nobody on a standby, no stale write."""
        assert (self.failed, self.on_standby, self.stale) == (0, 0, 0), "\n".join(
            filter(None, (when, table([self]), *self.offences)))


def describe(attempt, opened_at):
    """One attempt; times in milliseconds after the new primary first took a write."""
    def at(moment):
        return "never" if moment is None else f"{1000 * (moment - opened_at):+.0f}"
    return (f"attempt {attempt.id}: started {at(attempt.started)}, connected {at(attempt.connected)}, "
            f"acknowledged {at(attempt.acknowledged)} by {attempt.server}, ended {at(attempt.ended)}: {attempt.error}")


def summarize(writer, new_primary, opened_at):
    times = sorted(attempt.acknowledged for attempt in writer.acknowledged())
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    on_new = [attempt.acknowledged for attempt in writer.acknowledged() if attempt.server == new_primary]
    stale = [attempt for attempt in writer.acknowledged_since(opened_at) if attempt.server != new_primary]
    attempts = list(writer.attempts)
    offences = [attempt for attempt in attempts if attempt.failed_to_connect or attempt.reached_standby] + stale
    return Outage(
        proxy=writer.name,
        longest_gap=1000 * max(gaps, default=float("nan")),
        first_write_delay=1000 * (min(on_new) - opened_at) if on_new else float("nan"),
        failed=sum(attempt.failed_to_connect for attempt in attempts),
        interrupted=sum(attempt.interrupted for attempt in attempts),
        on_standby=sum(attempt.reached_standby for attempt in attempts),
        stale=len(stale),
        total=len(attempts),
        offences=tuple(describe(attempt, opened_at) for attempt in offences[:10]))


class Measurement:
    """Writers through every proxy, and a prober at the nodes that are not the primary yet."""

    def __init__(self, cluster, proxies):
        self.cluster = cluster
        leader = cluster.leader()
        cluster.query(leader, CREATE)
        self.old_primary = leader.postgres
        # A client's patience is longer than any hold of a proxy, so a failure is the proxy's word.
        self.writers = [Writer(proxy.name, cluster.dsn(proxy.host, proxy.write_port, connect_timeout=30))
                        for proxy in proxies]
        self.prober = Prober(cluster, [node for node in cluster.nodes if node is not leader])

    def __enter__(self):
        for writer in self.writers:
            writer.start()
        self.prober.start()
        self._wait_written(10, "before the change", since=0)
        return self

    def __exit__(self, *_):
        # All at once: a writer's stop waits for its attempts under way.
        stopping = [threading.Thread(target=writer.stop) for writer in self.writers]
        for thread in stopping:
            thread.start()
        self.prober.stop()
        for thread in stopping:
            thread.join()

    def wait_over(self, limit=60):
        """Until every writer has written to the new primary for a while."""
        _, opened_at = wait_until("another node takes a write", self.prober.opened, limit, every=0.01)
        self._wait_written(20, "after the change", since=opened_at, limit=limit)

    def _wait_written(self, count, when, since, limit=30):
        for writer in self.writers:
            wait_until(f"{writer.name}: {count} inserts {when}",
                       lambda: len(writer.acknowledged_since(since)) >= count, limit)  # noqa: B023

    def outages(self):
        new_primary, opened_at = self.prober.opened()
        return [summarize(writer, new_primary, opened_at) for writer in self.writers]


    def acknowledged_rows(self):
        return {attempt.id for writer in self.writers for attempt in writer.acknowledged()}


def measure_switchover(cluster, proxies):
    """One switchover, and what came of it: ask the result for its outages and its rows."""
    with Measurement(cluster, proxies) as measurement:
        cluster.switchover()
        measurement.wait_over()
    return measurement


ROWS = [
    ("write outage, ms", lambda o: f"{o.longest_gap:.0f}"),
    ("first write after the new primary's own, ms", lambda o: f"{o.first_write_delay:+.0f}"),
    ("failed connection attempts", lambda o: str(o.failed)),
    ("interrupted in flight by the shutdown", lambda o: str(o.interrupted)),
    ("sessions that reached a standby", lambda o: str(o.on_standby)),
    ("stale writes", lambda o: str(o.stale)),
    ("attempts, one every 50 ms", lambda o: str(o.total)),
]


def table(outages):
    """Proxies side by side."""
    head = f"{'':<46}" + "".join(f"{outage.proxy:>14}" for outage in outages)
    return "\n".join([head] + [
        f"{label:<46}" + "".join(f"{show(outage):>14}" for outage in outages) for label, show in ROWS])


def middle(values):
    """The median of those that are known, which nan is not."""
    known = [value for value in values if value == value]
    return statistics.median(known) if known else float("nan")


def median(outages):
    """One outage with the median times and the summed counts of several through the same proxy."""
    def middle_of(name):
        return middle(getattr(outage, name) for outage in outages)

    def total(name):
        return sum(getattr(outage, name) for outage in outages)
    return Outage(outages[0].proxy, middle_of("longest_gap"), middle_of("first_write_delay"),
                  *(total(name) for name in ("failed", "interrupted", "on_standby", "stale", "total")))
