# SPDX-License-Identifier: PostgreSQL
"""What a benchmark plays on: a directory, and everything started, which ends with it whatever happens."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../deploy"))

from demo import ports  # noqa: E402
from demo.demo import ENDING, interrupt  # noqa: E402
from demo.patroni_cluster import Cluster, Settings  # noqa: E402
from demo.processes import ChildFailed, Timeout  # noqa: E402

RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "results")


class Stage:
    def __init__(self, directory, cleanup):
        self.directory = directory
        self._cleanup = cleanup
        self._said = None

    def start(self, thing):
        """`thing` ends with the stage, also when it does not come up."""
        self._cleanup.callback(thing.stop)
        thing.start()
        return thing

    def cluster(self, **settings):
        """A Patroni cluster that runs."""
        return self.start(Cluster(Settings(directory=self.directory, prefix=free_prefix(), scope="bench", **settings)))

    def say(self, what, detail=""):
        """Progress: one line that changes, or without a terminal one line for each `what`."""
        if sys.stderr.isatty():
            print(f"\r\033[K{what}{', ' if what and detail else ''}{detail}", end="", file=sys.stderr, flush=True)
        elif what and what != self._said:
            print(what, file=sys.stderr, flush=True)
        self._said = what


def free_prefix():
    """Three bytes of addresses that no other cluster is on: two benchmarks at once must not meet."""
    places = ((10, 2379), (11, 5434), (11, 8008))   # etcd, PostgreSQL and Patroni of the first node
    return next(prefix for prefix in (f"127.0.{number}" for number in range(30, 100))
                if not any(ports.is_taken(f"{prefix}.{host}", port) for host, port in places))


def write(directory, name, text):
    os.makedirs(directory, exist_ok=True)
    with open(f"{directory}/{name}", "w") as file:
        file.write(text)


def play(act):
    """Calls act(stage); returns the program's exit code. Logs outlive a failure only."""
    for number in ENDING:
        signal.signal(number, interrupt)
    # Children inherit it; thousands of sessions are two descriptors each in a proxy.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 1 << 20 if most == resource.RLIM_INFINITY else most
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    directory = tempfile.mkdtemp(prefix="rolegate-bench-")
    os.chmod(directory, 0o755)      # servers that are not root's look in
    code = 1
    try:
        with contextlib.ExitStack() as cleanup:
            stage = Stage(directory, cleanup)
            act(stage)
            stage.say("")
        code = 0
    except KeyboardInterrupt:
        print("\nended", file=sys.stderr)
        code = 130
    except (Timeout, ChildFailed, RuntimeError, OSError, subprocess.SubprocessError) as error:
        print(f"\n{sys.argv[0]}: {error}\nlogs and configurations are in {directory}", file=sys.stderr)
        return code
    shutil.rmtree(directory, ignore_errors=True)
    return code
