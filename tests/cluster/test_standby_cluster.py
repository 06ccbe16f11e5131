# SPDX-License-Identifier: PostgreSQL
"""A standby cluster: its leader is a standby itself, fed by another cluster, until somebody makes it one of its own."""

import threading

import psycopg2
import pytest

from clients import ask, session, where
from demo import ports
from demo.processes import wait_until
from endpoints import wait_agreement
from field import second_cluster


@pytest.fixture
def make_standby_cluster(directory, prefix):
    """Two nodes that follow whoever is behind this host and port."""
    made = []

    def make(host, port):
        with_files = second_cluster(directory, prefix, "standby-cluster", nodes=2, standby_of=(host, port))
        cluster = with_files.__enter__()
        made.append(with_files)
        cluster.etcd.start()
        for node in cluster.nodes:
            node.start()
        wait_until("the standby cluster has its leader and a replica", lambda: leads_standby(cluster)
                   and sorted(role(node) for node in cluster.nodes) == ["replica", "standby_leader"], 90)
        return cluster
    yield make
    for with_files in made:
        with_files.__exit__(None, None, None)


# Patroni's own word for each listener (A9).
PATHS = {"leads": "/leader", "feeds": "/standby-leader", "read": "/replica", "write": "/primary", "any": "/read-only"}


def role(node):
    body = node.status() or {}
    return body.get("role") if body.get("state") in ("running", "streaming") else ""


def leads_standby(cluster):
    return next((node for node in cluster.nodes if role(node) == "standby_leader"), None)


def make_proxy(make_rolegate, cluster, dcs):
    """One listener of each role that can be meant; `hurried` is a primary port whose clients do not wait."""
    extra = {"leads": {"role": "leader"}, "feeds": {"role": "standby-leader"}, "any": {"role": "any"},
             "hurried": {"role": "primary", "queue": {"timeout": "200ms"}}}
    chosen = {name: ports.free_port() for name in extra}
    proxy = make_rolegate([node.rest for node in cluster.nodes], cluster={"dcs": cluster.dcs()} if dcs else None,
                          write={"queue": {"timeout": "4m"}},
                          listeners={name: {"bind": f"127.0.0.1:{chosen[name]}", **keys} for name, keys in extra.items()})
    proxy.start(ready=False)
    return proxy, chosen


class Held:
    """A client of the primary port that waits for its session."""

    def __init__(self, cluster, proxy):
        self.found = None
        self._arguments = cluster, proxy
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        cluster, proxy = self._arguments
        try:
            with session(cluster, proxy, proxy.write_port, connect_timeout=300) as connection:
                ask(connection, "CREATE TEMPORARY TABLE mine (id int)")
                self.found = ask(connection, "SELECT host(inet_server_addr()), pg_is_in_recovery()")[0]
        except psycopg2.Error as error:
            self.found = str(error)


def test_a_standby_cluster_and_its_promotion(cluster, rolegate, make_standby_cluster, make_rolegate):
    """A9: fed through the write port of the first cluster's Rolegate. The port of standby leaders and that of leaders lead
    to its leader, the read port to its replica, the primary port to nobody: its clients are held, or told 57P03. What is
    written to the first cluster is read in the second. Once it is a cluster of its own the primary port opens, whoever
    is held is served, and nobody leads a standby cluster any more. Over REST alone, and with a watch."""
    standby = make_standby_cluster(rolegate.host, rolegate.write_port)
    leader = leads_standby(standby)
    replica = next(node for node in standby.nodes if node is not leader)
    proxies = [make_proxy(make_rolegate, standby, dcs) for dcs in (False, True)]
    for proxy, port in proxies:
        proxy.wait_open("feeds", [leader])
        proxy.wait_open("leads", [leader])
        proxy.wait_open("read", [replica])
        proxy.wait_open("any", standby.nodes)
        wait_agreement(standby, proxy, PATHS)
        assert proxy.open_for("write") == []
        assert where(standby, proxy, port["feeds"]) == (leader.name, True)
        assert where(standby, proxy, port["leads"]) == (leader.name, True)
        assert where(standby, proxy, proxy.read_port) == (replica.name, True)
        with pytest.raises(psycopg2.OperationalError, match="no member of the cluster has this role"), session(standby, proxy, port["hurried"]):
            pass
        assert not proxy.is_ready("write") and proxy.is_ready("feeds")

    # The way is the proxy's: its one session of a walsender ends with the first cluster's leader and begins anew.
    assert (rolegate.metric("rolegate_sessions", listener="write") or 0) >= 1
    _, successor = cluster.switchover()
    cluster.wait_leader(successor)
    cluster.query(successor, "CREATE TABLE fed (id int)")
    cluster.query(successor, "INSERT INTO fed VALUES (1)")
    for proxy, port in proxies:
        for each in (port["feeds"], proxy.read_port):
            def reads():
                with session(standby, proxy, each) as connection:       # noqa: B023
                    return ask(connection, "SELECT count(*) FROM pg_class WHERE relname = 'fed'") == [(1,)]
            wait_until("the second cluster has what was written to the first", reads, 60)
        assert proxy.open_for("write") == []
    cluster.query(successor, "DROP TABLE fed")

    waiting = [Held(standby, proxy) for proxy, _ in proxies]
    for proxy, _ in proxies:
        wait_until("the writer is held", lambda: proxy.status()["listeners"]["write"]["held"] == 1, 20)  # noqa: B023
    standby.configure(standby_cluster=None)
    standby.wait_leader(leader)
    for (proxy, port), held in zip(proxies, waiting, strict=True):
        proxy.wait_open("write", [leader])
        proxy.wait_open("feeds", [])
        proxy.wait_open("leads", [leader])
        proxy.wait_open("read", [replica], limit=60)
        wait_agreement(standby, proxy, PATHS)
        held.thread.join(60)
        assert held.found == (leader.host, False)
        assert where(standby, proxy, port["hurried"]) == (leader.name, False)
