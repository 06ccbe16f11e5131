# SPDX-License-Identifier: PostgreSQL
"""Three replicas with tags of the operator's: a zone, `clonefrom`, `noloadbalance`."""

import contextlib
from collections import Counter

import pytest

from clients import ask, session, where
from demo import ports
from demo.processes import wait_until

# Of each member; so small that a zone is full soon.
PLACES = 2


@pytest.fixture
def four_nodes(cluster):
    """The cluster with a fourth node; cluster.heal() removes it again."""
    cluster.add_node().start()
    cluster.wait_healthy()
    return cluster


def host_of(connection):
    return ask(connection, "SELECT host(inet_server_addr())")[0][0]


def test_zones_spill_over_and_tags_shut_out(four_nodes, make_rolegate):
    """Near is in zone a and has `clonefrom`, spare is in zone a and has `noloadbalance`, far is in zone b.

    The port that prefers zone a leads to near while it has a place, then to far, never to spare; to near again as soon
    as somebody has left it. Without a preference reads go to near and far. When spare takes part again, and near does
    not, nobody is cut."""
    cluster = four_nodes
    near, far, spare = cluster.replicas()
    port = ports.free_port()
    near.set_tags(zone="a", clonefrom=True)
    far.set_tags(zone="b")
    spare.set_tags(zone="a", noloadbalance=True)
    try:
        rolegate = make_rolegate(
            [cluster.nodes[0].rest], cluster={"default_member": {"maxconn": PLACES}},
            listeners={"zone": {"bind": f"127.0.0.1:{port}", "role": "replica", "prefer": {"tags": {"zone": "a"}}}})
        rolegate.start()
        rolegate.wait_open("read", [near, far])
        rolegate.wait_open("zone", [near, far])
        assert (rolegate.rules("zone")[spare.name], rolegate.rules("read")[spare.name]) == ("noloadbalance",) * 2

        def taken(node):
            return rolegate.metric("rolegate_sessions", member=node.name) or 0

        def served(port):
            """By whom, when all places are free."""
            found = where(cluster, rolegate, port)[0]
            wait_until("nobody is in", lambda: taken(near) + taken(far) == 0, 20)
            return found
        assert Counter(served(rolegate.read_port) for _ in range(6)) == {near.name: 3, far.name: 3}
        assert Counter(served(port) for _ in range(6)) == {near.name: 6}
        with contextlib.ExitStack() as crowd:
            held = [crowd.enter_context(session(cluster, rolegate, port)) for _ in range(2 * PLACES)]
            assert [host_of(each) for each in held] == [near.host] * PLACES + [far.host] * PLACES
            held[0].close()
            wait_until("near has a place", lambda: taken(near) == PLACES - 1, 20)
            held[0] = crowd.enter_context(session(cluster, rolegate, port))
            assert host_of(held[0]) == near.host

            near.set_tags(zone="a", noloadbalance=True)
            spare.set_tags(zone="a")
            rolegate.wait_open("zone", [far, spare])
            held.append(crowd.enter_context(session(cluster, rolegate, port)))
            assert [host_of(each) for each in held] == [near.host] * PLACES + [far.host] * PLACES + [spare.host]
    finally:
        for node in (near, far, spare):
            node.set_tags()
