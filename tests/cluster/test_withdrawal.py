# SPDX-License-Identifier: PostgreSQL
"""Doors that close and open: a port that leads nowhere, networks that may come, balancers in front, unix sockets; and
sessions that may finish their transaction before they go."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading

import psycopg2
import psycopg2.errors
import pytest

import clients
import modes
import raw
from clients import ask
from demo import ports, processes
from demo.processes import Child, wait_until
from raw import RawClient, simple

HELD_FOR = "90s"
# Several for each worker: they are looked at together.
WORKING = 6


# --- a port that leads nowhere ------------------------------------------------------------------

IN_RECOVERY = "SELECT pg_is_in_recovery()"
WITH_ASYNCPG = f"""
import asyncio, asyncpg, sys
async def main():
    connection = await asyncpg.connect(host=["127.0.0.1", "127.0.0.1"], port=[int(sys.argv[1]), int(sys.argv[2])],
                                       user="postgres", database="postgres", ssl=False, timeout=30)
    print(await connection.fetchval("{IN_RECOVERY}"))
asyncio.run(main())
"""


def by_asyncpg(first, second):
    """Is the server in recovery that asyncpg finds behind two ports?"""
    done = subprocess.run(["/usr/bin/python3", "-c", WITH_ASYNCPG, str(first), str(second)], text=True,
                          capture_output=True, timeout=60 * processes.TIMEOUT_SCALE)
    return done.stdout.strip() or done.stderr.strip()[-300:]


def by_libpq(cluster, first, second):
    with contextlib.closing(psycopg2.connect(cluster.dsn("127.0.0.1,127.0.0.1", f"{first},{second}",
                                                         connect_timeout=30))) as connection:
        return str(ask(connection, IN_RECOVERY)[0][0])


@contextlib.contextmanager
def no_primary(cluster):
    """Patroni is told to keep its hands off, and PostgreSQL of the leader is gone."""
    cluster.pause()
    try:
        cluster.leader().kill_postgres()
        yield
    finally:
        cluster.pause(False)


def test_a_port_without_a_primary_refuses_connections(cluster, make_rolegate):
    """After `withdraw_after` without a primary the write port refuses connections, so libpq and asyncpg go on to their
    second host; the read port beside it serves. The port stays Rolegate's own, and who was held already goes on
    waiting. With the primary both drivers are back on their first host, and who was held is served."""
    # Time enough for a client to come before the port is withdrawn.
    after = f"{3 * processes.TIMEOUT_SCALE:g}s"
    proxy = make_rolegate([node.rest for node in cluster.nodes],
                          write={"withdraw_after": after, "queue": {"timeout": HELD_FOR}}, read={"withdraw_after": after})
    proxy.start()
    modes.wait_all_routable(proxy, cluster)
    write, read = proxy.write_port, proxy.read_port
    assert (by_libpq(cluster, write, read), by_asyncpg(write, read)) == ("False", "False")
    found = []

    def wait_in_the_queue():
        with clients.session(cluster, proxy, write, connect_timeout=90) as connection:
            found.append(ask(connection, IN_RECOVERY)[0][0])
    held = threading.Thread(target=wait_in_the_queue, daemon=True)

    with no_primary(cluster):
        wait_until("there is no primary", lambda: proxy.routable("write") == [], 30)
        held.start()
        wait_until("a client is held", lambda: proxy.status()["listeners"]["write"]["held"] == 1, 10)
        wait_until("the write port refuses", lambda: refuses(proxy.host, write), 30)
        proxy.wait_logged("event=withdrawn listener=write")
        taken = ports.is_taken(proxy.host, write)
        for _ in range(3):
            assert (by_libpq(cluster, write, read), by_asyncpg(write, read)) == ("True", "True")
        assert proxy.status()["listeners"]["write"]["held"] == 1
        assert not proxy.is_ready("write") and proxy.is_ready("read")
        with pytest.raises(psycopg2.OperationalError, match="Connection refused"):
            psycopg2.connect(cluster.dsn(proxy.host, write))

    proxy.wait_ready("write", limit=60)
    wait_until("the write port is back", lambda: not refuses(proxy.host, write), 10)
    assert (by_libpq(cluster, write, read), by_asyncpg(write, read)) == ("False", "False")
    held.join(60 * processes.TIMEOUT_SCALE)
    assert found == [False]
    assert "event=withdrawn listener=read" not in proxy.log_text()
    assert taken, "somebody else could take the port meanwhile"


def refuses(host, port):
    try:
        socket.create_connection((host, port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


# --- who may come -------------------------------------------------------------------------------

def addresses(cluster):
    """A friend, a stranger, a balancer: loopback addresses that clients come from."""
    return (f"{cluster.settings.prefix}.{number}" for number in (201, 202, 203))


def ended_without_a_word(host, port, source, words=b""):
    with raw.connect(host, port, source=source) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(words or raw.startup(user="postgres", database="postgres"))
        try:
            return connection.recv(1) == b""
        except ConnectionResetError:
            return True


@pytest.mark.parametrize("mode", modes.MODES)
def test_only_those_may_come_who_are_allowed(cluster, make_rolegate, mode):
    """`allow` lets in one network and no other; who is turned away gets no answer, whatever is asked for."""
    friend, stranger, _ = addresses(cluster)
    proxy = modes.start(mode, cluster, make_rolegate, allow=[f"{friend}/32", "10.0.0.0/8"])
    context = modes.tls_context(mode, cluster)
    RawClient(proxy.host, proxy.write_port, context, source=friend).socket.close()
    for words in (raw.startup(user="postgres", database="postgres"), raw.SSL_REQUEST, raw.cancel_request(1, 1)):
        assert ended_without_a_word(proxy.host, proxy.write_port, stranger, words)
    proxy.wait_logged(f"client={stranger}:", "why=not_allowed")
    assert proxy.metric("rolegate_handshake_rejects_total", listener="write", reason="not_allowed") == 3


# --- a balancer in front ------------------------------------------------------------------------

HAPROXY = """\
global
    maxconn 200
