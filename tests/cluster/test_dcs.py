# SPDX-License-Identifier: PostgreSQL
"""A watch on the leader lock in quiet times, and what operators do to a healthy cluster."""

import os
import shutil
import signal
import subprocess
import time

from clients import ask, session, where
from demo import ports, rest
from demo.outage import measure_switchover
from demo.processes import TIMEOUT_SCALE, Child, wait_until
from demo.rolegate import binary
from demo.writer import CREATE, Writer
from witness import Resident, Witness, resident_on

# Requests a second to all nodes' REST APIs together.
QUIET = 0.5


def test_lock_is_known_from_etcd(cluster, dcs_rolegate):
    """An operator sees who holds the lock, for how long, and who says so; the metrics say the same."""
    lock = dcs_rolegate.lock()
    assert (lock["holder"], lock["source"]) == (cluster.leader().name, "etcd3")
    left = wait_until("the lock's time is known", lambda: dcs_rolegate.lock().get("ttl_left_ms"), 10)
    assert 0 < left <= 1000 * cluster.settings.ttl
    dcs_rolegate.wait_rule(cluster.leader(), "lock-and-word")
    assert dcs_rolegate.metric("rolegate_dcs_connected", cluster="main") == 1
    assert 0 < dcs_rolegate.metric("rolegate_lock_ttl_seconds", cluster="main") <= cluster.settings.ttl
    assert dcs_rolegate.metric("rolegate_checks_total", cluster="main", source="etcd3", result="ok") > 0
    assert dcs_rolegate.metric("rolegate_checks_total", cluster="main", source="rest", result="ok") > 0
    result = subprocess.run(["promtool", "check", "metrics"], input=dcs_rolegate.get("/metrics").body, text=True,
                            capture_output=True, timeout=30 * TIMEOUT_SCALE)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_sql_is_a_second_word(cluster, make_dcs_rolegate):
    """With a user for it Rolegate also asks PostgreSQL itself, over one connection a member; and that word keeps the
    primary open when its Patroni is dead."""
    rolegate = make_dcs_rolegate(sql={"user": "postgres", "password": cluster.settings.password})
    rolegate.start()
    for node in cluster.nodes:
        wait_until(f"{node.name} has answered over SQL", lambda: rolegate.metric(
            "rolegate_checks_total", cluster="main", member=node.name, source="sql", result="ok"), 20)  # noqa: B023
    leader = cluster.leader()
    leader.kill_patroni()
    wait_until("Rolegate has seen that its REST API is silent", lambda: rolegate.metric(
        "rolegate_checks_total", cluster="main", member=leader.name, source="rest") != rolegate.metric(
        "rolegate_checks_total", cluster="main", member=leader.name, source="rest", result="ok"), 20)
    assert where(cluster, rolegate, rolegate.write_port) == (leader.name, False)
    assert rolegate.rules()[leader.name] in ("lock-and-word", "degraded")


def test_quiet_on_the_cluster(cluster, dcs_rolegate):
    """With a healthy watch there is no need to ask unchanged members again and again: few requests reach Patroni.

    They are counted in Patroni's own logs, over a time in which nobody else asks.
    """
    seen = []

    def requests():
        seen.append(sum(node.requests() for node in cluster.nodes))
        return seen[-1]
    # A proxy that has just started asks more.
    wait_until("two seconds without a request", lambda: requests() and len(seen) > 4 and len(set(seen[-5:])) == 1, 30,
               every=0.5)
    # One who finds a member silent looks closer for some seconds, and a machine that stands still makes silent members.
    for _ in range(3):
        before, begin = requests(), time.monotonic()
        time.sleep(25)      # the time itself is what is measured
        rate = (requests() - before) / (time.monotonic() - begin)
        print(f"\n{rate:.2f} REST requests a second")
        if rate <= QUIET:
            break
    assert rate <= QUIET
    dcs_rolegate.wait_lock("etcd3")


def test_patronis_own_file_is_enough(cluster, directory):
    """`rolegate run --patroni-config FILE` on a Patroni node: scope, namespace and etcd come from there."""
    write, read, admin = (f"127.0.0.1:{ports.free_port()}" for _ in range(3))
    child = Child("rolegate", [binary(), "run", "--patroni-config", cluster.replicas()[0].config, "--write-bind", write,
                               "--read-bind", read, "--admin-bind", admin], f"{directory}/patroni-config.log")
    try:
        child.start()
        wait_until("it is ready", lambda: child.require_running() and getattr(rest.ask(admin, "/readyz"), "status", 0) == 200, 30)
        for address, nodes in ((write, [cluster.leader()]), (read, cluster.replicas())):
            (host,), = cluster.query_at("127.0.0.1", int(address.rpartition(":")[2]), "SELECT host(inet_server_addr())")
            assert host in [node.host for node in nodes]
        clusters = rest.ask(admin, "/api/v1/status").json()["clusters"]
        assert [part["lock"]["source"] for part in clusters.values()] == ["etcd3"]
    finally:
        child.stop()


