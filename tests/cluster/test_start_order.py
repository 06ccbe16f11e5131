# SPDX-License-Identifier: PostgreSQL
"""Everything stops and comes back, in whatever order the machines boot."""

import pytest

from clients import where, write_row
from demo.node import stop_all
from demo.processes import wait_until
from demo.writer import CREATE

ORDERS = [
    ("etcd", "leader", "replicas", "proxy"),   # the careful operator
    ("proxy", "etcd", "leader", "replicas"),   # the proxy sees nothing at all at first
    ("etcd", "replicas", "proxy", "leader"),   # replicas elect one of theirs, or wait
    ("leader", "proxy", "replicas", "etcd"),   # every Patroni waits for the lock's store
]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_b13_any_start_order(cluster, make_rolegate, order):
    """B13: proxy, replicas, leader and etcd are stopped in this order, then started in another one.

    Whatever starts first, clients are served as soon as there is a leader, and rows of before are still there.
    """
    rolegate = make_rolegate([node.rest for node in cluster.nodes])
    rolegate.start()
    leader, replicas = cluster.leader(), cluster.replicas()
    cluster.query(leader, CREATE)
    row = f"before-{'-'.join(order)}"
    write_row(cluster, rolegate, row)
    for node in replicas:
        wait_until(f"{node.name} has the row", lambda: cluster.query(
            node, "SELECT 1 FROM writes WHERE id = %s", row), 20)  # noqa: B023

    rolegate.stop()
    stop_all(replicas)
    stop_all([leader])
    cluster.etcd.stop()
    start = {
        "etcd": cluster.etcd.start,
        "leader": leader.start,
        "replicas": lambda: [node.start() for node in replicas],
        "proxy": lambda: rolegate.start(ready=False),
    }
    for part in order:
        start[part]()

    rolegate.wait_ready(limit=60)
    name, standby = where(cluster, rolegate, rolegate.write_port)
    assert (name, standby) == (cluster.leader().name, False)
    assert cluster.query(cluster.leader(), "SELECT count(*) FROM writes WHERE id = %s", row) == [(1,)]
    assert where(cluster, rolegate, rolegate.read_port)[1] is True
