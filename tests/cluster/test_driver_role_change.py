# SPDX-License-Identifier: PostgreSQL
"""What each driver tells its program when the primary changes under it, or before it, or while it waits for one."""

import contextlib
import os
import signal
import threading
import time

import modes
import programs
from demo.processes import wait_until
from modes import in_each_mode

SITUATIONS = ("idle", "query", "connecting", "waiting")
# While nobody is routable every driver waits; Rolegate shall not give up before a slow machine has its new primary.
PATIENCE = "90s"

# What each driver gives as SQLSTATE when the session ends with FATAL 57P01, the old primary's own or Rolegate's.
# psycopg2 and psycopg 3 of Debian 12 drop the code of an ended session, asyncpg has a code of its own or none.
WITH_A_WORD = {
    "idle": {"psql": "57P01", "psycopg2": "-", "psycopg3": "-", "asyncpg": "-", "pgjdbc": "57P01", "node-pg": "57P01"},
    "query": {"psql": "57P01", "psycopg2": "-", "psycopg3": "-", "asyncpg": "08003", "pgjdbc": "57P01",
              "node-pg": "57P01"},
}
# When it ends without a word. A reset would show as another code in node-pg.
SILENTLY = {
    "idle": {"psql": "-", "psycopg2": "-", "psycopg3": "-", "asyncpg": "-", "pgjdbc": "08006", "node-pg": "-"},
    "query": {"psql": "-", "psycopg2": "-", "psycopg3": "-", "asyncpg": "08003", "pgjdbc": "08006", "node-pg": "-"},
}
# The situations in which a driver shows its program the words that end a session.
SHOWS_WORDS = {"psql": ("idle", "query"), "psycopg2": (), "psycopg3": ("idle", "query"), "asyncpg": (),
               "pgjdbc": ("idle", "query"), "node-pg": ("idle", "query")}
# Inside TLS that Rolegate does not end, a start-up that the old primary turns down as it goes cannot be tried again.
TURNED_DOWN = ("57P03", "57P01", "08001", "08003", "08006", "-")


def expected(mode, driver, situation, tables=()):
    """The answers that keep the promise: (fine or error, SQLSTATE). `tables` narrows them down."""
    through = mode == "passthrough"
    if situation in WITH_A_WORD:
        tables = tables or ((WITH_A_WORD, SILENTLY) if through else (WITH_A_WORD,))
        return {("error", words[situation][driver]) for words in tables}
    late = {("error", code) for code in TURNED_DOWN} if through and situation == "connecting" else set()
    return {("fine", "-")} | late


class Gap:
    """The moment in which the write port has nobody to lead to: `waiting` is ordered then."""

    def __init__(self, proxy, crowd):
        self._proxy = proxy
        self._crowd = crowd
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.seen = False
        self.held = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(10)

    def _run(self):
        while not self._stop.wait(0.005):
            if self._proxy.routable("write"):
                if self.seen:
                    return
                continue
            if not self.seen:
                self.seen = True
                for program in self._crowd:
                    program.order("waiting")
            self.held = max(self.held, self._proxy.status()["listeners"]["write"]["held"])


def family(pid):
    """A process and its children."""
    found = [pid]
    for other in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{other}/stat") as file:
            if int(file.read().rpartition(")")[2].split()[1]) == pid:
                found.append(int(other))
    return found


@contextlib.contextmanager
def frozen(node):
    """Patroni and PostgreSQL of this node are stopped with SIGSTOP: connections stay open, and nobody says a word."""
    # Parents first, so that none makes a child meanwhile.
    stopped = []
    try:
        for parent in (node.child.pid, node.postmaster_pid()):
            os.kill(parent, signal.SIGSTOP)
            stopped.append(parent)
            for pid in family(parent):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    stopped.append(pid)
        yield
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def table(crowd, mode):
    """Drivers by situations."""
    lines = [f"{mode:<12}" + "".join(f"{situation:<14}" for situation in SITUATIONS)]
    for program in crowd:
        cells = []
        for situation in SITUATIONS:
            outcome, sqlstate, text = program.reports.get(situation, ("silent", "-", ""))
            cells.append((f"{outcome} {sqlstate}" if outcome != "fine" else "fine", text))
        lines.append(f"{program.driver:<12}" + "".join(f"{cell:<14}" for cell, _ in cells))
        lines += [f"{'':<12}{text[:200]}" for cell, text in cells if cell != "fine"]
    return "\n".join(lines)


