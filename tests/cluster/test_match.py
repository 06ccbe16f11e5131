# SPDX-License-Identifier: PostgreSQL
"""One port for several listeners: what a client says of itself decides where it goes."""

import threading

import psycopg2
import psycopg2.errors
import pytest

from clients import WHERE, ask, session
from demo import ports
from demo.processes import wait_until

READER = "reader_7"


@pytest.fixture
def one_port(cluster, make_rolegate):
    """Database postgres leads to the primary, users reader* to the replicas, nobody else anywhere."""
    cluster.query(cluster.leader(), f"DO $$ BEGIN CREATE ROLE {READER} LOGIN PASSWORD '{cluster.settings.password}'; "
                  "EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    port = ports.free_port()
    rolegate = make_rolegate([node.rest for node in cluster.nodes], listeners={
        "readers": {"bind": f"127.0.0.1:{port}", "match": {"user": "reader*"}, "role": "replica"},
        "writers": {"bind": f"127.0.0.1:{port}", "match": {"database": "postgres"}, "role": "primary"}})
    rolegate.start()
    rolegate.wait_open("readers", cluster.replicas())
    rolegate.wait_open("writers", [cluster.leader()])
    yield rolegate, port
    rolegate.stop()
    cluster.query(cluster.leader(), f"DROP ROLE {READER}")


def served(cluster, rolegate, port, **options):
    with session(cluster, rolegate, port, **options) as connection:
        host, standby = ask(connection, WHERE)[0]
    return next(node.name for node in cluster.nodes if node.host == host), standby


def test_one_port_leads_to_the_primary_and_to_the_replicas(cluster, one_port):
    """By user and by database, in clear text and by a client that asks for TLS first, which is answered with no.

    Whom nobody takes is told so; the status counts each client where it went.
    """
    rolegate, port = one_port
    leader = cluster.leader().name

    assert {served(cluster, rolegate, port) for _ in range(4)} == {(leader, False)}
    assert served(cluster, rolegate, port, sslmode="prefer") == (leader, False)
    replicas = {served(cluster, rolegate, port, user=READER) for _ in range(4)}
    assert replicas == {(node.name, True) for node in cluster.replicas()}

    with pytest.raises(psycopg2.OperationalError, match="no listener of this port"):
        served(cluster, rolegate, port, dbname="template1")
    with pytest.raises(psycopg2.OperationalError, match="server does not support SSL"):
        served(cluster, rolegate, port, sslmode="require")

    with session(cluster, rolegate, port, user=READER):
        def counted():
            listeners = rolegate.status()["listeners"]
            return listeners["readers"]["sessions"], listeners["writers"]["sessions"]
        wait_until("the sessions of before have ended", lambda: counted() == (1, 0), 20)
        listeners = rolegate.status()["listeners"]
        assert listeners["readers"]["match"] == {"user": ["reader*"]}
        assert listeners["readers"]["bind"] == listeners["writers"]["bind"] == [f"127.0.0.1:{port}"]


def test_a_query_is_cancelled_over_a_shared_port(cluster, one_port):
    """The key of a session of the second listener comes to the port that the first one was bound by."""
    rolegate, port = one_port
    with session(cluster, rolegate, port, user=READER) as connection:
        pid, = ask(connection, "SELECT pg_backend_pid()")[0]
        replica = next(node for node in cluster.nodes if node.host == ask(connection, WHERE)[0][0])

        def cancel_when_it_sleeps():
            wait_until("it sleeps", lambda: cluster.query(
                replica, "SELECT wait_event FROM pg_stat_activity WHERE pid = %s", pid) == [("PgSleep",)], 30)
            connection.cancel()
        other = threading.Thread(target=cancel_when_it_sleeps, daemon=True)
        other.start()
        with pytest.raises(psycopg2.errors.QueryCanceled):
            ask(connection, "SELECT pg_sleep(120)")
        other.join(30)
        assert ask(connection, "SELECT 1") == [(1,)]
    assert rolegate.metric("rolegate_cancel_requests_total", result="routed") == 1
