# SPDX-License-Identifier: PostgreSQL
"""A session that stood before the role change: until when it wrote, and when it was ended."""

import contextlib
import threading
import time

import psycopg2

import stage  # noqa: F401  (the path to demo)
from demo.writer import INSERT


class Resident:
    """Writes a row every 20 ms on one session, and never opens another."""

    def __init__(self, proxy, dsn, interval=0.02):
        self.proxy = proxy
        self.writes = []        # moments of acknowledged writes
        self.server = None
        self.ended = None       # moment at which the session was seen to be over
        self._interval = interval
        self._connection = psycopg2.connect(dsn)
        self._connection.autocommit = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(10)
        # A session that hangs is cut under the query.
        with contextlib.suppress(psycopg2.Error):
            self._connection.close()

    def _run(self):
        number = 0
        with contextlib.suppress(psycopg2.Error), self._connection.cursor() as cursor:
            while not self._stop.wait(self._interval):
                number += 1
                try:
                    cursor.execute(INSERT, (f"resident-{self.proxy}-{time.monotonic()}-{number}",))
                    self.server = cursor.fetchone()[0]
                    self.writes.append(time.monotonic())
                except psycopg2.errors.ReadOnlySqlTransaction:
                    continue    # the server was demoted, and the session lives on
                except psycopg2.Error:
                    self.ended = time.monotonic()
                    return
