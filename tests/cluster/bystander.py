# SPDX-License-Identifier: PostgreSQL
"""A client that means no harm, while others do."""

import contextlib
import threading

import psycopg2

import modes
from clients import ask
from demo.processes import wait_until
from footprint import memory

MEGABYTE = 1 << 20
# What Rolegate may grow by, whatever comes: pools, the log, fragments of the heap.
SLACK = 16 * MEGABYTE


class Bystander:
    """Opens one session after the other and asks something; keeps one open all the time. It may be slow, never fail.
    It also keeps the highest memory it has seen."""

    def __init__(self, mode, cluster, proxy):
        self._proxy = proxy
        self._dsn = cluster.dsn(proxy.host, proxy.write_port, connect_timeout=60, **modes.options(mode, cluster))
        self.served = 0
        self.errors = []
        self.first_memory = self.peak = memory(proxy)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        self.wait_served(5)
        self.first_memory = self.peak = memory(self._proxy)
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(60)

    def _run(self):
        try:
            with contextlib.closing(psycopg2.connect(self._dsn)) as resident:
                resident.autocommit = True
                while not self._stop.wait(0.05):
                    ask(resident, "SELECT 1")
                    with contextlib.closing(psycopg2.connect(self._dsn)) as guest:
                        ask(guest, "SELECT 1")
                    self.served += 1
                    self.peak = max(self.peak, memory(self._proxy))
        except psycopg2.Error as error:
            self.errors.append(str(error))

    def wait_served(self, count):
        """Until so many more have been served."""
        goal = self.served + count
        wait_until(f"{count} more sessions are served (errors: {self.errors})",
                   lambda: self.served >= goal or self.errors, 60)
        assert not self.errors

    def require_bounded(self, count, cost):
        growth = self.peak - self.first_memory
        print(f"memory grew by {growth / MEGABYTE:.1f} MB with {count} of them, "
              f"{growth / count / 1024:.1f} kB each; at first {self.first_memory / MEGABYTE:.1f} MB")
        assert growth <= SLACK + count * cost
