# SPDX-License-Identifier: PostgreSQL
"""Setups of the field with Rolegate in HAProxy's place, ports and numbers as they stand there."""

import threading

import pytest

import raw
from clients import ask, session, where
from demo import ports
from demo.processes import wait_until
from demo.rolegate import Rolegate
from field import FieldRolegate, second_cluster

PORT, ADMIN = 5413, 7000
# global maxconn 200, and maxconn 200 of each server.
MAXCONN = 200


@pytest.fixture
def two_nodes(directory, prefix):
    """A3's cluster: two nodes on :5413, one etcd."""
    with second_cluster(directory, prefix, "two-nodes", nodes=2, pg_port=PORT) as cluster:
        cluster.start()
        yield cluster


@pytest.fixture
def a3(two_nodes, directory, request):
    """A3's proxy host: `inter 3s`, `timeout check 5s`, `timeout connect 4s`, `timeout client/server 30m`; `fall 3 rise 2`
    and `retries 2` have no key, for the lock decides, and another try is made as long as the client is held."""
    host = f"{two_nodes.settings.prefix}.20"
    proxy = FieldRolegate(directory, "a3", {
        "clusters": {"main": {"patroni": {"members": [node.rest for node in two_nodes.nodes], "interval": "3s",
                                          "timeout": "5s"},
                              "default_member": {"maxconn": MAXCONN}}},
        "listeners": {"postgres": {"bind": f"{host}:{PORT}", "cluster": "main", "role": "primary",
                                   "timeouts": {"connect": "4s", "client": "30m", "server": "30m"},
                                   "queue": {"timeout": "29s"}}},
        "maxconn": MAXCONN,
        "workers": 2,
        "admin": {"bind": f"{host}:{ADMIN}"}})
    request.node.rolegates = [proxy]
    proxy.write_port = PORT
    proxy.start()
    yield proxy
    proxy.stop()


def sessions_on(cluster, node):
    return cluster.query(node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
                         "AND application_name = 'crowd'")[0][0]


def crowd(proxy, count):
    return [raw.RawClient(proxy.host, PORT, application_name="crowd") for _ in range(count)]


class OneMore:
    """A client that connects and waits for the first answer, however long that takes."""

    def __init__(self, proxy):
        self.socket = raw.connect(proxy.host, PORT)
        self.socket.sendall(raw.startup(user="postgres", database="postgres", application_name="crowd"))
        self.answer = b""
        self.thread = threading.Thread(target=self._wait, daemon=True)
        self.thread.start()

    def _wait(self):
        try:
            self.answer = self.socket.recv(1)
        except OSError:
            self.answer = b"-"


def test_a3_two_nodes_one_port_and_200_connections(two_nodes, a3):
    """One port leads to the leader; 200 clients are in, number 201 waits until one has left. After Ctrl-C of the
    leader's Patroni the 200 are told so and come again: they are on the successor, and they are 200 again."""
    old, new = two_nodes.leader(), two_nodes.replicas()[0]
    assert where(two_nodes, a3, PORT) == (old.name, False)
    wait_until("nobody is in", lambda: a3.status()["listeners"]["postgres"]["sessions"] == 0, 10)

    clients = crowd(a3, MAXCONN)
    assert sessions_on(two_nodes, old) == MAXCONN
    one_more = OneMore(a3)
    wait_until("the log says so", lambda: "maxconn is reached" in a3.log_text(), 20)
    # Whoever is in is served meanwhile, and the one more is not.
    assert all(client.ask(raw.simple("SELECT 1"))[-1][0] == b"Z" for client in clients)
    assert one_more.answer == b"" and sessions_on(two_nodes, old) == MAXCONN
    clients.pop().socket.close()
    wait_until("the one more is served", lambda: one_more.answer == b"R", 20)
    assert sessions_on(two_nodes, old) == MAXCONN

    old.stop()
    for client in clients:
        said = client.rest()
        assert b"57P01" in said, said
    assert one_more.socket.recv(1 << 16).count(b"57P01") <= 1
    one_more.socket.close()
    two_nodes.wait_leader(new)
    clients = crowd(a3, MAXCONN)
    assert sessions_on(two_nodes, new) == MAXCONN
    one_more = OneMore(a3)
    assert all(client.ask(raw.simple("SELECT 1"))[-1][0] == b"Z" for client in clients)
    assert one_more.answer == b"" and sessions_on(two_nodes, new) == MAXCONN
    clients.pop().socket.close()
    wait_until("the one more is served there", lambda: one_more.answer == b"R", 20)
    for client in (*clients, one_more):
        client.socket.close()

    old.start()
    two_nodes.wait_healthy()
    assert where(two_nodes, a3, PORT) == (new.name, False)


WRITE, READ, PAGE = 5000, 5001, 1080


@pytest.fixture
def a4(cluster, directory, request):
    """The proxy on node 1, at the node's own address."""
    host = cluster.nodes[0].host
    taken = [port for port in (WRITE, READ, PAGE) if ports.is_taken(host, port)]
    assert not taken, f"taken: {taken}"
    proxy = Rolegate([node.rest for node in cluster.nodes], directory, WRITE, READ, PAGE, host=host, name="a4",
                     write={"queue": {"timeout": "29s"}})
    request.node.rolegates = [proxy]
    proxy.start()
    yield proxy
    proxy.stop()


def test_a4_a_proxy_on_the_first_node(cluster, a4):
    """Three nodes, the proxy on node 1: :5000 writes, :5001 reads, the page on :1080. It leads away from its own node
    and to it, whoever leads, also while its own node's Patroni and PostgreSQL are down."""
    here, other = cluster.nodes[0], cluster.nodes[1]
    for leader in (here, other):
        if cluster.leader() is not leader:
            cluster.switchover(leader)
            cluster.wait_leader(leader)
            cluster.wait_healthy()
        a4.wait_open("write", [leader])
        a4.wait_open("read", cluster.replicas())
        assert where(cluster, a4, WRITE) == (leader.name, False)
        assert {where(cluster, a4, READ) for _ in range(6)} == {(node.name, True) for node in cluster.replicas()}
    assert a4.get("/").status == 200

    rest = next(node for node in cluster.nodes if node not in (here, other))
    with session(cluster, a4, WRITE) as held:
        here.stop()
        a4.wait_open("read", [rest])
        assert where(cluster, a4, WRITE) == (other.name, False)
        assert {where(cluster, a4, READ) for _ in range(4)} == {(rest.name, True)}
        assert ask(held, "SELECT 1") == [(1,)]
    here.start()
    cluster.wait_healthy()
    a4.wait_open("read", [here, rest])
