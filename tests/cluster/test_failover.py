# SPDX-License-Identifier: PostgreSQL
"""The primary changes, by will or by force."""

import threading
import time

from clients import RawSession, ask, session, where, write_row
from demo.outage import Measurement, table
from demo.processes import wait_until
from demo.writer import CREATE

FOLLOWS = ("SELECT host(inet_server_addr()), pg_is_in_recovery(), "
           "EXISTS (SELECT FROM writes WHERE id = %s)")


class Reader:
    """Opens a session on the read port again and again and remembers what it saw there."""

    def __init__(self, cluster, rolegate, marker):
        self.seen = []
        self.errors = []
        self._cluster, self._rolegate, self._marker = cluster, rolegate, marker
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(30)

    def hosts(self):
        return {host for host, _, _ in self.seen}

    def _run(self):
        while not self._stop.wait(0.02):
            try:
                with session(self._cluster, self._rolegate, self._rolegate.read_port) as connection:
                    self.seen.append(ask(connection, FOLLOWS, self._marker)[0])
            except Exception as error:  # noqa: BLE001 - every kind of failure counts
                self.errors.append(str(error))


def test_b1_b2_ctrl_c_of_the_leader_and_its_return(cluster, rolegate):
    """B1: Ctrl-C of Patroni on the leader, a replica is promoted. Writes go on at the new leader without a failed
    connection, and sessions on the old one end.

    B2: the old leader comes back as a replica on the new timeline. It gets reads only when it follows the new
    leader: no read through the proxy lacks the row written after the failover.
    """
    old = cluster.leader()
    cluster.query(old, CREATE)
    idle = RawSession(rolegate.host, rolegate.write_port)

    with Measurement(cluster, [rolegate]) as measurement:
        old.stop()
        measurement.wait_over()
    outage, = measurement.outages()

    outage.require_clean()
    assert idle.goodbye(limit=10) in ("57P01", None)

    new = cluster.leader()
    marker = f"after-failover-{time.monotonic()}"
    write_row(cluster, rolegate, marker)
    other = next(node for node in cluster.nodes if node not in (old, new))
    wait_until("the remaining replica has the row",
               lambda: cluster.query(other, "SELECT 1 FROM writes WHERE id = %s", marker), 20)
    with Reader(cluster, rolegate, marker) as reader:
        old.start()
        wait_until("the old leader gets reads", lambda: old.host in reader.hosts(), 60)

    assert {(standby, follows) for _, standby, follows in reader.seen} == {(True, True)}
    assert new.host not in reader.hosts()
    assert reader.errors == []


def test_b3_switchover(cluster, rolegate):
    """B3: `patronictl switchover`. No failed attempt for clients that connect anew; sessions on the old leader end."""
    idle = RawSession(rolegate.host, rolegate.write_port)

    with Measurement(cluster, [rolegate]) as measurement:
        old, new = cluster.switchover()
        measurement.wait_over()
    outage, = measurement.outages()

    outage.require_clean()
    assert idle.goodbye(limit=10) in ("57P01", None)
    assert where(cluster, rolegate, rolegate.write_port) == (new.name, False)
    rolegate.wait_routable("write", [new.name])
    print("\n" + table([outage]))


def test_b7_kill_of_postgres_on_the_leader(cluster, rolegate):
    """B7: `kill -9` of PostgreSQL on the leader; Patroni restarts it on the same node, the lock does not move.

    New connections wait and go on; none fails.
    """
    leader = cluster.leader()
    cluster.query(leader, CREATE)
    with Measurement(cluster, [rolegate]) as measurement:
        killed_at = time.monotonic()
        old_postmaster = leader.postmaster_pid()
        leader.kill_postgres()
        wait_until("Patroni started PostgreSQL again",
                   lambda: leader.postmaster_pid() not in (None, old_postmaster), 60)
        cluster.wait_healthy()
        writer, = measurement.writers
        wait_until("writes go on", lambda: len(writer.acknowledged_since(killed_at)) > 20, 60)

    assert [attempt.error for attempt in writer.attempts if attempt.failed_to_connect] == []
    assert {attempt.server for attempt in writer.acknowledged()} == {leader.postgres}
    assert [attempt for attempt in writer.attempts if attempt.reached_standby] == []
