# SPDX-License-Identifier: PostgreSQL
"""etcd itself fails, in part or as a whole, for all."""

import threading
import time

import psycopg2

from clients import ask, session, where, write_row
from demo import ports
from demo.outage import measure_switchover
from demo.processes import wait_until
from demo.prober import Prober
from demo.writer import CREATE, SteadyWriter, Writer
from witness import Resident, Witness


class Reads:
    """A client that connects to the read port and asks one thing, again and again."""

    def __init__(self, cluster, rolegate):
        self.done = 0
        self.errors = []
        self._cluster, self._rolegate = cluster, rolegate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(30)

    def _run(self):
        while not self._stop.wait(0.05):
            try:
                with session(self._cluster, self._rolegate, self._rolegate.read_port) as connection:
                    ask(connection, "SELECT 1")
                self.done += 1
            except psycopg2.Error as error:
                # When a replica is promoted under a session, that is to end.
                if "is no longer a replica" not in str(error):
                    self.errors.append(str(error))


def test_b9_etcd_is_killed_without_failsafe_mode(cluster, dcs_rolegate):
    """B9: all of etcd is killed while the cluster is healthy. The leader gives up by itself: writes are held or
    refused, none reaches a standby; reads go on all the time. When etcd returns, all is as before."""
    leader = cluster.leader()
    cluster.query(leader, CREATE)
    write_row(cluster, dcs_rolegate, "before-b9")
    with Witness(dcs_rolegate) as witness, Reads(cluster, dcs_rolegate) as reads:
        cluster.etcd.kill()
        wait_until("nobody gets writes", lambda: dcs_rolegate.routable("write") == [], 60)
        assert dcs_rolegate.metric("rolegate_dcs_connected", cluster="main") == 0
        wait_until("the leader has given up", lambda: (leader.status() or {"role": "primary"}).get("role") not in (
            "primary", "master"), 30)
        dcs_rolegate.wait_logged(cluster.etcd.addresses[0])
        # Also when nobody has been able to say who leads for longer than `stale_after`, here a ttl of 20 s.
        lost = time.monotonic()
        wait_until("the outage outlasts the ttl", lambda: time.monotonic() - lost > 25, 40)
        done = reads.done
        wait_until("reads go on", lambda: reads.done > done + 10, 20)
        assert not dcs_rolegate.main()["stale"]
        cluster.etcd.start()
        dcs_rolegate.wait_ready(limit=60)
        cluster.wait_healthy()
        assert where(cluster, dcs_rolegate, dcs_rolegate.write_port) == (cluster.leader().name, False)
        wait_until("the lock is known from etcd", lambda: dcs_rolegate.lock().get("source") == "etcd3", 20)
    assert reads.errors == []
    assert witness.most() == 1
    assert cluster.query(cluster.leader(), "SELECT count(*) FROM writes WHERE id = 'before-b9'") == [(1,)]


def test_b9_etcd_is_killed_in_failsafe_mode(cluster, dcs_rolegate):
    """B9 in failsafe mode: all members still see each other, so the leader goes on without etcd, and so does the
    proxy: not one session is touched, also when etcd returns."""
    cluster.set_failsafe(True)
    leader = cluster.leader()
    cluster.query(leader, CREATE)
    writer, reader = (Resident(cluster, dcs_rolegate, port) for port in (dcs_rolegate.write_port, dcs_rolegate.read_port))
    changes = dcs_rolegate.events()
    with Witness(dcs_rolegate) as witness, Reads(cluster, dcs_rolegate) as reads:
        # Between two loops: a Patroni that loses etcd while it refreshes the lock takes that for a lost lock, and
        # demotes itself in failsafe mode as well.
        leader.wait_loop_end()
        leader.child.freeze()
        cluster.etcd.kill()
        leader.child.thaw()
        wait_until("the leader is in failsafe mode", lambda: (leader.status() or {}).get("failsafe_mode_is_active"), 30)
        dcs_rolegate.wait_rule(leader, ("failsafe", "rest-only"), 20)
        write_row(cluster, dcs_rolegate, "without-etcd")
        cluster.etcd.start()
        wait_until("the lock is known from etcd", lambda: dcs_rolegate.lock().get("source") == "etcd3", 30)
        dcs_rolegate.wait_rule(leader, "lock-and-word", 30)
    assert writer.lives() and reader.lives()
    assert witness.writers() == [(leader.name,)]
    assert (reads.errors, dcs_rolegate.events()) == ([], changes)


