# SPDX-License-Identifier: PostgreSQL
"""Patroni dies on the leader, PostgreSQL lives on: the road to two primaries."""

import time

from clients import where
from demo.outage import Measurement, table
from demo.processes import wait_until
from demo.writer import SteadyWriter


def test_b5_kill_of_patroni_on_the_leader(cluster, rolegate):
    """B5: `kill -9` of Patroni on the leader. Nobody stops its PostgreSQL, and after the ttl a replica is promoted:
    two servers take writes, and those of the old one are lost when its Patroni returns.

    While the lock lives the old primary is the lawful one, and goes on serving through the proxy. Not one write is
    acknowledged by it once the new primary takes writes, neither to clients that connect anew nor to one that writes
    without pause on a session of long standing.
    """
    old = cluster.leader()
    with Measurement(cluster, [rolegate]) as measurement:
        steady = SteadyWriter("steady", cluster.dsn(rolegate.host, rolegate.write_port, connect_timeout=30)).start()
        wait_until("the steady client writes", steady.acknowledged, 10)
        killed_at = time.monotonic()
        old.kill_patroni()
        wait_until("writes go on five seconds later, on the old primary",
                   lambda: measurement.writers[0].acknowledged_since(killed_at + 5), 20)
        assert where(cluster, rolegate, rolegate.write_port) == (old.name, False)
        assert measurement.prober.opened() is None, "the lock is to live longer than that"
        measurement.wait_over(90)
        new_primary, opened_at = measurement.prober.opened()
        wait_until("the steady client writes to the new primary",
                   lambda: any(attempt.server == new_primary for attempt in steady.acknowledged()), 60)
        steady.stop()
    outage, = measurement.outages()

    late = [attempt for attempt in steady.acknowledged()
            if attempt.server != new_primary and attempt.acknowledged > opened_at]
    assert late == [], f"{len(late)} writes of the steady client, the last {late[-1].acknowledged - opened_at:.3f} s late"
    assert (outage.stale, outage.on_standby) == (0, 0), table([outage])
    assert old.postmaster_pid(), "the old primary was to live on"
    lawful = max(attempt.acknowledged for attempt in measurement.writers[0].acknowledged()
                 if attempt.server == old.postgres)
    print(f"\nthe old primary's last write came {opened_at - lawful:.3f} s before the new one's first")
    print(table([outage]))
