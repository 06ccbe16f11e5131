# SPDX-License-Identifier: PostgreSQL
"""What each driver tells its program when the primary changes under it, or before it, or while it waits for one."""

import contextlib
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
# Inside TLS that Rolegate does not end, a start-up that the old primary turns down as it goes cannot be tried again.
TURNED_DOWN = ("57P03", "57P01", "08001", "08003", "08006", "-")


def expected(mode, driver, situation):
    """The answers that keep the promise: (fine or error, SQLSTATE)."""
    through = mode == "passthrough"
    if situation in WITH_A_WORD:
        tables = (WITH_A_WORD, SILENTLY) if through else (WITH_A_WORD,)
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


@in_each_mode
def test_switchover_under_every_driver(cluster, make_rolegate, directory, mode):
    """One switchover under six drivers in four situations. A session that was there is ended: in clear text with FATAL
    57P01, told wherever the driver tells; in passed-through TLS, where only the old primary itself can say so, at least
    with a clean end of the connection. Whoever waits never fails and is on the new primary. Whoever connects never
    fails in clear text; in passed-through TLS only by the word of the old primary, or its end."""
    proxy = modes.start(mode, cluster, make_rolegate, queue={"timeout": PATIENCE})
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

        with Gap(proxy, crowd) as gap:
            cluster.switchover()
            wait_until("the write port leads to the new primary",
                       lambda: proxy.routable("write") not in ([], [leader.name]), 60)
        assert gap.seen, "the switchover was over before anybody could wait"
        for program in crowd:
            program.wait_reports(("query", "waiting"), 60)
        time.sleep(0.2)     # a few connections more, on the new primary
        for program in crowd:
            program.order("idle")
            program.order("connecting")
        for program in crowd:
            program.wait_reports(("idle", "connecting"), 60)

    shown = table(crowd, mode)
    print(f"\n{shown}\nheld at once, at most: {gap.held}")
    for program in crowd:
        for situation in SITUATIONS:
            told = program.reports[situation][:2]
            assert told in expected(mode, program.driver, situation), f"{program.driver}, {situation}: {told}\n{shown}"
        in_recovery = program.reports["waiting"][2]
        assert in_recovery in ("False", "f", "false"), f"{program.driver} waited for a standby\n{shown}"
