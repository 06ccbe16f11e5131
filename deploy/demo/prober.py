# SPDX-License-Identifier: PostgreSQL
"""Asks nodes directly, every few ms, for the first write they accept: the truth a proxy is measured against."""

import threading
import time

import psycopg2

from .writer import TABLE

# Refused writes are the rule here, so they stay out of the server's log.
QUIET = "-c log_min_messages=panic -c log_min_error_statement=panic"


class Prober:
    """Give it the nodes that do not take writes yet. It writes one row on each node that opens."""

    def __init__(self, cluster, nodes, interval=0.005):
        self.interval = interval
        self.first_write = {}  # address -> moment of the first accepted write
        self.connected = {}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._probe, daemon=True, args=(
            node, cluster.dsn(node.host, node.pg_port, options=QUIET))) for node in nodes]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(10)

    def opened(self):
        """Address and moment of the first write that any node accepted, or None."""
        return min(self.first_write.items(), key=lambda item: item[1], default=None)

    def _probe(self, node, dsn):
        while not self._stop.is_set() and node.postgres not in self.first_write:
            try:
                connection = psycopg2.connect(dsn)
                connection.autocommit = True
                with connection.cursor() as cursor:
                    self._insert_until_accepted(node, cursor)
                connection.close()
            except psycopg2.Error:
                self._stop.wait(self.interval)

    def _insert_until_accepted(self, node, cursor):
        while not self._stop.is_set():
            try:
                cursor.execute(f"INSERT INTO {TABLE} (id) VALUES (%s)", (f"direct-{node.name}-{time.monotonic()}",))
                self.first_write[node.postgres] = time.monotonic()
                return
            except psycopg2.errors.ReadOnlySqlTransaction:
                self.connected[node.postgres] = True
                self._stop.wait(self.interval)
