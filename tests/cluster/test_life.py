# SPDX-License-Identifier: PostgreSQL
"""Start without a file, signals, metrics, and the command line against a running proxy."""

import json
import re
import signal
import subprocess

from clients import RawSession, ask, session, where
from demo import ports, rest
from demo.processes import TIMEOUT_SCALE, Child, wait_until
from demo.rolegate import binary


def test_sigterm_ends_idle_sessions_politely(cluster, rolegate):
    """SIGTERM: idle clients get FATAL 57P01 and not a dead socket, the process exits 0, nothing is left."""
    idle = [RawSession(rolegate.host, rolegate.write_port) for _ in range(3)] \
        + [RawSession(rolegate.host, rolegate.read_port)]

    rolegate.child.signal(signal.SIGTERM)

    assert [client.goodbye(limit=15) for client in idle] == ["57P01"] * 4
    assert rolegate.child.wait(15) == 0
    assert not ports.is_taken(rolegate.host, rolegate.write_port)


def test_sigterm_lets_a_transaction_finish(cluster, rolegate):
    """SIGTERM during a transaction: its client goes on and commits, then the process exits 0."""
    with session(cluster, rolegate, rolegate.write_port) as connection:
        ask(connection, "BEGIN")
        ask(connection, "CREATE TEMPORARY TABLE t (x int)")
        rolegate.child.signal(signal.SIGTERM)
        wait_until("new clients are refused", lambda: not ports.is_taken(rolegate.host, rolegate.write_port), 15)
        ask(connection, "INSERT INTO t VALUES (1)")
        ask(connection, "COMMIT")
    assert rolegate.child.wait(15) == 0


def test_metrics_are_well_formed(cluster, rolegate):
    """A Prometheus scrape after some traffic passes `promtool check metrics`, and counts the sessions."""
    where(cluster, rolegate, rolegate.write_port)
    where(cluster, rolegate, rolegate.read_port)

    # A session ends when its server has closed, too.
    wait_until("both sessions are counted",
               lambda: len(re.findall(r"^rolegate_sessions_total\{.*\} 1$", rolegate.get("/metrics").body, re.M)) == 2, 20)
    metrics = rolegate.get("/metrics")
    result = subprocess.run(["promtool", "check", "metrics"], input=metrics.body, text=True,
                            capture_output=True, timeout=30 * TIMEOUT_SCALE)

    assert metrics.status == 200
    assert (result.returncode, result.stdout + result.stderr) == (0, "")
    assert "rolegate_build_info" in metrics.body


def test_start_without_a_file(cluster, directory):
    """`rolegate run --patroni HOST:PORT` is enough for a proxy that routes."""
    write, read, admin = (f"127.0.0.1:{ports.free_port()}" for _ in range(3))
    child = Child("rolegate", [binary(), "run", "--patroni", cluster.nodes[0].rest, "--write-bind", write,
                               "--read-bind", read, "--admin-bind", admin], f"{directory}/without-file.log")
    try:
        child.start()
        wait_until("it is ready", lambda: child.require_running() and getattr(rest.ask(admin, "/readyz"), "status", 0) == 200, 30)
        port = int(write.rpartition(":")[2])
        rows = cluster.query_at("127.0.0.1", port, "SELECT host(inet_server_addr())")
        assert rows == [(cluster.leader().host,)]
    finally:
        child.stop()


def test_status_and_explain_of_the_command_line(cluster, rolegate):
    """An operator asks `status`, `status --json` and `explain`: every member is there, and why it gets which clients."""
    def run(*arguments):
        return subprocess.run([binary(), *arguments, "-a", f"http://{rolegate.admin}"], text=True,
                              capture_output=True, timeout=20 * TIMEOUT_SCALE)

    status, as_json, explain = run("status"), run("status", "--json"), run("explain")

    assert (status.returncode, as_json.returncode, explain.returncode) == (0, 0, 0), (status, as_json, explain)
    assert json.loads(as_json.stdout)["clusters"]["main"]["primary"] == cluster.leader().name
    for node in cluster.nodes:
        assert node.name in status.stdout
        assert node.name in explain.stdout
