# SPDX-License-Identifier: PostgreSQL
"""Children: started in a session of their own, logged to a file, ended by pid."""

import contextlib
import os
import shutil
import signal
import subprocess
import time

# One variable stretches every limit, for slow machines and sanitizer builds.
TIMEOUT_SCALE = float(os.environ.get("ROLEGATE_TEST_TIMEOUT_SCALE", "1"))


class Timeout(Exception):
    """A condition did not come true within its limit."""


class ChildFailed(Exception):
    """A child ended although it should go on."""


def wait_until(what, condition, limit, every=0.05):
    """Polls condition() until it returns something true, and returns that. `what` names it in the error."""
    deadline = time.monotonic() + limit * TIMEOUT_SCALE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Timeout(f"not within {limit * TIMEOUT_SCALE:g} s: {what}")
        time.sleep(every)


def service_user():
    """PostgreSQL refuses to run as root, so root starts it as `postgres`; anybody else as himself."""
    return "postgres" if os.geteuid() == 0 else None


def tail(path, lines=25):
    try:
        with open(path, errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except OSError as error:
        return f"(no log: {error})\n"


def is_alive(pid):
    """A zombie counts as dead."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def children_of(parent):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
            if file.read().rpartition(")")[2].split()[1] == str(parent):
                found.append(int(pid))
    return found


def cpu_seconds(pid):
    """CPU time, user and system, that a process has used so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def as_user(argv, user):
    """The parent-death signal is set last, because changing the user clears it.

    It ends the child also when this program is killed outright. It belongs to the thread that starts the
    child, so children are started from the main thread only.
    """
    argv = [shutil.which("setpriv") or "/usr/bin/setpriv", "--pdeathsig", "TERM", *argv]
    if user and os.geteuid() == 0:
        argv = [argv[0], "--reuid", user, "--regid", user, "--init-groups", *argv]
    return argv


class Child:
    """One process with its log. `start` may be called again after it ended."""

    def __init__(self, name, argv, log, user=None, env=None, stop_signal=signal.SIGTERM):
        self.name = name
        self.argv = [str(word) for word in argv]
        self.log = str(log)
        self.user = user
        self.env = env
        self.stop_signal = stop_signal
        self.process = None

    @property
    def pid(self):
        return self.process.pid if self.process else None

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def exit_code(self):
        return self.process.poll() if self.process else None

    def start(self):
        if self.running:
            self.thaw()
            return self
        env = {**os.environ, **(self.env or {})}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                as_user(self.argv, self.user), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=env, cwd="/", start_new_session=True)
        return self

    def require_running(self):
        if not self.running:
            raise ChildFailed(f"{self.name} ended with code {self.exit_code}; {self.log} ends with:\n{tail(self.log)}")
        return True

    def signal(self, number):
        if self.running:
            self.process.send_signal(number)

    def wait(self, limit):
        """Waits for the end and returns the exit code."""
        try:
            return self.process.wait(limit * TIMEOUT_SCALE)
        except subprocess.TimeoutExpired:
            raise Timeout(f"{self.name} (pid {self.pid}) did not end within {limit * TIMEOUT_SCALE:g} s") from None

    def freeze(self):
        """SIGSTOP: its connections stay open and nobody answers on them."""
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        """kill -9 of this one process, not of its children."""
        if self.running:
            self.process.kill()
            self.process.wait()

    def ask_to_stop(self, number=None):
        self.signal(number or self.stop_signal)
        self.thaw()

    def stop(self, limit=20, asked=False):
        """Ends it politely, then by force, then whatever it left in its own process group.

        `asked` says that it was told before: a second Ctrl-C would interrupt the clean-up of the first.
        """
        if self.process is None:
            return
        if self.running:
            if not asked:
                self.ask_to_stop()
            try:
                self.process.wait(limit * TIMEOUT_SCALE)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.process.wait()
