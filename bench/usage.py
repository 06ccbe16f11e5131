# SPDX-License-Identifier: PostgreSQL
"""CPU and memory of processes."""

import os


def threads(pid):
    """CPU seconds of each living thread, by (thread id, name): the scheduler's own count, finer than clock ticks."""
    found = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/comm") as comm, open(f"/proc/{pid}/task/{thread}/schedstat") as stat:
            found[int(thread), comm.read().strip()] = int(stat.read().split()[0]) / 1e9
    return found


def cpu(pid):
    return sum(threads(pid).values())


def resident(pid):
    """VmRSS, in bytes."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS:"))


def family(pid):
    """The process and its children: nginx has one for each worker."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [pid, *map(int, file.read().split())]
