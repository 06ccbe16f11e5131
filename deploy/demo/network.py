# SPDX-License-Identifier: PostgreSQL
"""Partitions: a network of its own for one program, whose ways to single servers can be cut in silence."""

import os
import shutil
import subprocess

from .processes import Child, wait_until

# Of the range for benchmarks (RFC 2544), so that no real network is hidden.
OURS, THEIRS = "198.18.{0}.1", "198.18.{0}.2"


def is_possible():
    """Needs root that may make network namespaces; a container's root often may not."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nsenter", "unshare"))):
        return False
    return subprocess.run(["unshare", "--net", "ip", "rule", "list"], capture_output=True).returncode == 0


class Namespace:
    """One cable to our network, and through it the cluster's loopback addresses (PREFIX.0/24).

    A holder process keeps the namespace; when that ends, namespace and cable go by themselves, also after kill -9.
    """

    def __init__(self, directory, prefix):
        self.prefix = prefix
        number = prefix.rpartition(".")[2]  # as different as the clusters that run beside each other
        self.host = THEIRS.format(number)   # where programs inside are reached from outside
        self._gateway = OURS.format(number)
        self._cable = f"rolegate{number}"
        self._holder = Child("namespace", ["unshare", "--net", "sleep", "infinity"], f"{directory}/namespace.log")
        self._cuts = {}

    # Life

    def start(self):
        ours = os.readlink("/proc/self/ns/net")
        self._holder.start()
        wait_until("the namespace is there",
                   lambda: self._holder.require_running() and os.readlink(f"/proc/{self._holder.pid}/ns/net") != ours, 10)
        self._outside("link", "add", self._cable, "type", "veth", "peer", "name", "cable", "netns", self._holder.pid)
        self._outside("addr", "add", f"{self._gateway}/30", "dev", self._cable)
        self._outside("link", "set", self._cable, "up")
        write(f"/proc/sys/net/ipv4/conf/{self._cable}/route_localnet", "1")
        self._inside("link", "set", "lo", "up")
        self._inside("addr", "add", f"{self.host}/30", "dev", "cable")
        self._inside("link", "set", "cable", "up")
        self.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/cable/route_localnet"])
        # Only 127.0.0.0/24 stays here; the cluster's loopback addresses are behind the cable.
        self._inside("route", "add", "local", "127.0.0.0/24", "dev", "lo", "table", "local")
        self._inside("route", "del", "local", "127.0.0.0/8", "dev", "lo", "table", "local")
        self._inside("route", "add", f"{self.prefix}.0/24", "via", self._gateway)
        # The kernel's own first rule would let every packet in before ours are asked.
        self._inside("rule", "add", "prio", "100", "lookup", "local")
        self._inside("rule", "del", "prio", "0")
        return self

    def stop(self):
        self._holder.kill()
        subprocess.run(["ip", "link", "del", self._cable], capture_output=True)

    def command(self, argv):
        """The command line that runs `argv` inside."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--", *argv]

    def run(self, argv):
        run(self.command(argv))

    # Partitions

    def cut(self, host, port):
        """From now on nothing that this server sends arrives: no answer, no refusal, no end of a connection."""
        if (host, port) in self._cuts:
            return
        priority = next(number for number in range(10, 90) if number not in self._cuts.values())
        self._inside("rule", "add", "prio", priority, "from", host, "ipproto", "tcp", "sport", port, "blackhole")
        self._cuts[host, port] = priority

    def cut_off(self, addresses):
        for address in addresses:
            host, _, port = address.rpartition(":")
            self.cut(host, int(port))

    def mend(self):
        """Every way is open again."""
        for priority in self._cuts.values():
            self._inside("rule", "del", "prio", priority)
        self._cuts.clear()

    def _outside(self, *words):
        run(["ip", *map(str, words)])

    def _inside(self, *words):
        self.run(["ip", *map(str, words)])


def run(argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(argv)}: {done.stderr.strip()}")


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


class Gate:
    """A program that passes connections on to servers, to stand in one client's way: HAProxy, frozen on command.

    While it is shut the client's connections stay open and nothing passes; opening it anew drops what was under way.
    """

    def __init__(self, name, directory, ways):
        """`ways` is a list of (listen address, server address)."""
        self.addresses = [listen for listen, _ in ways]
        config = f"{directory}/{name}.cfg"
        listens = "".join(f"listen way{number}\n    bind {listen}\n    server it {server}\n"
                          for number, (listen, server) in enumerate(ways))
        write(config, "defaults\n    mode tcp\n    timeout connect 4s\n    timeout client 1h\n    timeout server 1h\n" + listens)
        self.child = Child(name, ["haproxy", "-db", "-f", config], f"{directory}/{name}.log")

    def open(self):
        self.child.kill()
        self.child.start()

    def shut(self):
        self.child.freeze()

    def stop(self):
        self.child.kill()
