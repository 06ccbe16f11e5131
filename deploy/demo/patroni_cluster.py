# SPDX-License-Identifier: PostgreSQL
"""A cluster: etcd and some nodes on loopback addresses, and what an operator does to it."""

import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

import psycopg2

from . import processes
from .etcd import Etcd
from .node import Node, stop_all
from .processes import wait_until


@dataclass
class Settings:
    """`prefix` is the first three bytes of the addresses: etcd is PREFIX.10 (and .110, .120), the nodes PREFIX.11 and up."""
    directory: str = ""
    prefix: str = "127.0.0"
    nodes: int = 3
    pg_port: int = 5434
    rest_port: int = 8008
    etcds: int = 1              # members of etcd: 1 or 3
    dcs: str = "etcd3"          # Patroni's word for the API it uses: etcd3, or etcd for the old one
    etcd_port: int = 2379
    etcd_peer_port: int = 2380
    scope: str = "demo"
    namespace: str = "/service"
    ttl: int = 30
    loop_wait: int = 10
    retry_timeout: int = 10
    synchronous: bool = False
    failsafe: bool = False
    auth: str = "trust"
    password: str = "postgres"
    log_requests: bool = False  # each node's log has a line for every request to its REST API
    parameters: dict = field(default_factory=dict)     # of PostgreSQL, beside those every cluster gets
    rest_tls: str = ""          # REST over HTTPS by these files' beginning: .crt, .key, and -ca.crt that signs clients, too
    rest_user: str = ""         # NAME:PASSWORD of whoever may change something over REST
    standby_of: tuple = ()      # host and port that lead to the primary of another cluster, which this one follows
    etcd_addresses: list = field(default_factory=list, init=False)

    def rest_context(self):
        """How a client with a certificate asks the REST API, None over plain HTTP."""
        if not self.rest_tls:
            return None
        context = ssl.create_default_context(cafile=f"{self.rest_tls}-ca.crt")
        context.load_cert_chain(f"{self.rest_tls}.crt", f"{self.rest_tls}.key")
        return context


