# SPDX-License-Identifier: PostgreSQL
"""A primary that has been overtaken is no good for reads either: what it shows is not the cluster any more."""

from clients import RawSession, where
from demo import ports
from demo.processes import wait_until


def test_reads_leave_a_primary_that_was_overtaken(cluster, make_rolegate):
    """`kill -9` of Patroni on the leader, whose PostgreSQL goes on; after the ttl a replica is promoted. A `read-only`
    port, which leads to the primary as well, then avoids the old one, and ends its sessions there, also with
    `on_marked_down` at its default; sessions on the replica that stays one go on. Over REST alone and with a watch."""
    proxies = []
    for dcs in (None, {"dcs": cluster.dcs()}):
        port = ports.free_port()
        proxy = make_rolegate([node.rest for node in cluster.nodes], cluster=dcs, listeners={
            "reads": {"bind": f"127.0.0.1:{port}", "role": "read-only"}})
        proxy.start()
        proxy.wait_open("reads", cluster.nodes)
        proxies.append((proxy, port))
    old = cluster.leader()
    idle = [by_node(proxy, port, cluster.nodes) for proxy, port in proxies]

    old.kill_patroni()
    new = cluster.wait_new_leader(old)
    other = next(node for node in cluster.nodes if node not in (old, new))
    for (proxy, port), sessions in zip(proxies, idle, strict=True):
        proxy.wait_open("reads", [new, other])
        assert sessions[old.name].goodbye(20) == "57P01"
        assert {where(cluster, proxy, port) for _ in range(6)} == {(new.name, False), (other.name, True)}
        assert proxy.rules("reads")[old.name] in ("was-primary", "lock-elsewhere")
        wait_until("nobody is left there", lambda: not (
            proxy.metric("rolegate_sessions", listener="reads", member=old.name) or 0), 20)      # noqa: B023
        # A replica's session is a reader's, whatever happens to the primary.
        sessions[other.name].socket.sendall(b"Q\0\0\0\x0dSELECT 1\0")
        assert sessions[other.name].message()[0] == b"T"
    assert old.postmaster_pid(), "the old primary was to live on"


def by_node(proxy, port, nodes):
    """An idle session on each."""
    found = {}
    while len(found) < len(nodes):
        client = RawSession(proxy.host, port)
        client.socket.sendall(b"Q\0\0\0\x24SELECT host(inet_server_addr())\0")
        said = b""
        while True:
            kind, body = client.message()
            said += body if kind == b"D" else b""
            if kind == b"Z":
                break
        node = next(node for node in nodes if node.host.encode() == said[6:])
        found.setdefault(node.name, client)
    return found
