# SPDX-License-Identifier: PostgreSQL
"""What Rolegate takes of the machine."""

import os


def memory(proxy):
    """VmRSS, in bytes."""
    with open(f"/proc/{proxy.child.pid}/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS:"))


def descriptors(proxy):
    return len(os.listdir(f"/proc/{proxy.child.pid}/fd"))


def threads(proxy):
    return len(os.listdir(f"/proc/{proxy.child.pid}/task"))
