# SPDX-License-Identifier: PostgreSQL
"""The driver programs below drivers/: one for each way to speak to PostgreSQL, all of them as common.py says."""

import os
import subprocess
import threading

import modes
from demo import processes
from demo.processes import wait_until

HERE = f"{os.path.dirname(os.path.abspath(__file__))}/drivers"
# Debian's own place, and the one of deploy/packages.sh beside a nodejs that is not Debian's.
NODE_PATH = "/usr/share/nodejs:/usr/local/share/rolegate-tests/nodejs"
JDBC = "/usr/share/java/postgresql.jar"
DRIVERS = ("psql", "psycopg2", "psycopg3", "asyncpg", "pgjdbc", "node-pg")


def compiled_jdbc(directory):
    """Directory with the compiled WithJdbc, made at the first call."""
    classes = f"{directory}/classes"
    if not os.path.exists(f"{classes}/WithJdbc.class"):
        subprocess.run(["javac", "-cp", JDBC, "-d", classes, f"{HERE}/WithJdbc.java"], check=True,
                       timeout=120 * processes.TIMEOUT_SCALE)
    return classes


def command(driver, directory):
    if driver == "pgjdbc":
        # One short life each: nothing is worth optimising.
        return ["java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
                f"{compiled_jdbc(directory)}:{JDBC}", "WithJdbc"]
    if driver == "node-pg":
        return ["node", f"{HERE}/with_pg.js"]
    return ["/usr/bin/python3", f"{HERE}/with_{driver}.py"]


def environment(driver, mode, cluster, proxy, port):
    return modes.environment(mode, cluster, proxy, port, PGAPPNAME=driver, NODE_PATH=NODE_PATH,
                             PYTHONDONTWRITEBYTECODE="1")


def basics(driver, mode, cluster, proxy, port, directory):
    """What came of each step of `PROGRAM basics`, by step."""
    done = subprocess.run([*command(driver, directory), "basics"], text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, env=environment(driver, mode, cluster, proxy, port),
                          timeout=60 * processes.TIMEOUT_SCALE)
    assert done.returncode == 0, f"{driver} ended with {done.returncode}: {done.stdout} {done.stderr}"
    return dict(line.split("\t") for line in done.stdout.splitlines())


class Situations:
    """A driver program in four sessions at once, through a role change."""

    def __init__(self, driver, mode, cluster, proxy, port, directory):
        self.driver = driver
        self.ready = set()
        self.reports = {}           # by situation: (outcome, SQLSTATE, text)
        self._log = open(f"{directory}/{driver}-{mode}.log", "w")   # noqa: SIM115
        self._process = subprocess.Popen(
            [*command(driver, directory), "situations"], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log, env=environment(driver, mode, cluster, proxy, port), start_new_session=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            kind, situation, *rest = line.rstrip("\n").split("\t")
            if kind == "ready":
                self.ready.add(situation)
            else:
                self.reports[situation] = tuple(rest)

    def wait_ready(self, situations):
        """A situation that has failed before its time shows in the reports."""
        wait_until(f"{self.driver} is {', '.join(situations)}",
                   lambda: self.ready | set(self.reports) >= set(situations) or self._process.poll() is not None, 60)
        assert self.ready >= set(situations), f"{self.driver}: {self.reports}, log {self._log.name}"

    def order(self, situation):
        try:
            self._process.stdin.write(f"{situation}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass

    def wait_reports(self, situations, limit):
        wait_until(f"{self.driver} reports {', '.join(situations)} (now {self.reports}, log {self._log.name})",
                   lambda: set(self.reports) >= set(situations) or self._process.poll() is not None, limit)

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._reader.join(10)
        self._process.stdin.close()
        self._process.stdout.close()
        self._log.close()