def test_etcd_is_maintained_under_the_watch(cluster, dcs_rolegate):
    """etcd's leadership moves from member to member, its history is compacted and its files are made anew, also while
    the proxy does not read what the watch sends. Nobody notices; and the switchover after that is seen as ever."""
    leader = cluster.leader()
    writer = Resident(cluster, dcs_rolegate, dcs_rolegate.write_port)
    changes = dcs_rolegate.events()
    with Witness(dcs_rolegate) as witness:
        for member in cluster.etcd.followers():
            cluster.etcd.move_leader(member)
        cluster.etcd.compact()
        dcs_rolegate.child.freeze()
        # Not by etcdctl, which takes so long that the frozen proxy's view could grow stale.
        for number in range(20):
            assert cluster.etcd.put(cluster.key("noise"), f"{number}")
        cluster.etcd.compact()
        dcs_rolegate.child.thaw()
        cluster.etcd.ctl("del", cluster.key("noise"))
        wait_until("the lock is known from etcd",
                   lambda: dcs_rolegate.lock().get("source") == "etcd3" and dcs_rolegate.lock().get("holder") == leader.name, 20)
        dcs_rolegate.wait_rule(leader, "lock-and-word")
        assert witness.writers() == [(leader.name,)]
        assert writer.lives() and dcs_rolegate.events() == changes
        outage, = measure_switchover(cluster, [dcs_rolegate]).outages()
    outage.require_clean()
    dcs_rolegate.wait_lock("etcd3")
    assert witness.most() == 1


def test_b11_pause_rebuild_and_resume(cluster, dcs_rolegate):
    """B11: pause, a replica is rebuilt by hand, resume. No session of a healthy member is touched; the rebuilt one
    gets no reads before it streams, and then it does."""
    leader, (rebuilt, other) = cluster.leader(), cluster.replicas()
    cluster.query(leader, CREATE)
    writer, reader = resident_on(cluster, dcs_rolegate, leader), resident_on(cluster, dcs_rolegate, other)
    cluster.pause()
    marker = f"before-the-copy-{time.monotonic()}"
    rebuilt.kill_postgres()
    wait_until("reads avoid it", lambda: rebuilt.name not in dcs_rolegate.routable("read"), 30)
    cluster.query(leader, "INSERT INTO writes (id) VALUES (%s)", marker)
    wait_until("the other replica has it", lambda: cluster.query(other, "SELECT 1 FROM writes WHERE id = %s", marker), 20)
    # Its Patroni copies the leader anew. At once, for processes of the old server may still be on their way out.
    os.rename(rebuilt.data, f"{rebuilt.data}.gone")
    shutil.rmtree(f"{rebuilt.data}.gone", ignore_errors=True)
    cluster.pause(on=False)
    seen = set()

    def looked():
        with session(cluster, dcs_rolegate, dcs_rolegate.read_port) as connection:
            host, found = ask(connection, "SELECT host(inet_server_addr()), EXISTS (SELECT FROM writes WHERE id = %s)", marker)[0]
        seen.add((host, found))
        return host == rebuilt.host
    wait_until("the rebuilt replica gets reads", looked, 60)

    assert {found for _, found in seen} == {True}, "a read went to a replica that lacks a row"
    assert writer.lives() and reader.lives()


def test_lock_is_gone_in_pause(cluster, make_dcs_rolegate):
    """In pause the leader's Patroni hangs and its lock goes. Nobody is promoted, and PostgreSQL itself says that it is
    a primary, so it stays the only writer, until its Patroni has taken the lock again. No session is touched."""
    rolegate = make_dcs_rolegate(sql={"user": "postgres", "password": cluster.settings.password})
    rolegate.start()
    wait_until("the lock is known from etcd", lambda: rolegate.lock().get("source") == "etcd3", 20)
    leader = cluster.leader()
    writer = Resident(cluster, rolegate, rolegate.write_port)
    cluster.pause()
    with Witness(rolegate) as witness:
        leader.child.freeze()   # otherwise it would take the lock again at once
        cluster.etcd.ctl("del", cluster.key("leader"))
        rolegate.wait_rule(leader, "paused", 20)
        assert where(cluster, rolegate, rolegate.write_port) == (leader.name, False)
        leader.child.thaw()
        rolegate.wait_rule(leader, "lock-and-word", 30)
        cluster.pause(on=False)
    assert witness.writers() == [(leader.name,)]
    assert writer.lives()


def test_b12_restart_reload_and_new_timing(cluster, dcs_rolegate):
    """B12: `patronictl restart` of all members, `reload`, other `ttl` and `loop_wait`. Clients that connect meanwhile
    wait for a moment at most; the primary stays who it is."""
    leader = cluster.leader()
    cluster.query(leader, CREATE)
    writer = Writer("writer", cluster.dsn(dcs_rolegate.host, dcs_rolegate.write_port, connect_timeout=30)).start()
    with Witness(dcs_rolegate) as witness:
        cluster.ctl("restart", cluster.settings.scope, "--force")
        cluster.wait_healthy()
        cluster.ctl("reload", cluster.settings.scope, "--force")
        cluster.configure(ttl=25, loop_wait=3)
        wait_until("the lease is of the new length", lambda: (
            dcs_rolegate.lock().get("ttl_left_ms") or 0) > 1000 * cluster.settings.ttl, 30)
        now = time.monotonic()
        wait_until("writes go on", lambda: len(writer.acknowledged_since(now)) > 5, 20)
    writer.stop()
    assert [attempt.error for attempt in writer.attempts if attempt.failed_to_connect or attempt.reached_standby] == []
    assert {attempt.server for attempt in writer.acknowledged()} == {leader.postgres}
    assert set(witness.writers()) <= {(), (leader.name,)}
    # A restart of PostgreSQL is no change of roles.
    assert [event for event in dcs_rolegate.events() if event["from"] == leader.name != event["to"]] == []


def test_signals_reach_a_proxy_with_a_watch(cluster, dcs_rolegate):
    """SIGTERM ends a proxy whose watch hangs on etcd as quickly as one without."""
    dcs_rolegate.child.signal(signal.SIGTERM)
    assert dcs_rolegate.child.wait(10) == 0
