# SPDX-License-Identifier: PostgreSQL
"""A cancel reaches the session it is meant for, whichever replica that is on and whichever proxy it comes to."""

import contextlib
import itertools
import threading

import psycopg2
import psycopg2.errors

import modes
import raw
from clients import ask
from demo import processes
from demo.processes import wait_until
from modes import in_each_mode
from raw import RawClient

CANCELS = 100
SESSIONS = 6
LONG = "SELECT pg_sleep(3600)"
SLEEPS = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state = 'active' AND wait_event = 'PgSleep'"


class Servers:
    """Sessions to the replicas themselves, to see whether a query runs there."""

    def __init__(self, cluster):
        self._connections = {node.host: psycopg2.connect(cluster.dsn(node.host, node.pg_port))
                             for node in cluster.replicas()}
        for connection in self._connections.values():
            connection.autocommit = True

    def sleeps(self, host, pid):
        return ask(self._connections[host], SLEEPS, pid)[0][0] == 1

    def wait_sleeps(self, host, pid):
        wait_until(f"backend {pid} of {host} sleeps", lambda: self.sleeps(host, pid), 30, every=0.001)

    def close(self):
        for connection in self._connections.values():
            connection.close()


class Sleeper:
    """A session of psycopg2 on the read port, and what became of its query."""

    def __init__(self, mode, cluster, proxy):
        self.connection = psycopg2.connect(cluster.dsn(proxy.host, proxy.read_port, connect_timeout=30,
                                                       **modes.options(mode, cluster)))
        self.connection.autocommit = True
        self.host, self.pid = ask(self.connection, "SELECT host(inet_server_addr()), pg_backend_pid()")[0]
        self.outcome = None
        self._thread = None

    def sleep(self):
        self.outcome = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            ask(self.connection, LONG)
            self.outcome = "slept well"
        except psycopg2.errors.QueryCanceled:
            self.outcome = "cancelled"
        except psycopg2.Error as error:
            self.outcome = str(error)

    def wait(self):
        self._thread.join(30 * processes.TIMEOUT_SCALE)
        return self.outcome

    def end(self):
        if self._thread is not None and self._thread.is_alive():
            self.connection.cancel()
            self._thread.join(30 * processes.TIMEOUT_SCALE)
        self.connection.close()


@contextlib.contextmanager
def ending(things):
    try:
        yield things
    finally:
        for thing in things:
            thing.end()


@in_each_mode
def test_100_of_100_cancels_reach_their_session(cluster, make_rolegate, mode):
    """psycopg2's cancel(), always in clear text: every one reports success and ends the query of its own session on its
    own replica. Queries of others, on both replicas, go on."""
    proxy = modes.start(mode, cluster, make_rolegate)
    servers = Servers(cluster)
    with contextlib.closing(servers), ending([Sleeper(mode, cluster, proxy) for _ in range(4)]) as bystanders, \
            ending([Sleeper(mode, cluster, proxy) for _ in range(SESSIONS)]) as sessions:
        assert {session.host for session in sessions} == {session.host for session in bystanders} \
            == {node.host for node in cluster.replicas()}
        for session in bystanders:
            session.sleep()
            servers.wait_sleeps(session.host, session.pid)

        for _, session in zip(range(CANCELS), itertools.cycle(sessions)):
            session.sleep()
            servers.wait_sleeps(session.host, session.pid)
            session.connection.cancel()
            assert session.wait() == "cancelled"

        for session in bystanders:
            assert session.outcome is None
            assert servers.sleeps(session.host, session.pid)


@in_each_mode
def test_a_cancel_that_comes_to_another_proxy(cluster, make_rolegate, mode):
    """Behind one address there may be several proxies. The cancel of a session of one process comes to the other, which
    does not know the key, and reaches the session all the same."""
    proxy, other = (modes.start(mode, cluster, make_rolegate) for _ in range(2))
    context = modes.tls_context(mode, cluster)
    servers = Servers(cluster)
    with contextlib.closing(servers), RawClient(proxy.host, proxy.read_port, context) as first, \
            RawClient(proxy.host, proxy.read_port, context) as second:
        sessions = []
        for session in (first, second):
            row = session.ask(raw.simple("SELECT host(inet_server_addr())"))[1][1]
            sessions.append((session, row[6:].decode()))
        assert {host for _, host in sessions} == {node.host for node in cluster.replicas()}

        for session, host in sessions * 10:
            session.send(raw.simple(LONG))
            servers.wait_sleeps(host, session.pid)
            raw.cancel(other.host, other.read_port, session.pid, session.key)
            assert b"C57014\0" in dict(session.until_ready())[b"E"]


@in_each_mode
def test_a_cancel_for_nobody_succeeds(cluster, make_rolegate, mode):
    """As with PostgreSQL, whoever sends a key that no session has learns nothing from it, and harms nobody."""
    proxy = modes.start(mode, cluster, make_rolegate)
    with RawClient(proxy.host, proxy.read_port, modes.tls_context(mode, cluster)) as session:
        session.send(raw.simple("SELECT pg_sleep(1)"))
        for wrong in (1, 0x7FFFFFFF):
            raw.cancel(proxy.host, proxy.read_port, session.pid, session.key ^ wrong)
            raw.cancel(proxy.host, proxy.read_port, session.pid ^ wrong, session.key)
        assert [kind for kind, _ in session.until_ready()] == [b"T", b"D", b"C", b"Z"]
