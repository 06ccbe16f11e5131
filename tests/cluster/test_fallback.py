# SPDX-License-Identifier: PostgreSQL
"""All replicas are gone at once, without a word: reads go on at the primary that stands in for them.

Their keys in etcd say for a whole ttl that they run, so it is their silence, and what clients meet there, that tells."""

import contextlib
import time

import pytest

from clients import RawSession, ask, session
from demo.processes import wait_until
from readers import Readers

# So long that no key runs out while a test looks.
TTL = 120
with_and_without_watch = pytest.mark.parametrize("dcs", (False, True), ids=("rest", "watch"))


@pytest.fixture
def lasting_keys(cluster):
    cluster.configure(ttl=TTL)
    cluster.wait_loop()
    return cluster


def start(cluster, make_rolegate, dcs, **read):
    rolegate = make_rolegate([node.rest for node in cluster.nodes], read={"fallback": "primary", **read},
                             cluster={"dcs": cluster.dcs()} if dcs else None)
    rolegate.start()
    rolegate.wait_open("read", cluster.replicas())
    return rolegate


def reasons(rolegate):
    members = rolegate.explain()["listeners"]["read"]["members"]
    return {member["name"]: member["reason"] for member in members}


def require_fallback(cluster, rolegate, leader, replicas, why):
    """The primary stands in, and not because a key has run out. Returns when that was known."""
    rolegate.wait_open("read", [leader])
    known = time.monotonic()
    listed = {member["name"] for member in cluster.view()["members"]}
    assert listed == {node.name for node in cluster.nodes}
    assert rolegate.rules("read") == {leader.name: "fallback", **{node.name: "silent" for node in replicas}}
    assert all(why in reasons(rolegate)[node.name] for node in replicas), reasons(rolegate)
    return known


def require_return(rolegate, leader, back, readers, bring_back):
    """One replica comes: new sessions go there, and idle ones of the primary as well."""
    idle = [RawSession(rolegate.host, rolegate.read_port) for _ in range(3)]
    bring_back()
    wait_until("a replica is back", lambda: rolegate.open_for("read") == [back.name], 60)
    assert [raw.goodbye(30) for raw in idle] == ["57P01"] * 3
    readers.wait_only({back.host})
    wait_until("nobody is left on the primary", lambda: not (
        rolegate.metric("rolegate_sessions", listener="read", member=leader.name) or 0), 30)


@with_and_without_watch
def test_b11_all_replicas_are_killed(lasting_keys, make_rolegate, dcs):
    """B11: `kill -9` of Patroni and PostgreSQL on all replicas. Who comes once that is known is served by the primary,
    and nobody fails; one comes back and gets the new sessions, and the idle ones that the primary had got."""
    cluster = lasting_keys
    rolegate = start(cluster, make_rolegate, dcs)
    leader, replicas = cluster.leader(), cluster.replicas()
    with Readers(cluster, rolegate, 4) as readers:
        readers.wait_more()
        for node in replicas:
            node.kill_all()
        known = require_fallback(cluster, rolegate, leader, replicas, "has refused clients")
        readers.wait_only({leader.host})
        assert readers.hosts_since(known) <= {leader.host}
        require_return(rolegate, leader, replicas[0], readers, replicas[0].start)
    # Those that were in when their server died have lost their session; nobody who came later has.
    assert readers.errors_since(known) == []


@with_and_without_watch
def test_b11_all_replicas_hang(lasting_keys, make_rolegate, dcs):
    """B11: SIGSTOP of Patroni and PostgreSQL on all replicas: their ports take connections and nobody answers. Who comes
    before that is known waits for it, all others are served by the primary at once, and nobody fails. One goes on:
    new sessions are there, and the idle ones of the primary go back."""
    cluster = lasting_keys
    rolegate = start(cluster, make_rolegate, dcs, timeouts={"connect": "1s"}, queue={"timeout": "60s"})
    leader, replicas = cluster.leader(), cluster.replicas()
    with contextlib.ExitStack() as frozen:
        go_on = [node.freeze_all() for node in replicas]
        for each in go_on:
            frozen.callback(each)
        with Readers(cluster, rolegate, 4) as readers:
            known = require_fallback(cluster, rolegate, leader, replicas, "neither us nor clients")
            readers.wait_only({leader.host})
            assert readers.hosts_since(known) <= {leader.host}
            require_return(rolegate, leader, replicas[0], readers, go_on[0])
    assert readers.errors == []


def test_b4_a_replica_without_patroni_is_left_when_its_postgresql_goes_as_well(lasting_keys, make_rolegate):
    """B4, then worse: Patroni of a replica is killed, which is a good standby all the same; then its PostgreSQL is, and
    nobody restarts it. Reads are served by the other replica, and nobody who comes fails."""
    cluster = lasting_keys
    rolegate = start(cluster, make_rolegate, dcs=True)
    alone, other = cluster.replicas()
    alone.kill_patroni()
    rolegate.wait_rule(alone, "listed-replica", listener="read")
    with session(cluster, rolegate, rolegate.read_port) as one, session(cluster, rolegate, rolegate.read_port) as two:
        assert {ask(each, "SELECT host(inet_server_addr())")[0][0] for each in (one, two)} == {alone.host, other.host}
    alone.kill_postgres()
    with Readers(cluster, rolegate) as readers:
        rolegate.wait_open("read", [other])
        readers.wait_only({other.host})
    assert readers.errors == []
    assert rolegate.rules("read")[alone.name] == "silent"