def test_b10_etcd_and_then_the_leaders_postgres(cluster, dcs_rolegate):
    """B10: etcd is killed, then PostgreSQL on the leader; etcd is started again. One member becomes the primary, and
    clients are served by it; rows of before are there."""
    leader = cluster.leader()
    cluster.query(leader, CREATE)
    write_row(cluster, dcs_rolegate, "before-b10")
    with Witness(dcs_rolegate) as witness:
        cluster.etcd.kill()
        leader.kill_postgres()
        wait_until("the primary is not there", lambda: dcs_rolegate.rules()[leader.name] not in (
            "lock-and-word", "rest-only", "degraded"), 30)
        cluster.etcd.start()
        dcs_rolegate.wait_ready(limit=60)
        name, standby = where(cluster, dcs_rolegate, dcs_rolegate.write_port)
        cluster.wait_healthy()
    assert (name, standby) == (cluster.leader().name, False)
    assert cluster.query(cluster.leader(), "SELECT count(*) FROM writes WHERE id = 'before-b10'") == [(1,)]
    assert witness.most() == 1


def test_etcd_member_of_the_watch_is_stopped(cluster, dcs_rolegate):
    """SIGSTOP of the member of etcd that the watch hangs on: the connection stays open and silent. Rolegate goes to
    another member by itself; the primary stays open; and a switchover is seen as ever."""
    leader = cluster.leader()
    writer = Resident(cluster, dcs_rolegate, dcs_rolegate.write_port)

    def used():
        return {member for address in ports.peers(dcs_rolegate.child.pid) if (member := cluster.etcd.member(address))}
    watched = wait_until("Rolegate is connected to etcd", used, 10)
    # That etcd must also choose a leader anew is another test, and Patroni's trouble.
    free = next(member for member in cluster.etcd.members if member not in watched)
    cluster.etcd.move_leader(free)
    victim = next(iter(watched))
    with Witness(dcs_rolegate) as witness:
        victim.child.freeze()
        wait_until("it has left the silent member", lambda: used() and victim not in used(), 30)
        wait_until("the lock is known from etcd", lambda: dcs_rolegate.lock().get("source") == "etcd3"
                   and dcs_rolegate.lock().get("holder") == leader.name, 20)
        dcs_rolegate.wait_logged(victim.address)
        assert writer.lives() and witness.writers() == [(leader.name,)]
        cluster.wait_healthy()
        outage, = measure_switchover(cluster, [dcs_rolegate]).outages()
        outage.require_clean()
        dcs_rolegate.wait_lock("etcd3")
        victim.child.thaw()
        wait_until(f"{victim.name} is healthy again", victim.is_healthy, 20)
    assert witness.most() == 1


def test_etcd_comes_back_empty(cluster, dcs_rolegate):
    """etcd is lost and set up anew under the same addresses: another cluster, without a key. Members come back, one of
    them takes the lock; Rolegate drops what it knew, says why, and serves again: never two writers, no stale write."""
    old = cluster.leader()
    cluster.query(old, CREATE)
    prober = Prober(cluster, [node for node in cluster.nodes if node is not old])
    writer = Writer("writer", cluster.dsn(dcs_rolegate.host, dcs_rolegate.write_port, connect_timeout=30))
    steady = SteadyWriter("steady", cluster.dsn(dcs_rolegate.host, dcs_rolegate.write_port, connect_timeout=30))
    with Witness(dcs_rolegate) as witness:
        for part in (prober, writer, steady):
            part.start()
        wait_until("the steady client writes", steady.acknowledged, 10)
        cluster.etcd.empty()
        wait_until("somebody took the lock", lambda: cluster.etcd.get(cluster.key("leader")), 60)
        cluster.wait_healthy()
        leader = cluster.leader()
        dcs_rolegate.wait_rule(leader, "lock-and-word", 30)
        wait_until("the lock is known from etcd", lambda: dcs_rolegate.lock().get("source") == "etcd3"
                   and dcs_rolegate.lock().get("holder") == leader.name, 20)
        wait_until("writes go on", lambda: any(
            attempt.server == leader.postgres for attempt in writer.acknowledged()[-10:]), 30)
        for part in (writer, steady, prober):
            part.stop()
    opened = prober.opened()
    late = [attempt for part in (writer, steady) for attempt in part.acknowledged()
            if opened and attempt.server != opened[0] and attempt.acknowledged > opened[1]]
    assert late == []
    assert [attempt for attempt in writer.attempts if attempt.reached_standby] == []
    assert witness.most() == 1
    dcs_rolegate.wait_logged("event=dcs_lost", "source=etcd3")
