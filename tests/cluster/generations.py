# SPDX-License-Identifier: PostgreSQL
"""The processes of one Rolegate that is upgraded while it runs."""

import os
import re
import signal

from demo.processes import is_alive, wait_until


def process_group(leader):
    """Processes that have come from this one and not left its group, itself included."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                state, parent, group = file.read().rpartition(")")[2].split()[:3]
        except (OSError, IndexError, ValueError):
            continue
        if int(group) == leader:
            found.append((int(name), state, int(parent)))
    return sorted(found)


class Generations:
    """The first is the child of the test; each one starts the next."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.pids = [proxy.child.pid]

    @property
    def pid(self):
        """Of the one that accepts."""
        return self.pids[-1]

    def order(self, number=signal.SIGUSR2):
        os.kill(self.pid, number)

    def said(self, what):
        """All matches in the log of all of them."""
        return re.findall(what, self.proxy.log_text())

    def upgrade(self, limit=30):
        known = len(self.pids)
        self.order()
        handed = wait_until("another process has taken over",
                            lambda: self.said(r"event=handed_over successor=(\d+)")[known - 1:], limit)
        self.pids.append(int(handed[0]))

    def wait_ended(self, pids, limit=30):
        for pid in pids:
            wait_until(f"process {pid} has ended", lambda: not is_alive(pid), limit)  # noqa: B023

    def wait_alone(self, limit=30):
        """The last one is all that is left, not even a zombie beside it."""
        def others():
            # What the test itself has not waited for is not theirs.
            self.proxy.child.exit_code  # noqa: B018
            # And orphans are for init to bury.
            return [(pid, state) for pid, state, parent in process_group(self.pids[0])
                    if pid != self.pid and (state != "Z" or parent in self.pids)]
        wait_until("only the last process is left", lambda: not others(), limit)

    def descriptors(self):
        """What the one that accepts has open."""
        found = []
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                found.append(os.readlink(f"/proc/{self.pid}/fd/{name}"))
            except OSError:
                pass
        return found

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def stop(self, limit=20):
        if is_alive(self.pid):
            os.kill(self.pid, signal.SIGTERM)
            self.wait_ended([self.pid], limit)
