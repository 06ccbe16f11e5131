# SPDX-License-Identifier: PostgreSQL
"""Reload after reload, while clients come and stay and the primary moves: nobody notices a reload, and nobody outlives
his member's role because of one."""

import contextlib
import os
import socket

import psycopg2
import pytest

from clients import RawSession
from comers import Comers
from demo import ports, rest
from demo.processes import TIMEOUT_SCALE, wait_until
from footprint import descriptors, memory, threads
from generations import process_group
from reloads import change, cli, command, numbered_changes, reload

RELOADS = 20
MEGABYTE = 1 << 20


def test_twenty_reloads_under_clients_and_a_switchover(cluster, rolegate):
    """While clients come for each transaction and others stay, every reload changes something, and the primary moves in
    the middle: no connection is refused, no session ends because of a reload, those of the old primary end with its
    role, and nothing is left of the configurations that were."""
    reload(rolegate, lambda s: s["listeners"]["write"].update(queue={"timeout": "60s"}))
    stay = [RawSession(rolegate.host, rolegate.write_port) for _ in range(4)]
    dsn = cluster.dsn(rolegate.host, rolegate.write_port, connect_timeout=int(90 * TIMEOUT_SCALE))
    before, workers = descriptors(rolegate), threads(rolegate)
    size = None
    with Comers(dsn, 4, pause=0.02) as comers:
        for number in range(RELOADS):
            served = comers.served
            told = reload(rolegate, numbered_changes(number))
            assert " -> " in told, told
            wait_until("clients are served", lambda: comers.served > served + 4, 30)  # noqa: B023
            if number == RELOADS // 2:
                for session in stay:
                    session.socket.settimeout(0.05)
                    with pytest.raises(TimeoutError):
                        session.message()    # nothing has been said to them so far
                old, new = cluster.switchover()
                assert [session.goodbye(60) for session in stay] == ["57P01"] * len(stay)
                wait_until("clients are on the new primary", lambda: rolegate.open_for("write") == [new.name], 60)
                cluster.wait_healthy()
            if number == 4:
                size = memory(rolegate)
        assert comers.refused == []
        assert comers.interrupted <= 8, "more sessions ended than the switchover has interrupted"

    status = rolegate.status()["config"]
    assert status["reload_ok"] and status["error"] is None
    assert rolegate.metric("rolegate_reloads_total", result="ok") == RELOADS + 1
    assert rolegate.metric("rolegate_config_reload_success") == 1
    wait_until(f"no descriptor is left (at first {before})", lambda: descriptors(rolegate) <= before + 4, 30)
    assert memory(rolegate) - size <= 8 * MEGABYTE
    assert threads(rolegate) == workers
    assert [pid for pid, _, _ in process_group(rolegate.child.pid)] == [rolegate.child.pid]


def waits(proxy):
    return proxy.main().get("settings_waiting")


def test_settings_that_lead_nowhere_are_told(rolegate):
    """By the new settings nobody can be asked: the old ones hold, and everybody is told so until the mistake is mended."""
    with open(rolegate.config) as file:
        good = file.read()

    def spoil(settings):    # the members speak plain HTTP
        settings["clusters"]["main"]["patroni"].update(interval="100ms", timeout="300ms", tls={"verify": False})
    assert "cluster main: the new settings wait until" in reload(rolegate, spoil)
    rolegate.wait_logged("event=settings_waiting cluster=main since_ms=", limit=20)
    assert "over rest: " in waits(rolegate)["reason"]
    assert "NEW SETTINGS WAIT" in cli(rolegate, "status").stdout
    assert "the old ones hold: nobody has said yet what the cluster is" in cli(rolegate, "explain").stdout
    # Another change of other things leaves it as it is, and says it again.
    assert "cluster main: the new settings wait until" in reload(
        rolegate, lambda s: s["listeners"]["write"].update(queue={"timeout": "50s"}))
    assert rolegate.is_ready() and rolegate.main()["primary"]

    with open(rolegate.config, "w") as file:
        file.write(good)
    assert command(rolegate).returncode == 0
    wait_until("no settings wait", lambda: rolegate.main() and waits(rolegate) is None, 20)
    assert "NEW SETTINGS WAIT" not in cli(rolegate, "status").stdout


