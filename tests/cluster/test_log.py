# SPDX-License-Identifier: PostgreSQL
"""What somebody reads at night: the log of a real switchover, of the end of the process, and of a reader that stopped."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess

import psycopg2
import pytest

import modes
from clients import PATIENT, ask, session
from demo import processes, rest
from demo.processes import wait_until
from demo.rolegate import binary

# Lines of session_end, at least: more than the pipe of a reader that has stopped can hold.
SESSIONS = 60


def events(proxy, name=None, **fields):
    lines = [json.loads(line) for line in proxy.log_text().splitlines(True) if line.endswith("\n")]
    return [line for line in lines if name in (None, line["event"])
            and all(line.get(key) == value for key, value in fields.items())]


def make(cluster, make_rolegate, **log):
    return make_rolegate([node.rest for node in cluster.nodes], write=PATIENT, process={"log": log})


def start(cluster, proxy):
    proxy.start()
    modes.wait_all_routable(proxy, cluster)


def test_a_switchover_can_be_read_from_the_log(cluster, make_rolegate):
    """As JSON: who was lost and who came, why, by which evidence of which age, and what each listener had of it."""
    proxy = make(cluster, make_rolegate, format="json")
    start(cluster, proxy)
    old = cluster.leader().name
    found, = events(proxy, "primary_opened")
    assert (found["member"], found["previous"]) == (old, None) and "after_ms" not in found
    assert events(proxy, "listener_up", listener="write") and events(proxy, "member_up", listener="write", member=old)
    # That the primary is not for readers is no news.
    assert events(proxy, "member_down", level="warning") == []

    with session(cluster, proxy, proxy.write_port) as connection:
        ask(connection, "SELECT 1")
        cluster.switchover()
        wait_until("the new primary is told", lambda: events(proxy, "primary_opened", previous=old), 60)
        with pytest.raises(psycopg2.Error):
            ask(connection, "SELECT 1")
    wait_until("the session's end is told", lambda: events(proxy, "session_end", member=old), 20)

    lost, opened = events(proxy, "primary_lost")[0], events(proxy, "primary_opened", previous=old)[0]
    new = opened["member"]
    assert new != old and lost["member"] == old
    assert lost["level"] == "warning" and lost["reason"] and lost["rule"] and lost["word_age_ms"] >= 0
    assert opened["after_ms"] > 0 and opened["timeline"] > found["timeline"] and opened["lock_holder"] == new
    assert events(proxy, "member_down", listener="write", member=old, level="warning")[0]["reason"]
    assert events(proxy, "member_up", listener="write", member=new) and events(proxy, "listener_down", listener="write")
    assert len(events(proxy, "listener_up", listener="write")) == len(events(proxy, "listener_down", listener="write")) + 1
    assert all(line["cause"] for line in events(proxy, "topology"))
    order = [(line["event"], line.get("member")) for line in events(proxy)]
    assert order.index(("primary_lost", old)) < order.index(("primary_opened", new))

    end = events(proxy, "session_end", member=old)[0]
    assert {"time", "level", "event", "id", "client", "listener", "member", "tw_ms", "tc_ms", "tt_ms", "in", "out", "term",
            "why"} <= set(end)
    assert all(isinstance(end[key], int) for key in ("id", "tw_ms", "tc_ms", "tt_ms", "in", "out"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", end["time"])

    proxy.stop()
    # Behind it only what was kept back.
    assert [line["event"] for line in events(proxy) if "repeated" not in line][-1] == "stopped"
    assert events(proxy, "signal", number=int(signal.SIGTERM)) and events(proxy, "stopping")


def test_only_sessions_that_went_wrong(cluster, make_rolegate):
    proxy = make(cluster, make_rolegate, format="json", session_log="errors")
    start(cluster, proxy)
    with session(cluster, proxy, proxy.write_port) as connection:
        ask(connection, "SELECT 1")
    wait_until("the good one has gone", lambda: proxy.status()["listeners"]["write"]["sessions"] == 0, 20)
    with socket.create_connection((proxy.host, proxy.write_port)) as bad:
        bad.sendall(b"GET / HTTP/1.1\r\n\r\n")
        wait_until("the bad one is told", lambda: events(proxy, "session_end"), 20)
    proxy.stop()
    end, = events(proxy, "session_end")
    assert end["why"] == "startup_malformed" and end["member"] is None


def test_the_journal_gets_priorities_and_no_times(cluster, make_rolegate):
    proxy = make(cluster, make_rolegate)
    with open(proxy.log, "w") as file:
        stream = os.fstat(file.fileno())
    proxy.child.env = {"JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino}"}
    start(cluster, proxy)
    proxy.stop()
    lines = proxy.log_text().splitlines()
    assert all(re.match(r"<[3467]>(debug|info|warning|error) event=\w+( \w+=|$)", line) for line in lines), lines
    assert "<6>info event=stopped" in lines


def answers(proxy, path):
    answer = rest.ask(proxy.admin, path)
    return answer is not None and answer.status == 200


def test_a_reader_that_has_stopped_stops_nobody(cluster, make_rolegate):
    """stderr is a full pipe: sessions are served and the process can be asked and ended as ever."""
    proxy = make(cluster, make_rolegate)
    out, into = os.pipe()
    fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen([binary(), "run", "-c", proxy.config], stderr=into, stdin=subprocess.DEVNULL)
    os.close(into)
    try:
        wait_until("it serves", lambda: answers(proxy, "/readyz"), 30)
        for _ in range(SESSIONS):
            with session(cluster, proxy, proxy.write_port) as connection:
                assert ask(connection, "SELECT 1") == [(1,)]
        assert answers(proxy, "/livez")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20 * processes.TIMEOUT_SCALE) == 0
    finally:
        process.kill()
        process.wait()
    with open(out, "rb") as reader:
        said = reader.read()
    assert said.startswith(b"2") and b"event=started" in said
