# SPDX-License-Identifier: PostgreSQL
"""A limit on lag while other things go wrong: Patroni is killed, a replica is rebuilt by hand."""

import contextlib
import os
import signal
import threading
import time

import psycopg2

from clients import ask, session
from demo import rest
from demo.processes import wait_until
from lagging import replay_paused, write_wal
from witness import Resident, resident_on

MEGABYTE = 1 << 20
LIMIT = {"lag": {"leave": "2MB", "enter": "1MB"}, "lag_dwell": "1s"}


class Readers:
    """Opens a session on the read port again and again, and remembers who served it, and what failed."""

    def __init__(self, cluster, rolegate):
        self.seen, self.errors = [], []
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
        while not self._stop.wait(0.02):
            try:
                with session(self._cluster, self._rolegate, self._rolegate.read_port) as connection:
                    self.seen.append((time.monotonic(), ask(connection, "SELECT host(inet_server_addr())")[0][0]))
            except psycopg2.Error as error:
                self.errors.append(str(error))

    def hosts_since(self, moment):
        """Of sessions that were begun some time after that."""
        return {host for seen, host in self.seen if seen > moment + 1}

    def wait_more(self, count=20):
        goal = len(self.seen) + count
        wait_until("more sessions", lambda: len(self.seen) >= goal, 30)


class Promises:
    """Every picture of a member that gets reads: it runs, and is within the limit."""

    def __init__(self, rolegate, node, limit):
        self.pictures = 0
        self.broken = []
        self._rolegate, self._node, self._limit = rolegate, node, limit
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(10)

    def _run(self):
        while not self._stop.wait(0.02):
            answer = rest.ask(self._rolegate.admin, "/api/v1/status")
            if not answer:
                continue
            status = answer.json()
            member = next((each for each in status["clusters"]["main"]["members"] if each["name"] == self._node.name), None)
            self.pictures += 1
            if self._node.name not in status["listeners"]["read"]["members"]:
                continue
            lag = member["lag_bytes"]
            if member["state"] not in ("running", "streaming") or lag is None or lag > self._limit:
                self.broken.append((member["state"], lag))


def watching(cluster, make_rolegate, **more):
    rolegate = make_rolegate([node.rest for node in cluster.nodes], read=LIMIT, cluster={"dcs": cluster.dcs(), **more})
    rolegate.start()
    return rolegate


def test_b4_patroni_of_a_replica_is_killed_while_the_other_one_lags(cluster, make_rolegate):
    """B4: `kill -9` of Patroni on a replica, which is a good standby all the same, also when its key in etcd has run out:
    its PostgreSQL says how far it is. The other replica stands still meanwhile and is too far behind. Every read is
    served by the one without Patroni, nobody waits in vain, no session ends; writes notice nothing."""
    rolegate = watching(cluster, make_rolegate, sql={"user": "postgres", "password": cluster.settings.password})
    alone, slow = cluster.replicas()
    rolegate.wait_open("read", [alone, slow])
    residents = [resident_on(cluster, rolegate, node) for node in (alone, slow)]
    writer = Resident(cluster, rolegate, rolegate.write_port)
    with Readers(cluster, rolegate) as readers:
        alone.kill_patroni()
        with replay_paused(cluster, slow):
            write_wal(cluster, 5)
            rolegate.wait_open("read", [alone])
            since = time.monotonic()
            assert rolegate.rules("read")[slow.name] == "lag"
            # Longer than its key lives.
            wait_until("its key has run out", lambda: alone.name not in [
                member["name"] for member in (cluster.view() or {"members": [{"name": alone.name}]})["members"]], 60)
            write_wal(cluster, 3)
            readers.wait_more()
            assert rolegate.open_for("read") == [alone.name]
            assert readers.hosts_since(since) == {alone.host}
            assert ask(writer.connection, "SELECT pg_is_in_recovery()") == [(False,)]
        rolegate.wait_open("read", [alone, slow])
        alone.start()
        readers.wait_more()
    assert readers.errors == []
    assert all(resident.lives() for resident in (*residents, writer))


def startup_process(node):
    """Process that replays, as soon as there is one; PostgreSQL need not take connections yet."""
    parent = node.postmaster_pid()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[1] != str(parent):
                    continue
            with open(f"/proc/{pid}/cmdline") as file:
                if "startup" in file.read():
                    return int(pid)
    return None


def test_b11_pause_and_rebuild_under_a_limit_on_lag(cluster, make_rolegate):
    """B11: pause, the data of a replica is thrown away, resume: it is copied anew while the primary goes on, and then it
    streams but replays nothing for a while. It gets reads only while it runs and is within the limit, and in the end
    it does; no session of another member ends, and no client fails."""
    rolegate = watching(cluster, make_rolegate)
    leader, (rebuilt, other) = cluster.leader(), cluster.replicas()
    rolegate.wait_open("read", [rebuilt, other])
    residents = [resident_on(cluster, rolegate, node) for node in (leader, other)]
    cluster.pause()
    with Promises(rolegate, rebuilt, 2 * MEGABYTE) as promises, Readers(cluster, rolegate) as readers:
        rebuilt.rebuild()
        rolegate.wait_open("read", [other])
        write_wal(cluster, 3)
        cluster.pause(False)
        wait_until("it takes connections", lambda: (rebuilt.status() or {}).get("state") == "running", 60)
        pid = wait_until("it replays", lambda: startup_process(rebuilt), 60)     # of the postmaster that is there now
        os.kill(pid, signal.SIGSTOP)
        try:
            write_wal(cluster, 5)
            rolegate.wait_rule(rebuilt, "lag", listener="read")
            since = time.monotonic()
            wait_until("it streams", lambda: cluster.query(
                leader, "SELECT count(*) FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'",
                rebuilt.name) == [(1,)], 30)
            readers.wait_more(80)
            assert readers.hosts_since(since) == {other.host}, rolegate.explain()
        finally:
            os.kill(pid, signal.SIGCONT)
        rolegate.wait_open("read", [rebuilt, other])
        wait_until("it gets reads", lambda: rebuilt.host in readers.hosts_since(since), 30)
    assert promises.pictures > 20 and promises.broken == []
    assert readers.errors == []
    assert all(resident.lives() for resident in residents)
