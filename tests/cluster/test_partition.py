# SPDX-License-Identifier: PostgreSQL
"""Somebody no longer hears somebody else. Packets vanish in silence: no answer, no refusal, no end of a connection."""

import psycopg2

from clients import session, where
from demo.network import Gate
from demo.outage import Measurement, measure_switchover, table
from demo.processes import wait_until
from demo.writer import SteadyWriter
from witness import Resident, Witness


def wait_etcd(rolegate, connected=True, limit=30):
    wait_until(f"Rolegate {'hears' if connected else 'does not hear'} etcd", lambda: rolegate.metric(
        "rolegate_dcs_connected", cluster="main") == int(connected), limit)
    if connected:
        wait_until("the lock and its time are known from etcd", lambda: rolegate.lock().get("source") == "etcd3"
                   and rolegate.lock().get("ttl_left_ms"), limit)


def refusal(cluster, rolegate):
    """Why a new client of the write port is refused, None when it is served."""
    try:
        with session(cluster, rolegate, rolegate.write_port):
            return None
    except psycopg2.OperationalError as error:
        return str(error)


def test_proxy_is_cut_off_from_etcd(cluster, namespace, make_dcs_rolegate):
    """The proxy no longer hears etcd; Patroni and everybody else do. Two policies side by side:

    `on_dcs_loss: rest` asks Patroni's REST APIs for the lock and goes on, through a switchover too, no session touched.
    `on_dcs_loss: fence` keeps the primary to the end of the lease that it knows of, and not a moment longer.
    """
    rest = make_dcs_rolegate(namespace, on_dcs_loss="rest")
    fence = make_dcs_rolegate(namespace, on_dcs_loss="fence", write={"queue": {"timeout": "1s"}})
    for rolegate in (rest, fence):
        rolegate.start()
        wait_etcd(rolegate)
    leader = cluster.leader()
    on_rest, on_fence = (Resident(cluster, rolegate, rolegate.write_port) for rolegate in (rest, fence))
    with Witness(rest, fence) as witness:
        namespace.cut_off(cluster.etcd.addresses)
        for rolegate in (rest, fence):
            wait_etcd(rolegate, connected=False)
            wait_until("the log names etcd", lambda: any(address in rolegate.log_text() for address in  # noqa: B023
                                                         cluster.etcd.addresses), 10)
        assert fence.routable("write") == [leader.name], "its lease has not ended"
        wait_until("the lock is known from REST", lambda: rest.lock().get("source") == "rest", 20)
        rest.wait_rule(leader, ("lock-and-word", "rest-only"))
        assert where(cluster, rest, rest.write_port) == (leader.name, False)
        fence.wait_rule(leader, ("dcs-lost", "lease-ended"), cluster.settings.ttl + 5)
        wait_until("its session is cut", lambda: not on_fence.lives(), 10)
        assert refusal(cluster, fence)
        assert on_rest.lives()
        assert witness.writers(rest) == [(leader.name,)]

        outage, = measure_switchover(cluster, [rest]).outages()
        outage.require_clean()
        assert refusal(cluster, fence)

        namespace.mend()
        for rolegate in (rest, fence):
            wait_etcd(rolegate)
            rolegate.wait_rule(cluster.leader(), "lock-and-word")
            assert where(cluster, rolegate, rolegate.write_port) == (cluster.leader().name, False)
    assert witness.most() == 1


def test_proxy_is_cut_off_from_the_leaders_patroni(cluster, namespace, make_dcs_rolegate):
    """The proxy no longer hears the REST API of the leader. The lock in etcd is alive, so the primary stays open."""
    rolegate = make_dcs_rolegate(namespace, patroni={"timeout": "500ms"})
    rolegate.start()
    wait_etcd(rolegate)
    leader = cluster.leader()
    writer = Resident(cluster, rolegate, rolegate.write_port)
    with Witness(rolegate) as witness:
        namespace.cut_off([leader.rest])
        rolegate.wait_rule(leader, "degraded", 30)
        rolegate.wait_logged(f"member={leader.name}")
        assert where(cluster, rolegate, rolegate.write_port) == (leader.name, False)
        rolegate.wait_lock("etcd3")
        namespace.mend()
        rolegate.wait_rule(leader, "lock-and-word", 30)
    assert writer.lives()
    assert witness.writers() == [(leader.name,)]


