# SPDX-License-Identifier: PostgreSQL
"""A client that opens a connection and inserts one row, every 50 ms, and remembers what became of each attempt."""

import itertools
import threading
import time
from dataclasses import dataclass

import psycopg2

TABLE = "writes"
CREATE = f"CREATE TABLE IF NOT EXISTS {TABLE} (id text PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())"
INSERT = (f"INSERT INTO {TABLE} (id) VALUES (%s) "
          "RETURNING host(inet_server_addr()) || ':' || inet_server_port()")


@dataclass
class Attempt:
    """Times are of the monotonic clock; None means it never came that far."""
    id: str
    started: float
    connected: float = None
    acknowledged: float = None
    ended: float = None
    server: str = None
    error: str = None

    @property
    def failed_to_connect(self):
        return self.ended is not None and self.connected is None

    @property
    def interrupted(self):
        """The session stood, then the server went away under the insert. No proxy can prevent that."""
        return self.ended is not None and self.connected is not None and self.acknowledged is None \
            and not self.reached_standby

    @property
    def reached_standby(self):
        return "read-only transaction" in (self.error or "")


class Writer:
    """Attempts start at their tick whether or not earlier ones are still waiting."""

    def __init__(self, name, dsn, interval=0.05):
        self.name = name
        self.dsn = dsn
        self.interval = interval
        self.attempts = []
        self._stop = threading.Event()
        self._threads = []
        self._pacer = threading.Thread(target=self._pace, daemon=True)

    def start(self):
        self._pacer.start()
        return self

    def stop(self, limit=30):
        """Starts no more attempts and waits for those under way."""
        self._stop.set()
        self._pacer.join()
        deadline = time.monotonic() + limit
        for thread in self._threads:
            thread.join(max(0, deadline - time.monotonic()))

    def acknowledged(self):
        return [attempt for attempt in list(self.attempts) if attempt.acknowledged]

    def acknowledged_since(self, moment):
        return [attempt for attempt in self.acknowledged() if attempt.acknowledged > moment]

    def _pace(self):
        begin = time.monotonic()
        for number in itertools.count():
            if self._stop.wait(max(0, begin + number * self.interval - time.monotonic())):
                return
            attempt = Attempt(f"{self.name}-{begin:.3f}-{number}", time.monotonic())
            self.attempts.append(attempt)
            thread = threading.Thread(target=self._attempt, args=(attempt,), daemon=True)
            self._threads = [old for old in self._threads if old.is_alive()] + [thread]
            thread.start()

    def _attempt(self, attempt):
        connection = None
        try:
            connection = psycopg2.connect(self.dsn)
            connection.autocommit = True
            attempt.connected = time.monotonic()
            with connection.cursor() as cursor:
                self._ask(cursor, attempt)
                attempt.server = cursor.fetchone()[0]
                attempt.acknowledged = time.monotonic()
        except psycopg2.Error as error:
            attempt.error = f"{error.pgcode or ''} {error}".strip()
        finally:
            attempt.ended = time.monotonic()
            if connection is not None:
                connection.close()


    def _ask(self, cursor, attempt):
        cursor.execute(INSERT, (attempt.id,))


class Reader(Writer):
    """The same with a question in place of the row."""

    def _ask(self, cursor, attempt):
        cursor.execute("SELECT host(inet_server_addr()) || ':' || inet_server_port()")


class SteadyWriter:
    """Writes without pause on one session, and opens another when it is ended."""

    def __init__(self, name, dsn):
        self.name = name
        self.dsn = dsn
        self.attempts = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self, limit=30):
        self._stop.set()
        self._thread.join(limit)

    def acknowledged(self):
        return [attempt for attempt in list(self.attempts) if attempt.acknowledged]

    def _run(self):
        # The table outlives a test, so names alone would come twice.
        numbers = (f"{self.name}-{time.monotonic():.3f}-{number}" for number in itertools.count())
        while not self._stop.is_set():
            try:
                connection = psycopg2.connect(self.dsn)
                connection.autocommit = True
                with connection.cursor() as cursor:
                    self._write(cursor, numbers)
                connection.close()
            except psycopg2.Error as error:
                if self.attempts and not self.attempts[-1].acknowledged:
                    self.attempts[-1].error = str(error)
                self._stop.wait(0.05)

    def _write(self, cursor, numbers):
        while not self._stop.is_set():
            now = time.monotonic()
            attempt = Attempt(next(numbers), now, connected=now)
            self.attempts.append(attempt)
            cursor.execute(INSERT, (attempt.id,))
            attempt.server = cursor.fetchone()[0]
            attempt.acknowledged = attempt.ended = time.monotonic()
