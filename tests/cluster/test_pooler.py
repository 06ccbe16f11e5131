# SPDX-License-Identifier: PostgreSQL
"""A pooler beside PostgreSQL, which Patroni names to clients as `proxy_url`: a real PgBouncer."""

import pytest

import raw
from clients import PATIENT, ask, session, where
from demo import ports
from demo.processes import Child, service_user, wait_until
from raw import RawClient, simple

PORT = 6432
PGBOUNCER = """\
[databases]
* = host={host} port={port} user=postgres password={password}
[pgbouncer]
listen_addr = {host}
listen_port = {pooler}
unix_socket_dir =
auth_type = any
admin_users = postgres
pool_mode = session
ignore_startup_parameters = extra_float_digits
"""


class PgBouncer:
    def __init__(self, node, directory, password):
        self.address = f"{node.host}:{PORT}"
        self.config = f"{directory}/pgbouncer-{node.name}.ini"
        self._place = node.host, PORT
        with open(self.config, "w") as file:
            file.write(PGBOUNCER.format(host=node.host, port=node.pg_port, pooler=PORT, password=password))
        self.child = Child(f"pgbouncer-{node.name}", ["pgbouncer", self.config], f"{directory}/pgbouncer-{node.name}.log",
                           service_user())

    def start(self):
        assert not ports.is_taken(*self._place), f"{self.address} is taken"
        self.child.start()
        wait_until("PgBouncer listens", lambda: self.child.require_running() and ports.is_taken(*self._place), 10)


@pytest.fixture
def poolers(cluster, directory):
    """One beside each node but the last, which names none."""
    made = {}
    try:
        for node in cluster.nodes[:-1]:
            made[node.name] = PgBouncer(node, directory, cluster.settings.password)
            made[node.name].start()
            node.set_pooler(made[node.name].address)
        yield made
    finally:
        for node in cluster.nodes:
            if node.name in made:
                node.set_pooler(None)
        for pooler in made.values():
            pooler.child.stop()


def pooler_behind(cluster, rolegate, port):
    """Address of the PgBouncer that a new session comes to; only that has a database of this name."""
    with session(cluster, rolegate, port, dbname="pgbouncer") as connection:
        return next(row[1] for row in ask(connection, "SHOW CONFIG") if row[0] == "listen_addr")


def test_clients_go_to_the_pooler_that_patroni_names(cluster, poolers, make_dcs_rolegate):
    """`proxy_url: true`: writes and reads go through the PgBouncer of whoever is meant, and straight to the node that
    names none; roles are those of PostgreSQL behind. A query is cancelled through both. After a switchover writes go
    through the pooler of the new primary."""
    first, second, plain = cluster.nodes
    if cluster.leader() is not first:
        cluster.switchover(first)
        cluster.wait_leader(first)
        cluster.wait_healthy()
    rolegate = make_dcs_rolegate(patroni={"proxy_url": True}, write=PATIENT)
    rolegate.start()
    wait_until("the poolers are named", lambda: all(
        "proxy_url" in (cluster.etcd.get(cluster.key(f"members/{name}")) or "") for name in poolers), 20)
    rolegate.wait_open("write", [first])
    rolegate.wait_open("read", [second, plain])

    def goes_through(node, port):
        wait_until(f"clients of {port} come to PgBouncer of {node.name}",
                   lambda: (rolegate.member(node.name) or {}).get("port") == PORT, 20)
        return pooler_behind(cluster, rolegate, port)
    assert goes_through(first, rolegate.write_port) == first.host
    assert where(cluster, rolegate, rolegate.write_port) == (first.name, False)
    assert {where(cluster, rolegate, rolegate.read_port) for _ in range(4)} == {(second.name, True), (plain.name, True)}
    assert (rolegate.member(second.name)["port"], rolegate.member(plain.name)["port"]) == (PORT, plain.pg_port)

    with RawClient(rolegate.host, rolegate.write_port) as client:
        client.send(simple("SELECT pg_sleep(3600)"))
        wait_until("it sleeps", lambda: cluster.query(first, "SELECT count(*) FROM pg_stat_activity "
                                                      "WHERE wait_event = 'PgSleep'") == [(1,)], 30)
        raw.cancel(rolegate.host, rolegate.write_port, client.pid, client.key)
        assert b"C57014\0" in dict(client.until_ready())[b"E"]

    cluster.switchover(second)
    cluster.wait_leader(second)
    rolegate.wait_open("write", [second])
    assert goes_through(second, rolegate.write_port) == second.host
    assert where(cluster, rolegate, rolegate.write_port) == (second.name, False)