class Cluster:
    def __init__(self, settings):
        self.settings = settings
        settings.directory = settings.directory or tempfile.mkdtemp(prefix="rolegate-cluster-")
        os.makedirs(settings.directory, exist_ok=True)
        os.chmod(settings.directory, 0o755)
        self.etcd = Etcd(settings.prefix, settings.directory, settings.etcd_port, settings.etcd_peer_port,
                         settings.etcds, api_v2=settings.dcs == "etcd")
        settings.etcd_addresses = self.etcd.addresses
        # What heal() goes back to.
        self._configuration = {"ttl": settings.ttl, "loop_wait": settings.loop_wait, "pause": None,
                               "retry_timeout": settings.retry_timeout, "synchronous_mode": settings.synchronous,
                               "failsafe_mode": settings.failsafe}
        self.nodes = []
        for _ in range(settings.nodes):
            self.add_node()

    # Membership

    def add_node(self):
        """A new node under the first free number; not started yet."""
        taken = [node.name for node in self.nodes]
        number = next(number for number in range(1, 90) if f"pg-{number}" not in taken)
        node = Node(f"pg-{number}", f"{self.settings.prefix}.{10 + number}", self.settings)
        self.nodes.append(node)
        return node

    def remove_node(self, node):
        """Stops a node for good and forgets it."""
        node.stop()
        node.wipe()
        self.nodes.remove(node)

    def node(self, name):
        return next(node for node in self.nodes if node.name == name)

    def ports(self):
        """Every (host, port) the cluster listens on."""
        wanted = self.etcd.ports()
        for node in self.nodes:
            wanted += [(node.host, node.pg_port), (node.host, node.rest_port)]
        return wanted

    # Life

    def start(self):
        """The first node initialises the cluster; the others wait for it and copy it."""
        self.etcd.start()
        for node in self.nodes:
            node.start()
        self.wait_healthy(90)

    def stop(self):
        stop_all(self.nodes)
        self.etcd.stop()

    def remove_files(self):
        shutil.rmtree(self.settings.directory, ignore_errors=True)

    # Knowledge

    def dcs(self):
        """The part of Rolegate's configuration that names the lock's store, spelled as Patroni spells it."""
        return {"scope": self.settings.scope, "namespace": self.settings.namespace,
                self.settings.dcs: {"hosts": self.etcd.addresses}}

    def key(self, name):
        """Full name of a key of this cluster in etcd."""
        return f"{self.settings.namespace}/{self.settings.scope}/{name}"

    def view(self):
        """Body of GET /cluster of the first node that answers, or None."""
        for node in self.nodes:
            answer = node.ask("/cluster", timeout=2) if node.child.running else None
            if answer and answer.status == 200:
                return answer.json()
        return None

    def leader(self):
        """The node that holds the lock; waits until there is one, and somebody who can tell: no Patroni can while etcd
        chooses a leader of its own, as it does after a pause of the machine."""
        return wait_until("somebody holds the lock", self.holder, 30)

    def holder(self):
        """The node that holds the lock, None when nobody does or nobody can tell."""
        members = (self.view() or {}).get("members", [])
        names = [member["name"] for member in members if member["role"] in ("leader", "master", "primary")]
        return next((node for node in self.nodes if node.name in names), None)

    def replicas(self):
        leader = self.leader()
        return [node for node in self.nodes if node is not leader]

    def problem(self):
        """Why the cluster is not healthy, as text; empty when it is."""
        bodies = {}
        for node in self.nodes:
            node.child.require_running()
            bodies[node.name] = node.status() or {}
        leader = self.holder()
        if leader is None:
            return "no leader"
        top = bodies[leader.name]
        if (top.get("state"), top.get("role")) not in (("running", "master"), ("running", "primary")):
            return f"{leader.name} holds the lock but is {top.get('state')} {top.get('role')}"
        streaming = {row["application_name"] for row in top.get("replication", []) if row["state"] == "streaming"}
        for node in self.nodes:
            body = bodies[node.name]
            if node is leader:
                continue
            if body.get("state") not in ("running", "streaming") or body.get("role") != "replica":
                return f"{node.name} is {body.get('state')} {body.get('role')}"
            if node.name not in streaming or body.get("timeline") != top.get("timeline"):
                return f"{node.name} does not stream from {leader.name}"
        members = (self.view() or {}).get("members", [])
        if self.settings.synchronous and "sync_standby" not in [member["role"] for member in members]:
            return "no synchronous standby"
        unknown = {member["name"] for member in members} - set(bodies)
        return f"members of the past: {sorted(unknown)}" if unknown else ""

    def wait_healthy(self, limit=60):
        problem = ["not looked yet"]

        def look():
            problem[0] = self.problem()
            return not problem[0]
        try:
            wait_until("the cluster is healthy", look, limit, every=0.1)
        except processes.Timeout as error:
            raise processes.Timeout(f"{error}: {problem[0]}\n" + self.describe()) from None

    def wait_leader(self, node, limit=60):
        """The node holds the lock and says it is a running primary."""
        def is_leader():
            body = node.status() or {}
            return self.holder() is node and body.get("state") == "running" and body.get("role") in ("master", "primary")
        wait_until(f"{node.name} is the leader", is_leader, limit)

    def wait_new_leader(self, old, limit=60):
        def other():
            leader = self.holder()
            return leader if leader not in (None, old) else None
        leader = wait_until(f"somebody else than {old.name} is the leader", other, limit)
        self.wait_leader(leader, limit)
        return leader

    def describe(self):
        return "\n".join(node.describe() for node in self.nodes)

    # Operator's work

    def heal(self, limit=90):
        """Back to the known state: the first nodes only, all of them running as configured at first, one leader,
        replicas streaming."""
        self.etcd.start()
        for node in self.nodes[self.settings.nodes:]:
            self.remove_node(node)
        while len(self.nodes) < self.settings.nodes:
            self.add_node()
        for node in self.nodes:
            node.start()
        self._restore_configuration(limit)
        try:
            self.wait_healthy(limit / 2)
        except processes.Timeout:
            # What cannot follow any more is copied anew.
            leader = self.holder()
            for node in self.nodes:
                if leader and node is not leader:
                    node.rebuild()
            self.wait_healthy(limit)

    def _restore_configuration(self, limit):
        """In pause nobody starts a stopped PostgreSQL, so this may not wait for a healthy cluster."""
        def current():
            answers = (node.ask("/config") for node in self.nodes)
            return next((answer.json() for answer in answers if answer and answer.status == 200), None)
        now = wait_until("a node tells the configuration", current, limit)
        changes = {key: value for key, value in self._configuration.items() if now.get(key) != value}
        if changes:
            self.configure(**changes)

    def candidate(self):
        """A replica that may take over: with synchronous mode only the synchronous one may."""
        replicas = self.replicas()
        view = self.view() or {}
        sync = {member["name"] for member in view.get("members", []) if member["role"] == "sync_standby"}
        return next((node for node in replicas if node.name in sync), replicas[0])

    def switchover(self, candidate=None):
        """What `patronictl switchover` does. Returns the old and the new leader."""
        leader = self.leader()
        # Patroni drops the plan when the candidate does not tell it within 2 s that it can, at first (412) or when it is
        # to be done (503); then nothing has happened, and an operator tries again.
        for _ in range(5):
            to = candidate or self.candidate()
            answer = leader.ask("/switchover", "POST", {"leader": leader.name, "candidate": to.name}, timeout=60)
            if (answer and answer.status == 200) or self.leader() is to:
                return leader, to
            if answer is None or self.leader() is not leader:
                break
            time.sleep(1)
        raise RuntimeError(f"switchover refused: {answer.body if answer else 'no answer'}")

    def configure(self, **changes):
        """What `patronictl edit-config` does."""
        # Any node takes it, and in pause there may be no leader.
        answers = (node.ask("/config", "PATCH", changes, timeout=10) for node in self.nodes)
        if not any(answer and answer.status == 200 for answer in answers):
            raise RuntimeError(f"configuration refused: {changes}")
        if "synchronous_mode" in changes:
            self.settings.synchronous = changes["synchronous_mode"]

    def set_failsafe(self, on):
        """Failsafe mode, and everything a node needs for it when etcd goes: the list of members is in etcd."""
        self.configure(failsafe_mode=on)
        if on:
            def listed():
                return set(json.loads(self.etcd.get(self.key("failsafe")) or "{}")) == {node.name for node in self.nodes}
            wait_until("all members are in the failsafe key", listed, 30)
            self.wait_loop()

    def wait_loop(self):
        """Until every node has gone through one more loop, so that it has read what is in etcd now."""
        seen = {node.name: (node.status() or {}).get("dcs_last_seen", 0) for node in self.nodes}
        for node in self.nodes:
            wait_until(f"{node.name} has looked at etcd",
                       lambda: (node.status() or {}).get("dcs_last_seen", 0) > seen[node.name] + 1, 30)  # noqa: B023

    def pause(self, on=True):
        """What `patronictl pause --wait` and `resume --wait` do."""
        self.configure(pause=True if on else None)
        for node in self.nodes:
            wait_until(f"{node.name} is {'paused' if on else 'resumed'}",
                       lambda: bool((node.status() or {}).get("pause")) == on, 30)  # noqa: B023

    def ctl(self, *words):
        """patronictl, as an operator on the first node uses it."""
        done = subprocess.run(["patronictl", "-c", self.nodes[0].config, *words], text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=90 * processes.TIMEOUT_SCALE)
        if done.returncode != 0:
            raise RuntimeError(f"patronictl {' '.join(words)}: {done.stdout} {done.stderr}")
        return done.stdout

    def dsn(self, host, port, **more):
        options = {"host": host, "port": port, "user": "postgres", "dbname": "postgres", "sslmode": "disable",
                   "gssencmode": "disable", "password": self.settings.password,
                   "connect_timeout": int(5 * processes.TIMEOUT_SCALE)} | more
        return " ".join(f"{key}='{value}'" for key, value in options.items())

    def query(self, node, sql, *parameters):
        """Asks one node directly and returns the rows."""
        return self.query_at(node.host, node.pg_port, sql, *parameters)

    def query_at(self, host, port, sql, *parameters):
        connection = psycopg2.connect(self.dsn(host, port, connect_timeout=int(20 * processes.TIMEOUT_SCALE)))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()
