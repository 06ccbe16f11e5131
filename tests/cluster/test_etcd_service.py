# SPDX-License-Identifier: PostgreSQL
"""A2: Patroni reaches etcd through Rolegate, as it does through a proxy on its own host in the field."""

import pytest

from clients import write_row
from demo.node import stop_all
from demo.processes import wait_until
from demo.writer import CREATE
from service_proxies import ServiceRolegate

# As HAProxy is configured there: inter 10s downinter 5s rise 2 fall 2 slowstart 60s maxconn 250 maxqueue 256 weight 100.
TCP = {"inter": "10s", "fastinter": "500ms", "downinter": "5s", "rise": 2, "fall": 2}
MEMBER = {"slowstart": "60s", "maxconn": 250, "maxqueue": 256, "weight": 100}


class Way:
    """What Node.go_through() wants to know."""

    def __init__(self, *addresses):
        self.addresses = list(addresses)


def restart(cluster, way):
    """All of Patroni starts anew and goes to etcd by this way alone."""
    stop_all(cluster.nodes)
    for node in cluster.nodes:
        node.go_through(way)
        node.start()
    cluster.wait_healthy(90)


@pytest.fixture
def etcd_proxy(directory, cluster, request):
    proxy = ServiceRolegate(cluster.etcd.addresses, directory, "etcd-service", TCP, {"default_member": MEMBER},
                            {"balance": "roundrobin"})
    request.node.rolegates = [proxy]
    proxy.start()
    proxy.wait_routable("read", cluster.etcd.addresses)
    try:
        restart(cluster, Way(proxy.address))
        yield proxy
    finally:
        cluster.etcd.start()
        restart(cluster, None)
        proxy.stop()


def last_seen(node):
    return (node.status() or {}).get("dcs_last_seen", 0)


def test_a2_patroni_finds_etcd_when_one_member_is_down(cluster, etcd_proxy, rolegate):
    """The first member of etcd is killed: the leader keeps its lock, a switchover works, and a Patroni that starts
    finds etcd. The member that is back is used again."""
    leader = cluster.leader()
    cluster.query(leader, CREATE)
    first = cluster.etcd.members[0]
    assert etcd_proxy.metric("rolegate_sessions", listener="service") > 0, "Patroni takes another way"
    timeline = leader.status()["timeline"]

    first.child.kill()
    seen = {node.name: last_seen(node) for node in cluster.nodes}
    for node in cluster.nodes:
        # Longer than the lease lasts: it was renewed.
        wait_until(f"{node.name} goes on reading etcd",
                   lambda: last_seen(node) > seen[node.name] + cluster.settings.ttl + 2, 60)   # noqa: B023
    assert cluster.leader() is leader and leader.status()["timeline"] == timeline
    write_row(cluster, rolegate, "with-two-members-of-etcd")

    wait_until("etcd's first member is down", lambda: etcd_proxy.check_status(first.address) == "DOWN", 30)
    assert "2 of 2 checks failed" in etcd_proxy.member(first.address)["reason"]
    _, candidate = cluster.switchover()
    cluster.wait_leader(candidate)
    cluster.wait_healthy()
    other = cluster.replicas()[0]
    other.stop()
    other.start()
    cluster.wait_healthy()

    cluster.etcd.start()
    wait_until("etcd's first member is up", lambda: etcd_proxy.check_status(first.address) == "UP", 40)
    assert sorted(etcd_proxy.routable("read")) == sorted(cluster.etcd.addresses)
    explained = etcd_proxy.explain()["listeners"]["service"]["members"]
    share = next(member["share"] for member in explained if member["name"] == first.address)
    assert share["of"] == 100 and share["throttle"] < 100, "no slow start"
