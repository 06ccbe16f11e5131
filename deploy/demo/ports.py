# SPDX-License-Identifier: PostgreSQL
"""Ports: is one taken, by whom, and which are free."""

import os
import random
import re
import socket


def is_taken(host, port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


_given = []


def free_port(host="127.0.0.1"):
    """Below the range the kernel takes for outgoing connections, so that none of those grabs it meanwhile; never the
    same twice, for the first may not be in use yet, or no longer; nor one that another process was given."""
    while True:
        port = random.randrange(20000, 32000)
        if not is_taken(host, port) and _reserve(port):
            return port


def _reserve(port):
    """Takes a name that the kernel gives to one process at a time, and to others when that has ended. The port itself
    stays as it is."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0rolegate-port-{port}")
    except OSError:
        name.close()
        return False
    _given.append(name)
    return True


def _listening_inodes(port):
    wanted = f":{port:04X}"
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        inodes |= {row[9] for row in rows if row[1].endswith(wanted) and row[3] == "0A"}
    return inodes


def peers(pid):
    """Addresses HOST:PORT that a process has connections to, in whatever network namespace it is."""
    mine = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            continue
        mine |= {found[1]} if found else set()
    with open(f"/proc/{pid}/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    established = [row[2] for row in rows if row[3] == "01" and row[9] in mine]
    return [f"{socket.inet_ntoa(int(host, 16).to_bytes(4, 'little'))}:{int(port, 16)}"
            for host, _, port in (peer.partition(":") for peer in established)]


def owner(port):
    """`name (pid N)` of a process that listens on the port, or None when it cannot be seen."""
    inodes = _listening_inodes(port)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}"))
                if found and found[1] in inodes:
                    with open(f"/proc/{pid}/comm") as file:
                        return f"{file.read().strip()} (pid {pid})"
        except OSError:
            continue
    return None
