# SPDX-License-Identifier: PostgreSQL
"""The main promise: role after role changes hands under load, and clients do not notice more than they must."""

import psycopg2

from demo.outage import measure_switchover, median, table
from demo.processes import wait_until
from demo.writer import CREATE
from pgbench import Pgbench

ROUNDS = 10
# Everything a client may hold on a server; walreceivers and the servers' own processes do not count.
CLIENT_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench-load'"


def test_ten_switchovers_under_load(cluster, rolegate, directory):
    """B3 ten times, with synchronous replication: a client connects and inserts a row every 50 ms, and 16 pgbench
    clients work beside it.

    No connection attempt fails, no acknowledged row is lost, no session stays on the old primary, and no session of
    the write port ever reaches a standby.
    """
    cluster.configure(synchronous_mode=True)
    cluster.query(cluster.leader(), CREATE)
    Pgbench.prepare(cluster)
    measured, acknowledged = [], set()
    with Pgbench(cluster, rolegate, f"{directory}/pgbench.log") as load:
        for number in range(ROUNDS):
            cluster.wait_healthy()
            wait_until("pgbench works on the primary", lambda: cluster.query(
                cluster.leader(), CLIENT_SESSIONS)[0][0] == 16, 30)
            old = cluster.leader()
            measurement = measure_switchover(cluster, [rolegate])
            outage, = measurement.outages()
            acknowledged |= measurement.acknowledged_rows()
            measured.append(outage)
            outage.require_clean(f"round {number + 1}")
            wait_until("no write session stays on the old primary", lambda: old.name not in rolegate.routable("write")
                       and old.name not in rolegate.status()["listeners"]["write"]["members"]
                       and sessions_on(rolegate, old) == 0, 20)
            wait_until("the old primary answers again", lambda: sessions_inside(cluster, old) is not None, 60)
            # One that stayed would stay: pgbench would go on using it.
            wait_until("the old primary has no session of a client", lambda: sessions_inside(cluster, old) == 0, 20)

    cluster.wait_healthy()
    kept = {row[0] for row in cluster.query(cluster.leader(), "SELECT id FROM writes")}
    assert acknowledged - kept == set(), "acknowledged rows were lost"
    assert "read-only transaction" not in load.output(), "pgbench reached a standby"
    print(f"\n{ROUNDS} switchovers: medians of the times, sums of the counts\n" + table([median(measured)]))
    print("first write after the new primary's own, ms: "
          + " ".join(f"{outage.first_write_delay:+.0f}" for outage in measured))


def sessions_inside(cluster, node):
    """What PostgreSQL itself says, None when it does not: its Patroni may stop it once more to rewind it."""
    try:
        return cluster.query(node, CLIENT_SESSIONS)[0][0]
    except psycopg2.OperationalError:
        return None


def sessions_on(rolegate, node):
    """Nobody reads in this test, so every session of the member is one of the write port."""
    return rolegate.member(node.name)["sessions"]
