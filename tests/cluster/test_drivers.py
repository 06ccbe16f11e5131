# SPDX-License-Identifier: PostgreSQL
"""Drivers and the tools of PostgreSQL work through Rolegate as they do without it."""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess

import psycopg2
import pytest

import modes
import programs
from demo import processes
from demo.node import postgres_bin
from demo.processes import wait_until
from modes import in_each_mode
from pgbench import Pgbench

DUMP_MEGABYTES = int(os.environ.get("ROLEGATE_TEST_DUMP_MEGABYTES", "50"))
ROWS_PER_MEGABYTE = 1024

BASICS = {"select": "42", "transaction": "1", "error": "42P01", "after the error": "7", "prepared": "3 5 7",
          "values": "True", "notify": "hello"}
CHECKSUM = "SELECT count(*), md5(string_agg(md5(big::text), '' ORDER BY id)) FROM big"


def run(environment, *argv, limit=120, **more):
    """A tool that must succeed; returns what it wrote to its standard output."""
    done = subprocess.run(argv, capture_output=True, env=environment, timeout=limit * processes.TIMEOUT_SCALE,
                          **({} if "input" in more else {"stdin": subprocess.DEVNULL}), **more)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.returncode} {done.stdout[-2000:]} {done.stderr[-2000:]}"
    return done.stdout


def query(environment, sql, database="postgres"):
    """The one field of the one row, asked by psql."""
    return run(environment, "psql", "-XAtq", "-d", database, "-c", sql).decode().strip()


def settings(mode, cluster, proxy, port):
    return modes.environment(mode, cluster, proxy, port) | {"PATH": f"{postgres_bin()}:/usr/bin:/bin"}


