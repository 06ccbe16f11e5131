# SPDX-License-Identifier: PostgreSQL
"""Many cheap sessions: connect_rate.c as the server behind a proxy and as the clients before it."""

import os
import select
import subprocess

import stage  # noqa: F401  (the path to demo)
from demo import ports, processes
from demo.processes import Child, wait_until

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "connect_rate.c")


def build(directory):
    """Path of the program, compiled at the first call."""
    program = f"{directory}/connect_rate"
    if not os.path.exists(program):
        subprocess.run(["cc", "-O2", "-o", program, SOURCE], check=True)
    return program


class Server:
    """Answers every startup packet, and every query with nothing."""

    def __init__(self, directory, host, port):
        self.host, self.port = host, port
        self.child = Child("fake PostgreSQL", [build(directory), "serve", host, port], f"{directory}/fake-postgres.log")

    def start(self):
        self.child.start()
        wait_until("the fake PostgreSQL listens",
                   lambda: self.child.require_running() and ports.is_taken(self.host, self.port), 10)

    def stop(self):
        self.child.stop(limit=2)


def connect_rate(directory, host, port, at_once, seconds):
    """Sessions opened and closed, how many failed, and the seconds that took."""
    done = subprocess.run([build(directory), "rate", host, str(port), str(at_once), str(seconds)],
                          capture_output=True, text=True, check=True, timeout=seconds + 60)
    opened, failed, past = done.stdout.split()
    return int(opened), int(failed), float(past)


class Idle:
    """Sessions that have asked one question and then stay."""

    def __init__(self, directory, host, port, count):
        self.count = count
        self._argv = processes.as_user([build(directory), "hold", host, str(port), str(count)], None)
        self._process = None

    def __enter__(self):
        self._process = subprocess.Popen(self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                         start_new_session=True)
        try:
            word, opened, failed = self._line(120).split()
        except BaseException:
            self.__exit__()
            raise
        if (word, int(opened), int(failed)) != ("open", self.count, 0):
            self.__exit__()
            raise RuntimeError(f"{self.count} sessions wanted: {opened} are open, {failed} failed")
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()

    def all_closed(self, limit):
        """The wall clock's time at which the other side had closed all of them."""
        return float(self._line(limit).split()[1])

    def _line(self, limit):
        if not select.select([self._process.stdout], [], [], limit)[0]:
            raise processes.Timeout(f"{self.count} sessions: no news within {limit} s")
        return self._process.stdout.readline()
