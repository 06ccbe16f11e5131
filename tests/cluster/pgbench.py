# SPDX-License-Identifier: PostgreSQL
"""pgbench clients that come back: pgbench itself ends when its connections are cut."""

import subprocess
import threading

from demo import processes


class Pgbench:
    def __init__(self, cluster, rolegate, log, clients=16):
        self.log = log
        self.runs = 0
        self._argv = ["pgbench", "-n", "-c", str(clients), "-j", "2", "-T", "3600", "--rate", "400", "-h", rolegate.host,
                      "-p", str(rolegate.write_port), "-U", "postgres", "postgres"]
        self._environment = {"PATH": "/usr/bin:/bin", "PGSSLMODE": "disable", "PGGSSENCMODE": "disable",
                             "PGPASSWORD": cluster.settings.password, "PGAPPNAME": "pgbench-load"}
        self._stop = threading.Event()
        self._process = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @staticmethod
    def prepare(cluster):
        """Tables of scale 1, made on the primary itself."""
        leader = cluster.leader()
        subprocess.run(["pgbench", "-i", "-q", "-h", leader.host, "-p", str(leader.pg_port), "-U", "postgres", "postgres"],
                       check=True, capture_output=True, timeout=60 * processes.TIMEOUT_SCALE,
                       env={"PATH": "/usr/bin:/bin", "PGPASSWORD": cluster.settings.password, "PGSSLMODE": "disable"})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        if self._process:
            self._process.kill()
        self._thread.join(10)

    def output(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def _run(self):
        with open(self.log, "ab") as log:
            while not self._stop.is_set():
                self._process = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                 env=self._environment, start_new_session=True)
                self.runs += 1
                while self._process.poll() is None and not self._stop.wait(0.02):
                    pass
                self._process.kill()
                self._process.wait()