@contextlib.contextmanager
def every_driver(mode, cluster, proxy, directory):
    """All six of them in all situations but `waiting`."""
    programs.compiled_jdbc(directory)
    with contextlib.ExitStack() as stack:
        crowd = []
        for driver in programs.DRIVERS:
            crowd.append(programs.Situations(driver, mode, cluster, proxy, proxy.write_port, directory))
            stack.callback(crowd[-1].stop)
        for program in crowd:
            program.wait_ready(SITUATIONS)
        # `query` says that it is ready just before it asks.
        leader = cluster.leader()
        wait_until("every driver is in a query", lambda: cluster.query(
            leader, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == [(len(crowd),)], 30)
        yield crowd


def hear_all(crowd):
    """The reports of all situations, after a role change that `waiting` has seen."""
    for program in crowd:
        program.wait_reports(("query", "waiting"), 60)
    time.sleep(0.2)     # a few connections more, on the new primary
    for program in crowd:
        program.order("idle")
        program.order("connecting")
    for program in crowd:
        program.wait_reports(("idle", "connecting"), 60)


def require_promise(crowd, mode, tables=()):
    """Every report is one that keeps the promise, and nobody who waited is on a standby."""
    shown = table(crowd, mode)
    for program in crowd:
        for situation in SITUATIONS:
            told = program.reports[situation][:2]
            assert told in expected(mode, program.driver, situation, tables), \
                f"{program.driver}, {situation}: {told}\n{shown}"
        in_recovery = program.reports["waiting"][2]
        assert in_recovery in ("False", "f", "false"), f"{program.driver} waited for a standby\n{shown}"


@in_each_mode
def test_switchover_under_every_driver(cluster, make_rolegate, directory, mode):
    """One switchover under six drivers in four situations. A session that was there is ended: in clear text with FATAL
    57P01, told wherever the driver tells; in passed-through TLS, where only the old primary itself can say so, at least
    with a clean end of the connection. Whoever waits never fails and is on the new primary. Whoever connects never
    fails in clear text; in passed-through TLS only by the word of the old primary, or its end."""
    proxy = modes.start(mode, cluster, make_rolegate, queue={"timeout": PATIENCE})
    with every_driver(mode, cluster, proxy, directory) as crowd:
        leader = cluster.leader()
        with Gap(proxy, crowd) as gap:
            cluster.switchover()
            wait_until("the write port leads to the new primary",
                       lambda: proxy.routable("write") not in ([], [leader.name]), 60)
        assert gap.seen, "the switchover was over before anybody could wait"
        hear_all(crowd)

    print(f"\n{table(crowd, mode)}\nheld at once, at most: {gap.held}")
    require_promise(crowd, mode)


@in_each_mode
def test_a_primary_that_cannot_say_goodbye(cluster, make_rolegate, directory, mode):
    """The primary is frozen, its lock is taken away, and another member is promoted: only Rolegate can tell the
    clients. In clear text and in TLS that it ends their sessions end with 57P01 in words of its own, which drivers show
    that show such words at all; in passed-through TLS the connection ends. Who connects or waits never fails."""
    proxy = modes.start(mode, cluster, make_rolegate, dcs=True, queue={"timeout": PATIENCE})
    with every_driver(mode, cluster, proxy, directory) as crowd:
        old = cluster.leader()
        with Gap(proxy, crowd) as gap, frozen(old):
            cluster.etcd.ctl("del", cluster.key("leader"))
            wait_until("the write port leads to the new primary",
                       lambda: proxy.routable("write") not in ([], [old.name]), 60)
            hear_all(crowd)
        assert gap.seen, "the failover was over before anybody could wait"

    steps = [(step["step"], step["ms"]) for step in proxy.events()[-1]["steps"]]
    print(f"\n{table(crowd, mode)}\nheld at once, at most: {gap.held}; steps and ms: {steps}")
    require_promise(crowd, mode, (SILENTLY,) if mode == "passthrough" else (WITH_A_WORD,))
    words = f"terminating connection: member {old.name} is no longer the primary"
    for program in crowd:
        for situation in WITH_A_WORD:
            said = words in program.reports[situation][2]
            assert said == (mode != "passthrough" and situation in SHOWS_WORDS[program.driver]), \
                f"{program.driver}, {situation}: {program.reports[situation]}"
