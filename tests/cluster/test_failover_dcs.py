# SPDX-License-Identifier: PostgreSQL
"""Role changes seen through the watch on the leader lock."""

import pytest

from clients import PATIENT, where
from demo.outage import Measurement, measure_switchover, table
from demo.processes import wait_until
from demo.writer import CREATE, SteadyWriter
from field import second_cluster
from witness import Resident, Witness

ROUNDS = 5


def stale_writes(steady, new_primary, opened_at):
    """Writes of a session of long standing that the old primary acknowledged after the new one had taken a write."""
    return [attempt for attempt in steady.acknowledged()
            if attempt.server != new_primary and attempt.acknowledged > opened_at]


def test_switchovers_with_a_watch(cluster, dcs_rolegate):
    """B3 five times with etcd beside REST: no failed attempt, no session on a standby, no stale write, never two
    writers. Each change is in /api/v1/events with its steps, and no source was needed but the ones that are named."""
    cluster.query(cluster.leader(), CREATE)
    with Witness(dcs_rolegate) as witness:
        for number in range(ROUNDS):
            cluster.wait_healthy()
            old, new = cluster.leader(), cluster.candidate()
            before = len(dcs_rolegate.events())
            with Measurement(cluster, [dcs_rolegate]) as measurement:
                steady = SteadyWriter(f"steady-{number}", cluster.dsn(
                    dcs_rolegate.host, dcs_rolegate.write_port, connect_timeout=30)).start()
                wait_until("the steady client writes", steady.acknowledged, 10)
                cluster.switchover(new)
                measurement.wait_over()
                steady.stop()
            outage, = measurement.outages()
            print("\n" + table([outage]))
            outage.require_clean(f"round {number + 1}")
            assert stale_writes(steady, *measurement.prober.opened()) == []
            dcs_rolegate.wait_lock("etcd3", new.name)
            changes = [event for event in dcs_rolegate.events()[before:] if event["to"] == new.name]
            assert [event["from"] for event in changes] == [old.name], dcs_rolegate.events()
            assert_steps(changes[0], old, new)
    assert witness.most() == 1
    assert dcs_rolegate.metric("rolegate_role_changes_total", cluster="main") >= ROUNDS


def assert_steps(event, old, new):
    """The steps come in the order in which they must happen, each about the member it happened to."""
    steps = {step["step"]: step for step in event["steps"]}
    order = ("lock_lost", "lock_taken", "out_of_recovery", "first_session")
    assert set(order) <= set(steps), event
    assert [steps[name]["member"] for name in order] == [old.name, new.name, new.name, new.name], event
    times = [steps[name]["ms"] for name in order]
    assert times == sorted(times), event
    # Where PostgreSQL itself is shut down, no session may be left to cut.
    if "sessions_cut" in steps:
        assert steps["sessions_cut"]["member"] == old.name, event
    assert event["cluster"] == "main" and event["at"], event


def test_b5_kill_of_patroni_on_the_leader_with_a_watch(cluster, dcs_rolegate):
    """B5 with etcd: `kill -9` of Patroni on the leader, its PostgreSQL lives on. It is the lawful primary until its
    lease ends, and serves until then; afterwards no write is acknowledged by it, neither to clients that connect anew
    nor to one that writes without pause on a session of long standing."""
    old = cluster.leader()
    with Witness(dcs_rolegate) as witness, Measurement(cluster, [dcs_rolegate]) as measurement:
        steady = SteadyWriter("steady", cluster.dsn(dcs_rolegate.host, dcs_rolegate.write_port, connect_timeout=30)).start()
        wait_until("the steady client writes", steady.acknowledged, 10)
        old.kill_patroni()
        dcs_rolegate.wait_rule(old, ("degraded", "lock-and-word"), 20)
        assert where(cluster, dcs_rolegate, dcs_rolegate.write_port) == (old.name, False)
        measurement.wait_over(90)
        new_primary, opened_at = measurement.prober.opened()
        wait_until("the steady client writes to the new primary",
                   lambda: any(attempt.server == new_primary for attempt in steady.acknowledged()), 60)
        steady.stop()
    outage, = measurement.outages()

    assert stale_writes(steady, new_primary, opened_at) == []
    assert (outage.stale, outage.on_standby) == (0, 0), table([outage])
    assert old.postmaster_pid(), "the old primary was to live on"
    assert witness.most() == 1
    dcs_rolegate.wait_rule(old, "lock-elsewhere")
    change, = [event for event in dcs_rolegate.events() if event["from"] == old.name]
    assert_steps(change, old, cluster.leader())
    assert "sessions_cut" in [step["step"] for step in change["steps"]], change
    lawful = max(attempt.acknowledged for attempt in measurement.writers[0].acknowledged() if attempt.server == old.postgres)
    print(f"\nthe old primary's last write came {opened_at - lawful:.3f} s before the new one's first\n{table([outage])}")


