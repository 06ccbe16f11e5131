# SPDX-License-Identifier: PostgreSQL
"""What the driver programs in Python share. The others keep to the same rules.

`PROGRAM basics` says one line for each step: its name, a tab, what came of it.

`PROGRAM situations` lives through a role change, in four sessions at once. It says `ready SITUATION` when a session is
where it should be, takes orders from its standard input, and says `report SITUATION fine|error SQLSTATE TEXT`, parted
by tabs, with - for a code the driver does not give:
    idle        one session without a query; at the order `idle` it asks something
    query       one session in a long query
    connecting  opens one session after the other until the order `connecting`; reports the first that failed
    waiting     opens a session at the order `waiting`
Libpq's variables (PGHOST and so on) say where to go.
"""

import sys
import threading
import time

LONG = "SELECT pg_sleep(600)"
SITUATIONS = ("idle", "query", "connecting", "waiting")


_lock = threading.Lock()


def say(*words):
    with _lock:
        print("\t".join(" ".join(str(word).split()) for word in words), flush=True)


def all_bytes():
    return bytes(range(256)) * 8


class Situations:
    """`driver` has connect(), query(connection, sql), close(connection), and sqlstate(error)."""

    def __init__(self, driver):
        self.driver = driver
        self.orders = {name: threading.Event() for name in SITUATIONS}

    def run(self):
        threads = [threading.Thread(target=self._report, args=(name,), daemon=True) for name in SITUATIONS]
        for thread in threads:
            thread.start()
        threading.Thread(target=self._listen, daemon=True).start()
        for thread in threads:
            thread.join()

    def _listen(self):
        for line in sys.stdin:
            self.orders[line.strip()].set()

    def _report(self, name):
        try:
            text = getattr(self, "_" + name)()
            say("report", name, "fine", "-", text)
        except Exception as error:  # noqa: BLE001
            say("report", name, "error", self.driver.sqlstate(error) or "-", f"{type(error).__name__}: {error}")

    def _idle(self):
        connection = self.driver.connect()
        self.driver.query(connection, "SELECT 1")
        say("ready", "idle")
        self.orders["idle"].wait()
        return self.driver.query(connection, "SELECT 1")

    def _query(self):
        connection = self.driver.connect()
        self.driver.query(connection, "SELECT 1")
        say("ready", "query")
        return self.driver.query(connection, LONG)

    def _connecting(self):
        count = 0
        while not self.orders["connecting"].is_set():
            self.driver.close(self.driver.connect())
            count += 1
            if count == 1:
                say("ready", "connecting")
            time.sleep(0.02)
        return f"{count} sessions"

    def _waiting(self):
        say("ready", "waiting")
        self.orders["waiting"].wait()
        connection = self.driver.connect()
        return self.driver.query(connection, "SELECT pg_is_in_recovery()")


def main(driver, basics):
    if sys.argv[1] == "basics":
        for step, value in basics():
            say(step, value)
    else:
        Situations(driver).run()
