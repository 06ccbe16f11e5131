# SPDX-License-Identifier: PostgreSQL
"""Rolegate under test or on show: its configuration, its process, its admin API."""

import os
import re
import time

import yaml

from . import rest
from .processes import TIMEOUT_SCALE, Child, Timeout, cpu_seconds, tail, wait_until

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def binary():
    return os.environ.get("ROLEGATE_BINARY") or f"{REPOSITORY}/build/rolegate"


def configuration(members, write_port, read_port, admin_port, host="127.0.0.1", patroni=None, cluster=None, write=None,
                  read=None, process=None, listeners=None, postgres=None, admin=None):
    """The setup most clusters have: one port for the primary, one for the replicas in turn.

    `patroni`, `cluster` (for dcs, sql, on_dcs_loss and so on), `write` and `read` add keys to the part of the same name,
    `admin` to its section, `process` to the top level; `listeners` adds whole ones, by name. `postgres` takes the place of `members`
    and `patroni`.
    """
    kind = {"postgres": postgres} if postgres else {"patroni": {"members": list(members), **(patroni or {})}}
    return {
        "clusters": {"main": {**kind, **(cluster or {})}},
        "listeners": {
            "write": {"bind": f"{host}:{write_port}", "cluster": "main", "role": "primary", **(write or {})},
            "read": {"bind": f"{host}:{read_port}", "cluster": "main", "role": "replica",
                     "balance": "roundrobin", **(read or {})},
            **{name: {"cluster": "main", **keys} for name, keys in (listeners or {}).items()},
        },
        "admin": {"bind": f"{host}:{admin_port}", **(admin or {})},
        **(process or {}),
    }


class Rolegate:
    name = "Rolegate"

    def __init__(self, members, directory, write_port, read_port, admin_port, host="127.0.0.1", name="rolegate",
                 namespace=None, **more):
        """With a namespace it runs in that, and is reached at the namespace's address."""
        host = namespace.host if namespace else host
        self.host = host
        self.write_port = write_port
        self.read_port = read_port
        self.admin = f"{host}:{admin_port}"
        self.config = f"{directory}/{name}.yaml"
        with open(self.config, "w") as file:
            yaml.safe_dump(configuration(members, write_port, read_port, admin_port, host, **more), file,
                           sort_keys=False, default_flow_style=None)
        command = [binary(), "run", "-c", self.config]
        self.child = Child(name, namespace.command(command) if namespace else command, f"{directory}/{name}.log")

    @property
    def log(self):
        return self.child.log

    # Life

    def start(self, ready=True):
        self.child.start()
        wait_until("Rolegate's admin answers", lambda: self.child.require_running() and self.is_live(), 10)
        if ready:
            self.wait_ready()

    def stop(self, limit=10):
        self.child.stop(limit)

    def kill(self):
        self.child.kill()

    def cpu_seconds(self):
        return cpu_seconds(self.child.pid)

    # Admin API

    def get(self, path):
        """None when nobody answers, which from a process that runs is no knowledge: so that one is asked again."""
        deadline = time.monotonic() + 20 * TIMEOUT_SCALE
        while True:
            answer = rest.ask(self.admin, path)
            if answer or not self.child.running or time.monotonic() > deadline:
                return answer
            time.sleep(0.05)

    def is_live(self):
        answer = rest.ask(self.admin, "/livez")
        return answer is not None and answer.status == 200

    def is_ready(self, listener=""):
        self.child.require_running()
        answer = self.get("/readyz" + (f"/{listener}" if listener else ""))
        return answer is not None and answer.status == 200

    def wait_ready(self, listener="", limit=30):
        wait_until(f"Rolegate is ready {listener}", lambda: self.is_ready(listener), limit, every=0.02)

    def status(self):
        answer = self.get("/api/v1/status")
        return answer.json() if answer else None

    def main(self):
        """The part of the status about the one cluster."""
        return ((self.status() or {}).get("clusters") or {}).get("main", {})

    def member(self, name):
        return next((member for member in self.main().get("members", []) if member["name"] == name), None)

    def routable(self, listener):
        """Names of the members that the listener sends new sessions to."""
        return sorted(member["name"] for member in self.main().get("members", [])
                      if member.get("routable", {}).get(listener))

    def open_for(self, listener):
        """Names of the members that this listener sends new sessions to, by its own demands."""
        listeners = (self.status() or {}).get("listeners") or {}
        return sorted((listeners.get(listener) or {}).get("members", []))

    def wait_open(self, listener, nodes, limit=30):
        names = sorted(node.name for node in nodes)
        try:
            wait_until(f"{listener} leads to {names}", lambda: self.open_for(listener) == names, limit, every=0.05)
        except Timeout as error:
            raise Timeout(f"{error}; now {self.open_for(listener)}, {self.rules(listener)}") from None

    def lock(self):
        """What it knows of the leader lock: holder, source, ttl_left_ms."""
        return self.main().get("lock") or {}

    def wait_lock(self, source, holder=None, limit=20):
        """It knows the lock from there. A source that was silent for a moment is found again."""
        wait_until(f"the lock is known from {source} (now {self.lock()})", lambda: self.lock().get("source") == source
                   and holder in (None, self.lock().get("holder")), limit)

    def explain(self):
        answer = self.get("/api/v1/explain")
        return answer.json() if answer else {}

    def rules(self, listener="write"):
        """The rule by which each member gets this listener's clients or does not, by name."""
        found = (self.explain().get("listeners") or {}).get(listener) or {}
        return {member["name"]: member["rule"] for member in found.get("members", [])}

    def wait_rule(self, node, rule, limit=30, listener="write"):
        """`rule` is a name or several."""
        wanted = (rule,) if isinstance(rule, str) else tuple(rule)
        try:
            return wait_until(f"{listener}: {node.name} by {' or '.join(wanted)}", lambda: next(
                (found for found in [self.rules(listener).get(node.name)] if found in wanted), None), limit, every=0.02)
        except Timeout as error:
            raise Timeout(f"{error}; now {self.rules(listener)}") from None

    def events(self, kind=None):
        """The last role changes, oldest first."""
        answer = self.get("/api/v1/events")
        found = answer.json()["events"] if answer and answer.status == 200 else []
        return sorted((event for event in found if kind in (None, event["kind"])), key=lambda event: event["at"])

    def metric(self, name, **labels):
        """Sum of all samples of that name with these labels; None when there is none."""
        answer = self.get("/metrics")
        values = []
        for line in answer.body.splitlines() if answer else ():
            found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if found and found[1] == name:
                has = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found[2] or ""))
                if labels.items() <= has.items():
                    values.append(float(found[3]))
        return sum(values) if values else None

    def log_text(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def wait_logged(self, *words, limit=10):
        """Until the log has each of these words: what is logged is written by a thread of its own, a little later."""
        wait_until(f"{words} in the log", lambda: all(word in self.log_text() for word in words), limit)

    def wait_routable(self, listener, names, limit=30):
        wait_until(f"{listener} routes to {sorted(names)} (now {self.routable(listener)})",
                   lambda: self.routable(listener) == sorted(names), limit, every=0.05)

    def describe(self):
        """What a person would look at first when something is wrong."""
        explain = self.get("/api/v1/explain")
        ready = self.get("/readyz")
        return (f"readyz: {ready.status} {ready.body}\n" if ready else "readyz: no answer\n") + \
               (f"explain: {explain.body}\n" if explain else "explain: no answer\n") + \
               f"log {self.log}:\n{tail(self.log, 40)}"