def test_patroni_of_the_leader_returns_within_the_ttl(cluster, dcs_rolegate):
    """Patroni on the leader is killed and started again (an upgrade, a crash): the same holder makes the leader key
    anew under a new lease. That is no failover: no session ends, no role change is reported."""
    leader = cluster.leader()
    writer, reader = (Resident(cluster, dcs_rolegate, port) for port in (dcs_rolegate.write_port, dcs_rolegate.read_port))
    changes = dcs_rolegate.events()
    with Witness(dcs_rolegate) as witness:
        leader.kill_patroni()
        dcs_rolegate.wait_rule(leader, ("degraded", "lock-and-word"), 20)
        leader.start()
        cluster.wait_healthy()
        dcs_rolegate.wait_rule(leader, "lock-and-word")
    assert witness.writers() == [(leader.name,)]
    assert writer.lives() and reader.lives()
    assert dcs_rolegate.events() == changes


def test_b6_kill_of_postgres_on_a_replica(cluster, dcs_rolegate):
    """B6: `kill -9` of PostgreSQL on a replica; Patroni starts it again. New reads go to the other one meanwhile
    without a failed connection, later to both; writes notice nothing."""
    victim, other = cluster.replicas()
    writer = Resident(cluster, dcs_rolegate, dcs_rolegate.write_port)
    old_postmaster = victim.postmaster_pid()

    def is_back():
        return victim.postmaster_pid() not in (None, old_postmaster)
    victim.kill_postgres()

    # Its Patroni may be quicker than six sessions.
    reads = [(where(cluster, dcs_rolegate, dcs_rolegate.read_port)[0], is_back()) for _ in range(6)]
    assert {name for name, back in reads if not back} <= {other.name}, reads
    assert {name for name, _ in reads} <= {other.name, victim.name}, reads
    wait_until("Patroni started PostgreSQL again", is_back, 60)
    wait_until("it gets reads again", lambda: where(cluster, dcs_rolegate, dcs_rolegate.read_port)[0] == victim.name, 60)
    assert writer.lives()


def test_b8_postgres_of_the_leader_cannot_be_started_again(cluster, make_dcs_rolegate):
    """B8: `kill -9` of PostgreSQL on the leader, and Patroni cannot start it again, because something else took its
    port. Another member is promoted; as B3: no failed attempt, no stale write."""
    rolegate = make_dcs_rolegate()
    rolegate.start()
    old = cluster.leader()
    release = None
    try:
        with Witness(rolegate) as witness, Measurement(cluster, [rolegate]) as measurement:
            release = old.block_postgres()
            measurement.wait_over(60)
        outage, = measurement.outages()
        outage.require_clean()
        assert witness.most() == 1
        assert where(cluster, rolegate, rolegate.write_port) == (cluster.leader().name, False)
        assert cluster.leader() is not old
    finally:
        if release:
            release()
    print("\n" + table([outage]))


@pytest.fixture
def etcd2_cluster(directory, prefix):
    """Two nodes that use the old API of etcd, as Patroni's `etcd:` section does."""
    with second_cluster(directory, prefix, "old", nodes=2, dcs="etcd") as cluster:
        cluster.start()
        yield cluster


def test_switchover_with_the_old_api_of_etcd(etcd2_cluster, make_rolegate):
    """etcd's API v2 as the source of the lock: its holder and time are known, a switchover is as smooth as with v3."""
    cluster = etcd2_cluster
    rolegate = make_rolegate([node.rest for node in cluster.nodes], cluster={"dcs": cluster.dcs()}, write=PATIENT)
    rolegate.start()
    wait_until("the lock is known from etcd", lambda: rolegate.lock().get("source") == "etcd", 20)
    assert rolegate.lock()["holder"] == cluster.leader().name
    left = wait_until("the lock's time is known", lambda: rolegate.lock().get("ttl_left_ms"), 10)
    assert 0 < left <= 1000 * cluster.settings.ttl
    changes = rolegate.events()
    # Two refreshes of the lock (compareAndSwap with the same value) are no news.
    key = f"/v2/keys{cluster.key('leader')}"
    modified = modified_index(cluster, key)
    wait_until("the lock is refreshed twice", lambda: modified_index(cluster, key) > modified + 1, 20)
    assert rolegate.events() == changes

    with Witness(rolegate) as witness:
        outage, = measure_switchover(cluster, [rolegate]).outages()

    outage.require_clean()
    assert witness.most() == 1
    rolegate.wait_lock("etcd")
    print("\n" + table([outage]))


def modified_index(cluster, key):
    return wait_until("etcd knows the key", lambda: cluster.etcd.members[0].fetch(key), 20)["node"]["modifiedIndex"]
