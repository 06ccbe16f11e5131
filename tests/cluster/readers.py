# SPDX-License-Identifier: PostgreSQL
"""Clients that read: each opens a session on the read port for every question."""

import threading
import time

import psycopg2

from clients import ask, session
from demo.processes import wait_until


class Readers:
    """Open sessions again and again, and remember who served them, and what failed."""

    def __init__(self, cluster, rolegate, count=1):
        self.seen = []      # (moment, host)
        self.errors = []    # (moment at which it came, text)
        self._cluster, self._rolegate = cluster, rolegate
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self):
        while not self._stop.wait(0.02):
            came = time.monotonic()
            try:
                with session(self._cluster, self._rolegate, self._rolegate.read_port) as connection:
                    self.seen.append((time.monotonic(), ask(connection, "SELECT host(inet_server_addr())")[0][0]))
            except psycopg2.Error as error:
                self.errors.append((came, str(error)))

    def hosts_since(self, moment):
        """Of sessions that were begun some time after that."""
        return {host for seen, host in self.seen if seen > moment + 1}

    def errors_since(self, moment):
        """Of clients that came after that."""
        return [(came, text) for came, text in self.errors if came > moment]

    def wait_more(self, count=20):
        goal = len(self.seen) + count
        wait_until("more sessions", lambda: len(self.seen) >= goal, 30)

    def wait_only(self, hosts):
        """Until new sessions go to these hosts and to nobody else."""
        def only():
            since = time.monotonic() - 1
            self.wait_more()
            return self.hosts_since(since) == hosts
        wait_until(f"reads are served by {sorted(hosts)}", only, 30)