@contextlib.contextmanager
def database(cluster, name):
    """A database that is gone afterwards. The leader makes it."""
    leader = cluster.leader()
    cluster.query(leader, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    cluster.query(leader, f"CREATE DATABASE {name}")
    try:
        yield name
    finally:
        cluster.query(leader, f"DROP DATABASE {name} WITH (FORCE)")


def fill(environment, name, megabytes):
    """Rows of 1 kB, of several types, with an index, a sequence and a foreign key."""
    rows = megabytes * ROWS_PER_MEGABYTE
    query(environment, f"""
        CREATE TABLE big (id bigserial PRIMARY KEY, body text NOT NULL, raw bytea, at timestamptz, amount numeric);
        CREATE TABLE small (id int PRIMARY KEY, big bigint REFERENCES big (id));
        INSERT INTO big (body, raw, at, amount)
            SELECT E'\\t\n\\\\' || repeat(md5(n::text), 28), decode(md5(n::text), 'hex'), to_timestamp(n), n / 7.0
            FROM generate_series(1, {rows}) n;
        INSERT INTO small SELECT n, n FROM generate_series(1, 100) n;
        CREATE INDEX ON big (at)""", name)


@pytest.mark.parametrize("driver", programs.DRIVERS)
@in_each_mode
def test_driver(cluster, make_rolegate, directory, mode, driver):
    """Connect, select, transaction, an error and going on, prepared statement, typed values, NOTIFY: all as without
    Rolegate, and the server sees TLS where the mode promises it."""
    proxy = modes.start(mode, cluster, make_rolegate)

    found = programs.basics(driver, mode, cluster, proxy, proxy.write_port, directory)

    assert found == BASICS | {"tls": str(mode != "clear")}


@in_each_mode
def test_pgbench(cluster, make_rolegate, mode):
    """pgbench in its three protocols: no failed transaction on either port."""
    Pgbench.prepare(cluster)
    proxy = modes.start(mode, cluster, make_rolegate)
    leader = cluster.leader()
    for replica in cluster.replicas():
        end = cluster.query(leader, "SELECT pg_current_wal_lsn()::text")[0][0]
        wait_until(f"{replica.name} has the tables of pgbench", lambda: cluster.query(
            replica, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", end) == [(True,)], 30)  # noqa: B023

    for port in (proxy.write_port, proxy.read_port):
        for protocol in ("simple", "extended", "prepared"):
            said = run(settings(mode, cluster, proxy, port), "pgbench", "-n", "-S", "-M", protocol, "-c", "4",
                       "-t", "100").decode()
            assert re.search(r"transactions actually processed: 400/400\b", said), said
            assert re.search(r"failed transactions: 0 ", said), said


@in_each_mode
def test_dump_and_restore(cluster, make_rolegate, mode):
    """`pg_dump | psql`, both through the write port at once: the copy is the original."""
    proxy = modes.start(mode, cluster, make_rolegate)
    tools = settings(mode, cluster, proxy, proxy.write_port)
    with database(cluster, "original") as original, database(cluster, "restored") as restored:
        fill(tools, original, DUMP_MEGABYTES)

        run(tools, "bash", "-c", f"set -o pipefail; pg_dump {original} | psql -Xq -v ON_ERROR_STOP=1 -d {restored}",
            limit=120 + DUMP_MEGABYTES)

        assert query(tools, CHECKSUM, restored) == query(tools, CHECKSUM, original)
        assert query(tools, "SELECT count(*) FROM big JOIN small ON big.id = small.big", restored) == "100"


@in_each_mode
def test_copy(cluster, make_rolegate, mode):
    """COPY out gives the same bytes as without Rolegate, COPY in the same rows, as text and as binary."""
    proxy = modes.start(mode, cluster, make_rolegate)
    tools = settings(mode, cluster, proxy, proxy.write_port)
    leader = cluster.leader()
    direct = settings("clear", cluster, proxy, 0) | {"PGHOST": leader.host, "PGPORT": str(leader.pg_port)}
    with database(cluster, "copies") as name:
        fill(direct, name, 4)
        expected = query(direct, CHECKSUM, name)
        for form in ("text", "binary"):
            copy_out = f"COPY (SELECT * FROM big ORDER BY id) TO STDOUT (FORMAT {form})"
            through = run(tools, "psql", "-Xq", "-d", name, "-c", copy_out)
            assert hashlib.sha256(through).digest() == \
                hashlib.sha256(run(direct, "psql", "-Xq", "-d", name, "-c", copy_out)).digest()

            query(direct, "TRUNCATE big, small", name)
            run(tools, "psql", "-Xq", "-d", name, "-c", f"COPY big FROM STDIN (FORMAT {form})", input=through)
            assert query(direct, CHECKSUM, name) == expected


@in_each_mode
def test_many_notifications(cluster, make_rolegate, mode):
    """2,000 notifications of many lengths come in order to a listener that was idle meanwhile."""
    proxy = modes.start(mode, cluster, make_rolegate)
    dsn = cluster.dsn(proxy.host, proxy.write_port, **modes.options(mode, cluster))
    listener, speaker = psycopg2.connect(dsn), psycopg2.connect(dsn)
    try:
        listener.autocommit = True
        with listener.cursor() as cursor:
            cursor.execute("LISTEN many")
        with speaker, speaker.cursor() as cursor:
            cursor.execute("SELECT count(pg_notify('many', n::text || repeat('x', n % 1000))) "
                           "FROM generate_series(1, 2000) n")

        def all_heard():
            listener.poll()
            return len(listener.notifies) >= 2000
        wait_until("all notifications are heard", all_heard, 30, every=0.001)
        assert [note.payload for note in listener.notifies] == [f"{n}" + "x" * (n % 1000) for n in range(1, 2001)]
    finally:
        listener.close()
        speaker.close()


@in_each_mode
def test_base_backup(cluster, make_rolegate, directory, mode):
    """pg_basebackup through the write port, WAL streamed beside it: the backup agrees with its manifest."""
    proxy = modes.start(mode, cluster, make_rolegate)
    tools = settings(mode, cluster, proxy, proxy.write_port) | {"PGUSER": "replication"}
    target = f"{directory}/backup-{mode}"
    try:
        run(tools, "pg_basebackup", "-D", target, "-X", "stream", "-c", "fast", "--no-sync")
        run(tools, "pg_verifybackup", target)
    finally:
        shutil.rmtree(target, ignore_errors=True)


@in_each_mode
def test_logical_replication(cluster, make_rolegate, directory, mode):
    """pg_recvlogical through the write port receives what is committed, in order."""
    proxy = modes.start(mode, cluster, make_rolegate)
    tools = settings(mode, cluster, proxy, proxy.write_port)
    output = f"{directory}/changes-{mode}"
    leader = cluster.leader()
    # Patroni drops slots that it does not know.
    cluster.configure(ignore_slots=[{"name": "changes", "type": "logical"}])
    cluster.wait_loop()
    try:
        with database(cluster, "logical") as name:
            query(tools, "CREATE TABLE t (x int)", name)
            run(tools, "pg_recvlogical", "-d", name, "-S", "changes", "-P", "test_decoding", "--create-slot")
            query(tools, "INSERT INTO t SELECT generate_series(1, 2000)", name)
            end = query(tools, "SELECT pg_current_wal_lsn()", name)
            query(tools, "INSERT INTO t VALUES (0)", name)       # it looks for its end when something comes
            run(tools, "pg_recvlogical", "-d", name, "-S", "changes", "--start", "-s", "1", "-f", output,
                "--endpos", end, "--no-loop", "--fsync-interval=0", "-o", "include-xids=0")
            run(tools, "pg_recvlogical", "-d", name, "-S", "changes", "--drop-slot")
    finally:
        cluster.query(leader, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
                              "WHERE slot_name = 'changes' AND NOT active")
        cluster.configure(ignore_slots=None)
    with open(output) as file:
        received = re.findall(r"^table public\.t: INSERT: x\[integer\]:(\d+)$", file.read(), re.M)
    assert received[:2000] == [str(n) for n in range(1, 2001)]
