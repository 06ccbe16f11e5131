# SPDX-License-Identifier: PostgreSQL
"""Streaming replication without Patroni: nobody holds a lock, and a human promotes. Nothing but what each PostgreSQL
says of itself tells who may be written to."""

import os
import shutil
import subprocess
import tempfile
import threading
import time

import psycopg2
import pytest

from clients import PATIENT, RawSession, ask, session, where
from conftest import PREFIX
from demo import ports
from demo.processes import wait_until
from demo.rolegate import binary
from plain import Pair
from witness import Resident, Witness


@pytest.fixture
def pair(directory):
    """A primary and a standby that streams from it."""
    home = tempfile.mkdtemp(prefix="plain-", dir=directory)
    os.chmod(home, 0o755)
    made = Pair(home, PREFIX)
    taken = [node.name for node in made.nodes if ports.is_taken(node.host, node.pg_port)]
    assert not taken, f"taken: {taken}"
    try:
        made.start()
        yield made
    finally:
        made.stop()
        for node in made.nodes:
            shutil.rmtree(node.data, ignore_errors=True)


@pytest.fixture
def make_plain_rolegate(pair, make_rolegate):
    def make(**more):
        return make_rolegate([], postgres=pair.settings(**more), write={"queue": {"timeout": "3s"}},
                             read={"queue": {"timeout": "3s"}})
    return make


@pytest.fixture
def rolegate(pair, make_plain_rolegate):
    proxy = make_plain_rolegate()
    proxy.start()
    proxy.wait_routable("write", [pair.primary.name])
    proxy.wait_routable("read", [pair.standby.name])
    return proxy


class Writers:
    """Clients that write all the time, each in a session of its own for as long as that lives."""

    def __init__(self, pair, rolegate, count=4):
        self.acknowledged = []      # (moment, address of the server)
        self._pair, self._rolegate = pair, rolegate
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self):
        while not self._stop.is_set():
            try:
                with session(self._pair, self._rolegate, self._rolegate.write_port) as connection:
                    while not self._stop.is_set():
                        host = ask(connection, "INSERT INTO writes DEFAULT VALUES "
                                               "RETURNING host(inet_server_addr())")[0][0]
                        self.acknowledged.append((time.monotonic(), host))
                        time.sleep(0.005)
            except psycopg2.Error:
                time.sleep(0.01)

    def of(self, node):
        return [moment for moment, host in list(self.acknowledged) if host == node.host]


def cli(rolegate, command):
    return subprocess.run([binary(), command, "-a", f"http://{rolegate.admin}"], text=True, capture_output=True,
                          check=True, timeout=20).stdout


def test_writes_and_reads_go_where_they_belong(pair, rolegate):
    for _ in range(3):
        assert where(pair, rolegate, rolegate.write_port) == (pair.primary.name, False)
        assert where(pair, rolegate, rolegate.read_port) == (pair.standby.name, True)
    # A client that knows both ports and wants to write.
    both = psycopg2.connect(pair.dsn(f"{rolegate.host},{rolegate.host}", f"{rolegate.read_port},{rolegate.write_port}",
                                     target_session_attrs="read-write"))
    assert ask(both, "SELECT host(inet_server_addr())") == [(pair.primary.host,)]
    both.close()

    # What people are told speaks of no lock, for there is none.
    assert rolegate.main()["kind"] == "postgres" and rolegate.main()["lock"] is None
    assert rolegate.member(pair.standby.name)["timeline"] == 1
    wait_until("the standby's lag is known", lambda: rolegate.member(pair.standby.name)["lag_bytes"] is not None, 10)
    assert rolegate.metric("rolegate_member_role", member=pair.primary.name, role="primary") == 1
    assert rolegate.metric("rolegate_checks_total", member=pair.standby.name, source="sql", result="ok") >= 1
    for text in (cli(rolegate, "status"), cli(rolegate, "explain"), cli(rolegate, "events"), rolegate.log_text()):
        print(text)
        assert "lock" not in text and "REST" not in text