defaults
    mode tcp
    timeout connect 4s
    timeout client 30m
    timeout server 30m
listen front
    bind {host}:{port}
    source {source}
    server rolegate {host}:{target} {send}
"""


@contextlib.contextmanager
def haproxy(directory, name, source, target, send):
    """HAProxy in front of a port of Rolegate, where it comes from `source`; gives its own port."""
    port = ports.free_port()
    config = f"{directory}/{name}.cfg"
    with open(config, "w") as file:
        file.write(HAPROXY.format(host="127.0.0.1", port=port, source=source, target=target, send=send))
    child = Child(name, ["haproxy", "-db", "-f", config], f"{directory}/{name}.log")
    child.start()
    try:
        wait_until("HAProxy listens", lambda: child.require_running() and ports.is_taken("127.0.0.1", port), 10)
        yield port
    finally:
        child.stop(limit=2)


@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2"])
@pytest.mark.parametrize("mode", modes.MODES)
def test_the_clients_address_comes_through_haproxy(cluster, make_rolegate, directory, mode, send):
    """HAProxy stands in front and says who the client is: so do Rolegate's log, `allow`, and PostgreSQL's
    application_name where Rolegate can read it. A header of anybody else is refused, and so is a balancer without."""
    friend, stranger, balancer = addresses(cluster)
    proxy = modes.start(mode, cluster, make_rolegate, accept_proxy=[balancer], allow=[friend, balancer],
                        application_name_add_host=True)
    context = modes.tls_context(mode, cluster)
    name = "SELECT '<' || application_name || '>' FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    with haproxy(directory, f"haproxy-{mode}-{send}", balancer, proxy.write_port, send) as port:
        with RawClient("127.0.0.1", port, context, source=friend, application_name="shop") as client:
            here = "{}:{}".format(*client.socket.getsockname()[:2])
            shown = re.search(rb"<(.*)>", client.ask(simple(name))[1][1])[1].decode()
            assert shown == ("shop" if mode == "passthrough" else f"shop - {here}")
            # Cancels come through the balancer as well.
            client.send(simple("SELECT pg_sleep(3600)"))
            wait_until("it sleeps", lambda: waiting(cluster, "PgSleep") == 1, 30)
            raw.cancel("127.0.0.1", port, client.pid, client.key, source=friend)
            assert b"C57014\0" in dict(client.until_ready())[b"E"]
        wait_until("the end is in the log", lambda: f"client={here} " in proxy.log_text(), 10)
        assert ended_without_a_word("127.0.0.1", port, stranger), "`allow` is for the client's own address"
    proxy.wait_logged(f"client={stranger}:")

    header = f"PROXY TCP4 {friend} 127.0.0.1 4711 5432\r\n".encode()
    startup = raw.startup(user="postgres", database="postgres")
    assert ended_without_a_word(proxy.host, proxy.write_port, friend, header + startup), "not a balancer"
    assert ended_without_a_word(proxy.host, proxy.write_port, balancer, startup), "a balancer without its header"
    proxy.wait_logged("why=proxy_header_bad")
    RawClient(proxy.host, proxy.write_port, context, source=friend).socket.close()


# --- unix sockets -------------------------------------------------------------------------------

@pytest.mark.parametrize("mode", ["clear", "terminated"])
def test_unix_socket(cluster, make_rolegate, mode):
    """`psql -h DIRECTORY` finds the listener, which libpq asks for no TLS there; cancels work; only `unix` is allowed
    and nobody else gets in; nothing of it is left behind, and what a killed one leaves is no hindrance."""
    directory = f"/tmp/rolegate-{os.getpid()}"      # a path of a unix socket is short
    os.makedirs(directory)
    port = ports.free_port()
    try:
        proxy = modes.start(mode, cluster, lambda members, write, read, **more: make_rolegate(
            members, read=read, write=write | {"bind": [f"127.0.0.1:{port}", f"unix:{directory}:5432"]}, **more),
            application_name_add_host=True, allow=["unix"])
        said = subprocess.run(
            ["psql", "-X", "-A", "-t", "-h", directory, "-p", "5432", "-U", "postgres", "-d", "postgres", "-c",
             "SELECT pg_is_in_recovery(), current_setting('application_name')"],
            env={"PATH": "/usr/bin:/bin", "PGGSSENCMODE": "disable", "PGSSLMODE": "prefer", "PGAPPNAME": "local"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * processes.TIMEOUT_SCALE)
        assert (said.returncode, said.stdout, said.stderr) == (0, "f|local - unix\n", "")
        wait_until("the end is in the log", lambda: "client=unix " in proxy.log_text(), 10)

        with contextlib.closing(psycopg2.connect(cluster.dsn(directory, 5432, sslmode="prefer"))) as connection:
            def cancel_the_sleeper():
                wait_until("it sleeps", lambda: waiting(cluster, "PgSleep") == 1, 30)
                connection.cancel()
            canceller = threading.Thread(target=cancel_the_sleeper, daemon=True)
            canceller.start()
            with pytest.raises(psycopg2.errors.QueryCanceled):
                ask(connection, "SELECT pg_sleep(3600)")
            canceller.join()
        assert ended_without_a_word("127.0.0.1", port, next(addresses(cluster))), "only unix sockets are allowed"

        proxy.stop()
        assert os.listdir(directory) == []
        # Killed it leaves its socket, and comes back all the same.
        proxy.start()
        proxy.kill()
        assert os.listdir(directory) == [".s.PGSQL.5432"]
        proxy.start()
        psycopg2.connect(cluster.dsn(directory, 5432)).close()
    finally:
        for name in os.listdir(directory):
            os.unlink(f"{directory}/{name}")
        os.rmdir(directory)


# --- a transaction may end ----------------------------------------------------------------------

def on_replica(mode, cluster, proxy, node, count):
    """So many sessions of the read port on this replica, and one on the other."""
    found, other = [], None
    while len(found) < count or other is None:
        session = RawClient(proxy.host, proxy.read_port, modes.tls_context(mode, cluster), limit=90)
        if node.host.encode() not in session.ask(simple("SELECT host(inet_server_addr())"))[1][1]:
            other = other or session
        elif len(found) < count:
            found.append(session)
        if session is not other and session not in found:
            session.socket.close()
    return found, other


def goodbye(session):
    """SQLSTATE and text of the last words, None for an end without any."""
    begin = len(session.said)
    try:
        session.until(b"")
    except EOFError:
        pass
    errors = [body for kind, body in session.said[begin:] if kind == b"E"]
    return tuple(re.search(rb"\0%c([^\0]*)\0" % kind, errors[-1])[1].decode() for kind in b"CM") if errors else None


def lives(session):
    return session.ask(simple("SELECT 1"))[-1][0] == b"Z"


@modes.in_each_mode
def test_drain(cluster, make_rolegate, mode):
    """A replica is promoted; PostgreSQL itself ends none of its sessions then, so it is for its read port to say. With
    `on_marked_down: drain` an idle session ends at once, those in a transaction go on and end with their COMMIT, one in
    a query ends with its answer, and at `drain.deadline` the rest ends; TLS that is passed through hides all that, so
    there only the deadline counts. With `none` all go on. Sessions of the other replica never notice."""
    new = cluster.replicas()[0]
    patient, hasty, careless = (modes.start(mode, cluster, make_rolegate, **keys) for keys in (
        {"on_marked_down": "drain", "drain": {"deadline": "1h"}},
        {"on_marked_down": "drain", "drain": {"deadline": "100ms"}},
        {"on_marked_down": "none"}))
    words = ("57P01", f"terminating connection: member {new.name} is no longer a replica")
    end = None if mode == "passthrough" else words
    with contextlib.ExitStack() as stack:
        (idle, waits, *working), *others = on_replica(mode, cluster, patient, new, 2 + WORKING)
        (late,), other = on_replica(mode, cluster, hasty, new, 1)
        (free,), another = on_replica(mode, cluster, careless, new, 1)
        others += [other, another]
        for session in (idle, waits, *working, late, free, *others):
            stack.callback(session.socket.close)
        for session in (*working, late, free):
            session.ask(simple("BEGIN"))
        working[0].ask(simple("SELECT pg_advisory_xact_lock(7)"))
        waits.send(simple("SELECT pg_advisory_lock(7), 'at last'"))

        cluster.switchover(new)
        for proxy in (patient, hasty, careless):
            proxy.wait_routable("write", [new.name], 60)

        if mode != "passthrough":
            assert goodbye(idle) == words
        assert goodbye(late) == end
        for session in reversed(working):
            assert b"f" in session.ask(simple("SELECT pg_is_in_recovery()"))[1][1]
            assert session.ask(simple("COMMIT"))[0] == (b"C", b"COMMIT\0")
            if mode != "passthrough":
                assert goodbye(session) == words
        assert b"at last" in dict(waits.until_ready())[b"D"]
        if mode != "passthrough":
            assert goodbye(waits) == words
        else:
            assert all(lives(session) for session in (idle, waits, *working))
        assert lives(free)
        assert all(lives(session) for session in others)


def waiting(cluster, event):
    """How many processes of the primary wait for that."""
    return cluster.query(cluster.leader(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = %s", event)[0][0]


@modes.in_each_mode
def test_sigterm_lets_queries_finish(cluster, make_rolegate, mode):
    """SIGTERM while queries run without a transaction, some of them of clients that have said all they had to say:
    every client gets its answer, then the process exits 0."""
    proxy = modes.start(mode, cluster, make_rolegate)
    leader = cluster.leader()
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(RawClient(proxy.host, proxy.write_port, modes.tls_context(mode, cluster)))
                    for _ in range(WORKING)]
        # Nobody's query ends before this says so, however long all that takes.
        keeper = stack.enter_context(contextlib.closing(psycopg2.connect(cluster.dsn(leader.host, leader.pg_port))))
        keeper.autocommit = True
        ask(keeper, "SELECT pg_advisory_lock(8)")
        for number, session in enumerate(sessions):
            session.send(simple("SELECT pg_advisory_lock_shared(8), repeat('x', 100000)"))
            # Inside TLS Python's ssl module would forget the TLS.
            if mode == "clear" and number % 2:
                session.socket.shutdown(socket.SHUT_WR)
        wait_until("all of them wait", lambda: waiting(cluster, "advisory") == WORKING, 30)

        proxy.child.signal(signal.SIGTERM)
        wait_until("it takes nobody any more", lambda: not ports.is_taken(proxy.host, proxy.write_port), 15)
        ask(keeper, "SELECT pg_advisory_unlock(8)")

        for session in sessions:
            assert [kind for kind, _ in session.until_ready()] == [b"T", b"D", b"C", b"Z"]
        for session in sessions:
            session.socket.close()
        assert proxy.child.wait(60) == 0
