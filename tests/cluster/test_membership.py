# SPDX-License-Identifier: PostgreSQL
"""Nodes come and go; the proxy's configuration stays as it is."""

from clients import where
from demo.processes import wait_until


def test_b14_a_node_is_added_and_one_removed(cluster, make_rolegate):
    """B14: a node joins the cluster, another one leaves for good; nobody edits the proxy's configuration.

    The new node, of which the configuration knows nothing, gets its share of the reads; the removed one gets none,
    and no client notices, also when the removed one is a seed of the configuration.
    """
    seeds = [node.rest for node in cluster.nodes]
    rolegate = make_rolegate(seeds)
    rolegate.start()

    added = cluster.add_node()
    added.start()
    rolegate.wait_routable("read", [node.name for node in cluster.replicas()], limit=60)
    assert added.rest not in seeds
    assert {where(cluster, rolegate, rolegate.read_port)[0] for _ in range(6)} \
        == {node.name for node in cluster.replicas()}

    removed = next(node for node in cluster.replicas() if node is not added)
    cluster.remove_node(removed)
    wait_until("reads avoid the removed node", lambda: removed.name not in rolegate.routable("read"), 30)
    names = {where(cluster, rolegate, rolegate.read_port)[0] for _ in range(6)}
    assert names == {node.name for node in cluster.replicas()}
    # Patroni forgets a stopped member when its key expires, after ttl.
    wait_until("the cluster has forgotten it", lambda: (view := cluster.view()) and removed.name not in [
        member["name"] for member in view["members"]], 60, every=0.5)
    wait_until("the proxy has forgotten it", lambda: (member := rolegate.member(removed.name)) is None
               or not any(member["routable"].values()), 30)
    assert where(cluster, rolegate, rolegate.write_port) == (cluster.leader().name, False)