def test_promotion_while_the_old_primary_lives_on(pair, rolegate, make_plain_rolegate):
    """Two primaries. The promoted one has the writes, and none is acknowledged by the old one from then on."""
    old, new = pair.primary, pair.standby
    idle = RawSession(rolegate.host, rolegate.write_port)
    with Witness(rolegate) as witness, Writers(pair, rolegate) as writers:
        wait_until("they write", lambda: len(writers.of(old)) > 20, 20)
        new.promote()
        wait_until("they write to the promoted one", lambda: len(writers.of(new)) > 20, 30)
    assert max(writers.of(old)) < min(writers.of(new)), "a write went to the old primary after one to the new"
    assert witness.most() == 1
    assert idle.goodbye(10) == "57P01"
    assert rolegate.rules()[old.name] == "old-timeline"
    assert where(pair, rolegate, rolegate.write_port) == (new.name, False)
    # The old one did not become a standby: nobody is read from.
    assert rolegate.routable("read") == []
    print(f"no write for {(min(writers.of(new)) - max(writers.of(old))) * 1000:.0f} ms")

    # A proxy that is started now waits for both before it believes one.
    late = make_plain_rolegate()
    with Witness(late) as witness:
        late.start(ready=False)
        late.wait_routable("write", [new.name])
    assert {writer for writers in witness.writers() for writer in writers} <= {new.name}

    # Restarted, the old one is a primary again, and fenced again.
    old.stop()
    wait_until("the old one is silent", lambda: rolegate.rules()[old.name] == "silent", 20)
    old.start()
    rolegate.wait_rule(old, "old-timeline")
    assert where(pair, rolegate, rolegate.write_port) == (new.name, False)

    # Built anew it serves reads.
    old.stop()
    old.copy(new)
    old.start()
    rolegate.wait_routable("read", [old.name])
    assert where(pair, rolegate, rolegate.read_port) == (old.name, True)


def test_standby_stops(pair, rolegate):
    """Only reads suffer, for as long as it is away."""
    resident = Resident(pair, rolegate, rolegate.write_port)
    pair.standby.stop()
    rolegate.wait_routable("read", [])
    assert resident.lives()
    assert where(pair, rolegate, rolegate.write_port) == (pair.primary.name, False)
    pair.standby.start()
    rolegate.wait_routable("read", [pair.standby.name])
    assert where(pair, rolegate, rolegate.read_port) == (pair.standby.name, True)
    assert resident.lives()
    resident.close()


def test_primary_is_killed_and_nobody_promoted(pair, rolegate):
    """Writes are held, then refused; reads go on; when it is back all is as before."""
    reader = Resident(pair, rolegate, rolegate.read_port)
    pair.primary.kill()
    rolegate.wait_rule(pair.primary, "writer-silent")
    assert rolegate.routable("write") == []
    with pytest.raises(psycopg2.OperationalError), session(pair, rolegate, rolegate.write_port):
        pass
    assert reader.lives()
    assert where(pair, rolegate, rolegate.read_port) == (pair.standby.name, True)

    pair.primary.start()
    rolegate.wait_routable("write", [pair.primary.name])
    assert where(pair, rolegate, rolegate.write_port) == (pair.primary.name, False)
    assert reader.lives()
    reader.close()


def test_failover_by_hand(pair, rolegate):
    """The primary is killed, then the standby promoted: writes go on there, and the old one stays out."""
    pair.primary.kill()
    rolegate.wait_rule(pair.primary, "writer-silent")
    pair.standby.promote()
    rolegate.wait_routable("write", [pair.standby.name])
    assert where(pair, rolegate, rolegate.write_port) == (pair.standby.name, False)
    with Witness(rolegate) as witness:
        pair.primary.start()
        rolegate.wait_rule(pair.primary, "old-timeline")
    assert witness.writers() == [(pair.standby.name,)]
    changes = rolegate.events("promoted")
    assert [(change["from"], change["to"]) for change in changes] == [(pair.primary.name, pair.standby.name)]


def test_a_standby_that_is_too_late(pair, make_rolegate):
    """`lag_time`, known over SQL alone: replay is paused while the primary is written to. The standby gets no new
    sessions once it is beyond the limit, the one it has goes on, and it comes back when it has kept up for `lag_dwell`,
    while the primary is still written to."""
    quick = {"queue": {"timeout": "300ms"}}
    rolegate = make_rolegate([], postgres=pair.settings(interval="200ms"), write=PATIENT, read={
        "lag_time": {"leave": "3s", "enter": "1s"}, "lag_dwell": "4s", **quick})
    rolegate.start()
    rolegate.wait_open("read", [pair.standby])
    with session(pair, rolegate, rolegate.read_port) as held, Writers(pair, rolegate, count=1) as writers:
        wait_until("it is written to", lambda: len(writers.of(pair.primary)) > 20, 20)
        pair.standby.query("SELECT pg_wal_replay_pause()")
        rolegate.wait_open("read", [])
        assert rolegate.rules("read")[pair.standby.name] == "lag"
        with pytest.raises(psycopg2.OperationalError), session(pair, rolegate, rolegate.read_port):
            pass
        assert ask(held, "SELECT pg_is_in_recovery()") == [(True,)]

        pair.standby.query("SELECT pg_wal_replay_resume()")
        wait_until("it waits for the end of the dwell",
                   lambda: "comes back in" in rolegate.get("/api/v1/explain").body, 20, every=0.02)
        assert rolegate.open_for("read") == []
        rolegate.wait_open("read", [pair.standby])
        assert where(pair, rolegate, rolegate.read_port) == (pair.standby.name, True)
        assert ask(held, "SELECT pg_is_in_recovery()") == [(True,)]
    changes = [line for line in rolegate.log_text().splitlines()
               if "event=topology" in line and f"{pair.standby.name} keep for read:" in line]
    assert len(changes) == 1, changes
