# SPDX-License-Identifier: PostgreSQL
"""Writes to the primary, reads to the replicas in turn."""

from collections import Counter

from clients import where


def test_a1_write_port_is_the_primary_and_reads_alternate(cluster, rolegate):
    """Setup A1: three Patroni nodes, one port for the leader, one for the replicas by round robin.

    The client sees the primary behind every connection to the write port, and both replicas, equally often,
    behind the read port.
    """
    leader = cluster.leader()

    writes = [where(cluster, rolegate, rolegate.write_port) for _ in range(6)]
    reads = [where(cluster, rolegate, rolegate.read_port) for _ in range(12)]

    assert set(writes) == {(leader.name, False)}
    assert {standby for _, standby in reads} == {True}
    assert Counter(name for name, _ in reads) == {node.name: 6 for node in cluster.replicas()}


def test_a1_status_names_primary_and_routes(cluster, rolegate):
    """Setup A1, seen by a script: the status names the primary, and which members each listener sends clients to."""
    main = rolegate.main()

    assert main["primary"] == cluster.leader().name
    assert {member["name"] for member in main["members"]} == {node.name for node in cluster.nodes}
    assert rolegate.routable("write") == [cluster.leader().name]
    assert rolegate.routable("read") == sorted(node.name for node in cluster.replicas())
