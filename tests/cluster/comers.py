# SPDX-License-Identifier: PostgreSQL
"""Clients that come for each transaction and go again."""

import contextlib
import threading

import psycopg2

from demo import processes

# How long a client waits between two transactions.
PAUSE = 0.2


class Comers:
    """Clients that open a session for each transaction."""

    def __init__(self, dsn, count, pause=PAUSE):
        self.served = 0
        self.interrupted = 0    # the session stood when the primary went
        self.refused = []       # no session
        self._dsn = dsn
        self._pause = pause
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60 * processes.TIMEOUT_SCALE)

    def _run(self):
        while not self._stop.wait(self._pause):
            try:
                connection = psycopg2.connect(self._dsn)
            except psycopg2.Error as error:
                self.refused.append(" ".join(str(error).split()))
                continue
            with contextlib.closing(connection):
                try:
                    with connection, connection.cursor() as cursor:
                        cursor.execute("SELECT pg_is_in_recovery()")
                        assert cursor.fetchone() == (False,)
                    self.served += 1
                except psycopg2.Error:
                    self.interrupted += 1
                except AssertionError:
                    self.refused.append("a session of the write port reached a standby")
