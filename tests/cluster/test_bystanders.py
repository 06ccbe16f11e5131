# SPDX-License-Identifier: PostgreSQL
"""What is nobody's fault must not look like one: a member that hangs is not its clients' trouble, and sessions that end
as they should are no sign of trouble."""

import contextlib
import os
import re
import signal
import time

import psycopg2
import pytest

import modes
from clients import ask
from demo.processes import wait_until

SESSIONS = 25


@contextlib.contextmanager
def deaf(node):
    """Its postmaster takes connections, for the kernel does, and serves none; sessions and Patroni go on."""
    pid = node.postmaster_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def log_of(proxy):
    with open(proxy.log) as file:
        return file.read()


@pytest.mark.parametrize("mode", ("clear", "passthrough"))
def test_a_replica_that_hangs_costs_nobody_the_connection(cluster, make_rolegate, mode):
    """Every client of the read port is served by the other replica; the one that hangs is named, and left alone for a
    while after the first client has waited for it."""
    proxy = modes.start(mode, cluster, make_rolegate, timeouts={"connect": "1s", "handshake": "60s"})
    hung = cluster.replicas()[0]
    dsn = cluster.dsn(proxy.host, proxy.read_port, connect_timeout=60, **modes.options(mode, cluster))
    with deaf(hung):
        for _ in range(10):
            with contextlib.closing(psycopg2.connect(dsn)) as connection:
                assert ask(connection, "SELECT host(inet_server_addr())") != [(hung.host,)]
    said = re.findall(rf"event=server_silent listener=read member={hung.name} ", log_of(proxy))
    # Each worker finds out for itself, and again after ten seconds.
    assert 1 <= len(said) <= 2 * os.cpu_count()


@pytest.mark.parametrize("mode", modes.MODES)
def test_sessions_that_end_well_are_recorded_so(cluster, make_rolegate, mode):
    """Whatever the order in which client and server close their sides of a session, it ends as it should, and nobody
    looks closer at the members because of it.

    Inside TLS that passes through nobody sees Terminate: there a client that has said it and is interrupted before it
    closes looks like one whose server has left it. That the client was at fault is never said."""
    proxy = modes.start(mode, cluster, make_rolegate, dcs=True)
    dsns = [cluster.dsn(proxy.host, port, **modes.options(mode, cluster)) for port in (proxy.write_port, proxy.read_port)]
    time.sleep(2)  # the burst of questions at the start is over

    def checks():
        return sum(proxy.metric("rolegate_checks_total", cluster="main", member=node.name, source="rest", result="ok")
                   for node in cluster.nodes)

    # A machine that stands still for a moment makes Rolegate look closer, too; so there is another go.
    for go in (1, 2, 3):
        before, begin = checks(), time.monotonic()
        for number in range(SESSIONS):
            with contextlib.closing(psycopg2.connect(dsns[number % 2])) as connection:
                ask(connection, "SELECT 1")
        wait_until("all have ended", lambda: log_of(proxy).count("event=session_end") >= go * SESSIONS, 20)  # noqa: B023
        # Every member is asked each 10 s, and perhaps once more; a burst would ask ten times a second.
        lawful = len(cluster.nodes) * (2 + (time.monotonic() - begin) / 5)
        asked = checks() - before
        if asked <= lawful:
            break

    ends = re.findall(r"event=session_end .* term=(\S\S) why=(\S+)", log_of(proxy))
    well = {("--", "none")}
    if mode == "passthrough" and set(ends) != well:
        assert {why for _, why in ends} <= {"none", "server_ended", "server_reset"}
        return
    assert set(ends) == well
    assert asked <= lawful
