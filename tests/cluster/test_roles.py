# SPDX-License-Identifier: PostgreSQL
"""Listeners that ask more of a member than to be a primary or a replica: tags, synchronous standbys, how far behind a
replica may be, and what stands in when there is none."""

import contextlib
from collections import Counter

import psycopg2
import pytest

from clients import RawSession, ask, session, where
from demo import ports
from demo.processes import wait_until
from lagging import replay_paused, write_wal


def listeners(**demands):
    """A free port for each; returns what configures them, and the ports."""
    chosen = {name: ports.free_port() for name in demands}
    return {name: {"bind": f"127.0.0.1:{chosen[name]}", **keys} for name, keys in demands.items()}, chosen


def served_by(cluster, rolegate, port, times=8):
    return Counter(where(cluster, rolegate, port)[0] for _ in range(times))


@contextlib.contextmanager
def tags_of(node, **tags):
    node.set_tags(**tags)
    try:
        yield
    finally:
        node.set_tags()


def test_b9_tags_choose_prefer_and_shut_out(cluster, make_rolegate):
    """B9: a replica is tagged `noloadbalance`, another one `zone: a`; the operator edits Patroni's configuration only.

    The port that demands the zone leads to it alone, the one that prefers it to the others as well once it has gone;
    noloadbalance takes it out of all of them, and its session goes on.
    """
    near, far = cluster.replicas()
    extra, port = listeners(zone={"role": "replica", "tags": {"zone": "a"}},
                            prefers={"role": "replica", "prefer": {"tags": {"zone": "a"}}},
                            everyone={"role": "any"}, reads={"role": "read-only"})
    with tags_of(near, zone="a"):
        rolegate = make_rolegate([node.rest for node in cluster.nodes], listeners=extra)
        rolegate.start(ready=False)
        rolegate.wait_open("zone", [near])
        rolegate.wait_open("prefers", [near, far])
        rolegate.wait_open("everyone", cluster.nodes)
        rolegate.wait_open("reads", cluster.nodes)
        assert rolegate.rules("zone")[far.name] == "tags"
        assert served_by(cluster, rolegate, port["zone"]) == {near.name: 8}
        assert served_by(cluster, rolegate, port["prefers"]) == {near.name: 8}
        assert set(served_by(cluster, rolegate, port["reads"], 9)) == {node.name for node in cluster.nodes}

        with session(cluster, rolegate, port["zone"]) as held:
            near.set_tags(zone="a", noloadbalance=True)
            rolegate.wait_open("zone", [])
            rolegate.wait_open("prefers", [far])
            rolegate.wait_open("reads", [cluster.leader(), far])
            assert rolegate.rules("zone")[near.name] == "noloadbalance"
            assert served_by(cluster, rolegate, port["prefers"]) == {far.name: 8}
            assert ask(held, "SELECT 1") == [(1,)]
            near.set_tags(zone="b")
            rolegate.wait_rule(near, "tags", listener="zone")
            assert ask(held, "SELECT 1") == [(1,)]


def test_b9_synchronous_and_asynchronous_standbys(cluster, make_rolegate):
    """B9: a cluster becomes synchronous: one port leads to the standby the primary waits for, one to the others."""
    extra, port = listeners(sync={"role": "sync"}, async_={"role": "async"}, safe={"role": "read-only-sync"},
                            leader={"role": "leader"}, standby={"role": "standby-leader"})
    rolegate = make_rolegate([node.rest for node in cluster.nodes], listeners=extra)
    rolegate.start(ready=False)
    rolegate.wait_open("async_", cluster.replicas())
    rolegate.wait_open("sync", [])
    rolegate.wait_open("leader", [cluster.leader()])
    rolegate.wait_open("standby", [])

    cluster.configure(synchronous_mode=True)

    def standby():
        members = (cluster.view() or {}).get("members", [])
        return next((cluster.node(member["name"]) for member in members if member["role"] == "sync_standby"), None)
    chosen = wait_until("Patroni has chosen a synchronous standby", standby, 60)
    other = next(node for node in cluster.replicas() if node is not chosen)
    rolegate.wait_open("sync", [chosen])
    rolegate.wait_open("async_", [other])
    rolegate.wait_open("safe", [cluster.leader(), chosen])
    assert served_by(cluster, rolegate, port["sync"]) == {chosen.name: 8}
    assert served_by(cluster, rolegate, port["async_"]) == {other.name: 8}

    with session(cluster, rolegate, port["sync"]) as held:
        cluster.configure(synchronous_mode=False)
        rolegate.wait_open("sync", [])
        rolegate.wait_open("async_", cluster.replicas())
        assert ask(held, "SELECT 1") == [(1,)]


@pytest.fixture
def two_synchronous(cluster):
    cluster.configure(synchronous_mode=True, synchronous_node_count=2)
    yield cluster
    cluster.configure(synchronous_mode=False, synchronous_node_count=None)


def test_b9_two_synchronous_standbys(cluster, two_synchronous, make_rolegate):
    """B9: the primary waits for both replicas: `sync` and `read-only-sync` lead to both, `async` to nobody. When one of
    them stops it leaves, and it is there again once the primary waits for it anew."""
    extra, port = listeners(sync={"role": "sync"}, async_={"role": "async"}, safe={"role": "read-only-sync"})
    rolegate = make_rolegate([node.rest for node in cluster.nodes], listeners=extra)
    rolegate.start(ready=False)
    leader, (first, second) = cluster.leader(), cluster.replicas()
    rolegate.wait_open("sync", [first, second], limit=60)
    rolegate.wait_open("safe", cluster.nodes)
    rolegate.wait_open("async_", [])
    assert served_by(cluster, rolegate, port["sync"]) == {first.name: 4, second.name: 4}
    assert set(served_by(cluster, rolegate, port["safe"], 9)) == {node.name for node in cluster.nodes}

    first.stop()
    try:
        rolegate.wait_open("sync", [second])
        rolegate.wait_open("safe", [leader, second])
        assert served_by(cluster, rolegate, port["sync"]) == {second.name: 8}
    finally:
        first.start()
    rolegate.wait_open("sync", [first, second], limit=60)