def test_proxy_is_cut_off_from_everybody(cluster, namespace, make_dcs_rolegate):
    """The proxy hears neither etcd nor the leader's Patroni: another member's word for the lock keeps the primary open.
    Then it hears no Patroni at all: what it knows grows old, and from `stale_after` on new clients are refused at once;
    sessions go on or are cut, as `on_stale` says."""
    gentle, strict = (make_dcs_rolegate(namespace, patroni={"timeout": "500ms"}, stale_after="8s", on_stale=policy)
                      for policy in ("refuse_new", "shutdown_sessions"))
    both = (gentle, strict)
    for rolegate in both:
        rolegate.start()
        wait_etcd(rolegate)
    leader = cluster.leader()
    on_gentle, on_strict = (Resident(cluster, rolegate, rolegate.write_port) for rolegate in both)
    with Witness(*both) as witness:
        namespace.cut_off([*cluster.etcd.addresses, leader.rest])
        for rolegate in both:
            wait_etcd(rolegate, connected=False)
            wait_until("the lock is known from REST", lambda: rolegate.lock().get("source") == "rest", 20)  # noqa: B023
            rolegate.wait_rule(leader, "degraded", 10)
            assert where(cluster, rolegate, rolegate.write_port) == (leader.name, False)
        assert on_gentle.lives() and on_strict.lives()

        namespace.cut_off([node.rest for node in cluster.nodes])
        for rolegate in both:
            wait_until("new clients are refused", lambda: refusal(cluster, rolegate), 30)  # noqa: B023
            assert not rolegate.is_ready()
            rolegate.wait_logged("stale")
        wait_until("the session is cut", lambda: not on_strict.lives(), 20)
        assert on_gentle.lives()

        namespace.mend()
        for rolegate in both:
            wait_etcd(rolegate)
            rolegate.wait_rule(leader, "lock-and-word")
            assert where(cluster, rolegate, rolegate.write_port) == (leader.name, False)
        assert on_gentle.lives()
    assert set(witness.writers(gentle) + witness.writers(strict)) <= {(), (leader.name,)}


def test_leader_is_cut_off_from_etcd(cluster, dcs_rolegate, directory):
    """The leader no longer hears etcd; the proxy and the other members do. Its Patroni demotes it, its lock runs out,
    another member is promoted. No write is acknowledged by the old primary once the new one takes writes."""
    old = cluster.leader()
    gate = Gate("gate", directory, [(f"{old.host}:{23790 + number}", address)
                                    for number, address in enumerate(cluster.etcd.addresses)])
    try:
        gate.open()
        # Same lock, same holder: only its way to etcd is another one.
        old.kill_patroni()
        old.go_through(gate)
        old.start()
        cluster.wait_healthy()
        dcs_rolegate.wait_rule(old, "lock-and-word")
        assert cluster.leader() is old
        with Witness(dcs_rolegate) as witness, Measurement(cluster, [dcs_rolegate]) as measurement:
            steady = SteadyWriter("steady", cluster.dsn(
                dcs_rolegate.host, dcs_rolegate.write_port, connect_timeout=30)).start()
            wait_until("the steady client writes", steady.acknowledged, 10)
            gate.shut()
            measurement.wait_over(90)
            new_primary, opened_at = measurement.prober.opened()
            wait_until("the steady client writes to the new primary",
                       lambda: any(attempt.server == new_primary for attempt in steady.acknowledged()), 60)
            steady.stop()
        outage, = measurement.outages()
        late = [attempt for attempt in steady.acknowledged()
                if attempt.server != new_primary and attempt.acknowledged > opened_at]
        assert late == []
        assert (outage.stale, outage.on_standby) == (0, 0), table([outage])
        assert witness.most() == 1
        dcs_rolegate.wait_rule(old, "lock-elsewhere")
        gate.open()
        wait_until("the old leader gets reads", lambda: old.name in dcs_rolegate.routable("read"), 60)
        print("\n" + table([outage]))
    finally:
        old.go_through(None)
        old.child.stop()
        gate.stop()
