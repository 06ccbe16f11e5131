# SPDX-License-Identifier: PostgreSQL
"""What must hold whatever happens: one writer at most, and a session of long standing is left in peace or ended."""

import threading
import time

import psycopg2

from clients import ask


class Witness:
    """Reads the status again and again, and remembers who got the clients of the write port, and since when."""

    def __init__(self, *rolegates):
        self.rolegates = rolegates
        self.seen = {rolegate: [] for rolegate in rolegates}   # [(moment, writers, source of the lock)], changes only
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(10)

    def _run(self):
        while not self._stop.wait(0.02):
            for rolegate in self.rolegates:
                main = rolegate.main()
                if not main:
                    continue
                writers = tuple(sorted(member["name"] for member in main.get("members", [])
                                       if member.get("routable", {}).get("write")))
                now = (writers, (main.get("lock") or {}).get("source"))
                if not self.seen[rolegate] or self.seen[rolegate][-1][1:] != now:
                    self.seen[rolegate].append((time.monotonic(), *now))

    def writers(self, rolegate=None):
        """Who were writers, in order, without repetition: [()] for nobody, [("pg-1",)] for one all the time."""
        changes = [writers for _, writers, _ in self.seen[rolegate or self.rolegates[0]]]
        return [now for before, now in zip([None, *changes], changes) if now != before]

    def most(self):
        """The largest number of writers that any proxy had at once."""
        return max(len(writers) for rolegate in self.rolegates for writers in self.writers(rolegate))


class Resident:
    """A session that stays, and asks something now and then."""

    def __init__(self, cluster, rolegate, port):
        self.connection = psycopg2.connect(cluster.dsn(rolegate.host, port, connect_timeout=20))
        self.connection.autocommit = True
        self.backend = self._backend()

    def _backend(self):
        return ask(self.connection, "SELECT host(inet_server_addr()), pg_backend_pid()")[0]

    def lives(self):
        """The same server process still answers."""
        try:
            return self._backend() == self.backend
        except psycopg2.Error:
            return False

    def close(self):
        self.connection.close()


def resident_on(cluster, rolegate, node):
    """A session on that very node."""
    port = rolegate.write_port if node is cluster.leader() else rolegate.read_port
    while True:
        resident = Resident(cluster, rolegate, port)
        if resident.backend[0] == node.host:
            return resident
        resident.close()