@pytest.mark.parametrize("dcs", (False, True), ids=("rest", "watch"))
@pytest.mark.parametrize("limit", ({"lag": {"leave": "2MB", "enter": "1MB"}},
                                   {"lag_time": {"leave": "3s", "enter": "1s"}}), ids=("bytes", "time"))
def test_b10_a_replica_that_is_too_far_behind(cluster, make_rolegate, dcs, limit):
    """B10: a replica stops replaying while the primary writes on.

    It gets no new sessions when it is beyond the limit, and again when it was well below for `lag_dwell`. A session in a
    transaction on it is not cut.
    """
    slow, quick = cluster.replicas()
    rolegate = make_rolegate([node.rest for node in cluster.nodes], read={**limit, "lag_dwell": "3s"},
                             cluster={"dcs": cluster.dcs()} if dcs else None)
    write_wal(cluster, 1)
    rolegate.start()
    rolegate.wait_open("read", [slow, quick])

    with session(cluster, rolegate, rolegate.read_port, application_name="held") as first, \
            session(cluster, rolegate, rolegate.read_port, application_name="held") as second:
        for connection in (first, second):
            ask(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ")
            ask(connection, "SELECT count(*) FROM pg_class")
        with replay_paused(cluster, slow):
            write_wal(cluster, 5)
            rolegate.wait_open("read", [quick])
            assert rolegate.rules("read")[slow.name] == "lag"
            assert served_by(cluster, rolegate, rolegate.read_port) == {quick.name: 8}
            generation = rolegate.main()["generation"]
            write_wal(cluster, 3)
            assert rolegate.main()["generation"] == generation
            for connection in (first, second):
                assert ask(connection, "SELECT 1") == [(1,)]
        rolegate.wait_open("read", [slow, quick])
        assert set(served_by(cluster, rolegate, rolegate.read_port)) == {slow.name, quick.name}
        for connection in (first, second):
            ask(connection, "COMMIT")
    changes = [line for line in rolegate.log_text().splitlines()
               if "event=topology" in line and f"{slow.name} keep for read:" in line]
    assert len(changes) == 1


def test_b11_the_primary_stands_in_while_no_replica_is_there(cluster, make_rolegate):
    """B11: all replicas are stopped, and come back later.

    The read port leads to the primary meanwhile, and to the replicas as soon as one is there; the session that the
    primary has got goes on. A port without the fallback holds its clients.
    """
    extra, port = listeners(strict={"role": "replica"})
    rolegate = make_rolegate([node.rest for node in cluster.nodes], read={"fallback": "primary"}, listeners=extra)
    rolegate.start()
    leader, replicas = cluster.leader(), cluster.replicas()
    rolegate.wait_open("read", replicas)
    assert rolegate.rules("read")[leader.name] == "fallback-over"

    for node in replicas:
        node.stop()
    try:
        rolegate.wait_open("read", [leader])
        rolegate.wait_open("strict", [])
        assert rolegate.rules("read")[leader.name] == "fallback"
        assert where(cluster, rolegate, rolegate.read_port) == (leader.name, False)
        with session(cluster, rolegate, rolegate.read_port) as held:
            for node in replicas:
                node.start()
            wait_until("the replicas are back", lambda: leader.name not in rolegate.open_for("read"), 60, every=0.05)
            assert where(cluster, rolegate, rolegate.read_port)[1]
            assert ask(held, "SELECT 1") == [(1,)]
    finally:
        for node in replicas:
            if not node.child.running:
                node.start()
    rolegate.wait_open("read", replicas, limit=60)


def test_b11_sessions_go_back_to_a_replica(cluster, make_rolegate):
    """B11: all replicas are stopped, reads go on at the primary. One comes back: idle sessions are told to come again
    and are then on the replica; the one in a transaction goes when that has ended."""
    rolegate = make_rolegate([node.rest for node in cluster.nodes], read={"fallback": "primary"})
    rolegate.start()
    leader, replicas = cluster.leader(), cluster.replicas()
    rolegate.wait_open("read", replicas)
    for node in replicas:
        node.stop()
    try:
        rolegate.wait_open("read", [leader])
        idle = [RawSession(rolegate.host, rolegate.read_port) for _ in range(3)]
        with session(cluster, rolegate, rolegate.read_port) as busy:
            ask(busy, "BEGIN")
            assert ask(busy, "SELECT pg_is_in_recovery()") == [(False,)]
            replicas[0].start()
            wait_until("a replica is back", lambda: rolegate.open_for("read") == [replicas[0].name], 60)
            assert [raw.goodbye(30) for raw in idle] == ["57P01"] * 3
            assert served_by(cluster, rolegate, rolegate.read_port) == {replicas[0].name: 8}
            assert ask(busy, "SELECT 1") == [(1,)]
            ask(busy, "COMMIT")
            wait_until("nobody is left on the primary", lambda: not (
                rolegate.metric("rolegate_sessions", listener="read", member=leader.name) or 0), 30)
            with pytest.raises(psycopg2.OperationalError):
                ask(busy, "SELECT 1")
    finally:
        for node in replicas:
            if not node.child.running:
                node.start()
    assert rolegate.metric("rolegate_sessions_shutdown_total", listener="read", member=leader.name, reason="moved") == 4