def test_settings_that_hold_late_are_told_twice(dcs_rolegate):
    """The new settings name an etcd that is not there: for a while the old ones are better, then the new ones hold, as
    somebody wanted them."""
    nowhere = f"127.0.0.1:{ports.free_port()}"

    def spoil(settings):
        settings["clusters"]["main"]["patroni"].update(interval="100ms", timeout="300ms")
        settings["clusters"]["main"]["dcs"]["etcd3"]["hosts"] = [nowhere]
    reload(dcs_rolegate, spoil)
    dcs_rolegate.wait_logged("event=settings_waiting cluster=main since_ms=", "etcd3 is not connected", limit=20)
    dcs_rolegate.wait_logged("event=settings_hold cluster=main since_ms=", limit=30)
    wait_until("no settings wait", lambda: dcs_rolegate.main() and waits(dcs_rolegate) is None, 20)


def test_session_of_a_removed_listener_does_not_outlive_the_role(cluster, rolegate):
    """A transaction is under way when its listener is taken out of the file, and twenty reloads later its member loses
    the role: it ends then, not at the end of its transaction."""
    port = ports.free_port()
    change(rolegate, lambda s: s["listeners"].update(extra={
        "bind": f"{rolegate.host}:{port}", "cluster": "main", "role": "primary",
        "drain": {"deadline": "10min"}}))
    assert "listener extra: added" in command(rolegate).stdout
    with contextlib.closing(psycopg2.connect(cluster.dsn(rolegate.host, port))) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert "listener extra: removed" in reload(rolegate, lambda s: s["listeners"].pop("extra"))
            for number in range(RELOADS):
                reload(rolegate, numbered_changes(number))
            cursor.execute("SELECT 2")    # the transaction goes on
            cluster.switchover()

            def is_over():
                try:
                    cursor.execute("SELECT 3")
                except psycopg2.Error:
                    return True
                return False
            wait_until("it is ended with the role", is_over, 30)
    assert rest.ask(rolegate.admin, "/api/v1/status").json()["listeners"].keys() == {"write", "read"}


def test_bad_files_change_nothing_and_say_why(rolegate):
    """Mistakes of every kind: the command names them all, exit status 2; metrics, status and log know; what ran goes
    on."""
    with open(rolegate.config) as file:
        good = file.read()
    session = RawSession(rolegate.host, rolegate.write_port)
    taken = socket.create_server((rolegate.host, 0))
    spoilt = [
        (lambda s: s["listeners"]["read"].update(balance="rundrobin"), "rundrobin"),
        (lambda s: s["listeners"]["write"].update(tls={"mode": "terminate", "cert": "/nonexistent.crt",
                                                       "key": "/nonexistent.key"}), "/nonexistent.crt"),
        (lambda s: s["listeners"]["read"].update(bind=f"{rolegate.host}:{taken.getsockname()[1]}"),
         "Address already in use"),
    ]
    for edit, words in spoilt:
        with open(rolegate.config, "w") as file:
            file.write(good)
        change(rolegate, edit)
        result = command(rolegate)
        assert result.returncode == 2, result
        assert words in result.stderr and "nothing has changed" in result.stderr, result
        assert rolegate.metric("rolegate_config_reload_success") == 0
        status = rolegate.status()["config"]
        assert not status["reload_ok"] and words in status["error"]
    taken.close()
    rolegate.wait_logged("event=reload_failed")
    assert rolegate.is_ready()

    with open(rolegate.config, "w") as file:
        file.write(good)
    result = command(rolegate)
    assert result.returncode == 0 and "nothing has changed" in result.stdout, result
    assert rolegate.metric("rolegate_config_reload_success") == 1
    session.socket.settimeout(0.05)
    with pytest.raises(TimeoutError):
        session.message()
    session.socket.close()


def test_what_needs_a_restart_is_named_and_the_rest_holds(rolegate):
    """SIGHUP does the same as the command."""
    told = reload(rolegate, lambda s: s.update(workers=7, log={"level": "debug"}))
    assert "workers auto -> 7 (needs a restart)" in told
    assert "log: level info -> debug" in told

    change(rolegate, lambda s: s.update(log={"level": "warning"}))
    reloads = rolegate.metric("rolegate_reloads_total", result="ok")
    os.kill(rolegate.child.pid, 1)
    wait_until("it has reloaded", lambda: rolegate.metric("rolegate_reloads_total", result="ok") == reloads + 1, 20)
