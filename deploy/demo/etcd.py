# SPDX-License-Identifier: PostgreSQL
"""etcd: one member or three that hold the cluster's leader lock, and everything that may happen to them."""

import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
import time

from . import rest
from .processes import TIMEOUT_SCALE, Child, wait_until

# Last byte of the members' addresses.
PLACES = (10, 110, 120)


class Member:
    """One etcd process."""

    def __init__(self, name, host, directory, client_port, peer_port):
        self.name = name
        self.host = host
        self.client_port = client_port
        self.peer = f"http://{host}:{peer_port}"
        self.data = f"{directory}/{name}"
        self.log = f"{directory}/{name}.log"
        self.child = Child(name, [], self.log)

    @property
    def address(self):
        return f"{self.host}:{self.client_port}"

    def join(self, peers, token, api_v2):
        """Which cluster it belongs to; takes effect at the next start on an empty directory."""
        client = f"http://{self.address}"
        self.child.argv = [
            "etcd", "--name", self.name, "--data-dir", self.data,
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", self.peer, "--initial-advertise-peer-urls", self.peer,
            "--initial-cluster", ",".join(f"{peer.name}={peer.peer}" for peer in peers),
            "--initial-cluster-token", token, "--log-level", "warn",
            # Throw-away data: waiting for the disk would only make elections slow.
            "--unsafe-no-fsync",
        ] + (["--enable-v2=true"] if api_v2 else [])

    def is_healthy(self):
        self.child.require_running()
        answer = rest.ask(self.address, "/health", timeout=2)
        return answer is not None and '"true"' in answer.body

    def fetch(self, path):
        """Answer of the old API, or None."""
        answer = rest.ask(self.address, path, timeout=3)
        return answer.json() if answer and answer.status == 200 else None

    def post(self, path, body):
        """The JSON gateway's answer, or None."""
        answer = rest.ask(self.address, path, "POST", body, timeout=3)
        return answer.json() if answer and answer.status == 200 else None


class Etcd:
    def __init__(self, prefix, directory, client_port=2379, peer_port=2380, members=1, api_v2=False):
        self.api_v2 = api_v2
        self.members = [Member(f"etcd-{number}" if members > 1 else "etcd", f"{prefix}.{place}", directory,
                               client_port, peer_port)
                        for number, place in enumerate(PLACES[:members], start=1)]
        self._tokens = itertools.count(1)
        self._join()

    def _join(self):
        token = f"demo-{next(self._tokens)}"
        for member in self.members:
            member.join(self.members, token, self.api_v2)

    @property
    def addresses(self):
        return [member.address for member in self.members]

    @property
    def children(self):
        return [member.child for member in self.members]

    def ports(self):
        """Every (host, port) of the members."""
        return [(member.host, member.client_port) for member in self.members] + \
               [(member.host, int(member.peer.rpartition(":")[2])) for member in self.members]

    # Life

    def start(self):
        """All members run and are healthy, whatever was done to them before."""
        for child in self.children:
            child.start()
        for member in self.members:
            wait_until(f"{member.name} is healthy", member.is_healthy, 20)

    def stop(self):
        """All at once. Members that go while others still run wait for each other in vain, so nobody waits for long."""
        for child in self.children:
            child.ask_to_stop()
        deadline = time.monotonic() + 2
        for child in self.children:
            child.stop(asked=True, limit=max(0.1, deadline - time.monotonic()))

    def kill(self):
        """kill -9 of all members: no good-bye on any connection."""
        for child in self.children:
            child.signal(signal.SIGKILL)    # at once, before anybody sees two of them without the third
        for child in self.children:
            child.kill()

    def empty(self):
        """Forgets everything: all members come back as a new cluster without a single key."""
        self.kill()
        for member in self.members:
            shutil.rmtree(member.data, ignore_errors=True)
        self._join()
        self.start()

    # Knowledge

    def member(self, address):
        return next((member for member in self.members if member.address == address), None)

    def leader(self):
        """The member that leads, or None."""
        for member in self.members:
            status = member.post("/v3/maintenance/status", {}) if member.child.running else None
            if status and status.get("leader", "0") != "0":
                return next((other for other in self.members if self._id(other) == status["leader"]), None)
        return None

    def followers(self):
        leader = wait_until("etcd has a leader", self.leader, 20)
        return [member for member in self.members if member is not leader]

    def get(self, key):
        """Value of one key, or None."""
        out = self.ctl("get", key, "--print-value-only")
        return out.rstrip("\n") or None

    def put(self, key, value):
        """Writes one key without etcdctl, in a few milliseconds; None when nobody takes it."""
        pair = {"key": base64.b64encode(key.encode()).decode(), "value": base64.b64encode(value.encode()).decode()}
        return next((answer for member in self.members if (answer := member.post("/v3/kv/put", pair))), None)

    @staticmethod
    def _id(member):
        status = member.post("/v3/maintenance/status", {})
        return status["header"]["member_id"] if status else None

    # Operator's work

    def ctl(self, *words):
        """etcdctl, at all members."""
        done = subprocess.run(["etcdctl", "--endpoints", ",".join(self.addresses), *words], text=True,
                              capture_output=True, timeout=20 * TIMEOUT_SCALE, env={**os.environ, "ETCDCTL_API": "3"})
        if done.returncode != 0:
            raise RuntimeError(f"etcdctl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def move_leader(self, to=None):
        """etcd's own leadership goes to another member; returns it."""
        to = to or self.followers()[0]
        if self.leader() is not to:
            self.ctl("move-leader", f"{int(self._id(to)):x}")
            wait_until(f"{to.name} leads etcd", lambda: self.leader() is to, 20)
        return to

    def compact(self):
        """Drops all history, and gives the space back."""
        status = json.loads(self.ctl("endpoint", "status", "-w", "json"))
        self.ctl("compact", str(status[0]["Status"]["header"]["revision"]), "--physical")
        self.ctl("defrag")
