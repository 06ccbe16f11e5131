# SPDX-License-Identifier: PostgreSQL
"""A node: one Patroni with its PostgreSQL, and everything that may happen to the two."""

import contextlib
import glob
import os
import shutil
import signal
import socket
import time

import yaml

from . import processes, rest
from .processes import Child, is_alive, wait_until


def postgres_bin():
    """The newest PostgreSQL below /usr/lib/postgresql, as Debian installs them."""
    found = glob.glob("/usr/lib/postgresql/*/bin/pg_ctl")
    if not found:
        raise FileNotFoundError("no PostgreSQL server below /usr/lib/postgresql")
    newest = max(found, key=lambda path: int(path.split("/")[4]) if path.split("/")[4].isdigit() else 0)
    return os.path.dirname(newest)


class Node:
    def __init__(self, name, host, settings):
        self.name = name
        self.host = host
        self.pg_port = settings.pg_port
        self.rest_port = settings.rest_port
        self.user = processes.service_user()
        self.directory = f"{settings.directory}/{name}"
        self.data = f"{self.directory}/data"
        self.config = f"{self.directory}/patroni.yml"
        self.log = f"{settings.directory}/{name}.log"
        os.makedirs(self.directory, exist_ok=True)
        if self.user:
            shutil.chown(self.directory, self.user, self.user)
        os.chmod(self.directory, 0o700)
        self._settings = settings
        self._gate = None
        self._tags = {}
        self._pooler = None
        self._write_config()
        self.child = Child(name, ["patroni", self.config], self.log, self.user, stop_signal=signal.SIGINT)

    def _write_config(self):
        with open(self.config, "w") as file:
            yaml.safe_dump(self._patroni_config(self._settings), file, sort_keys=False)
        os.chmod(self.config, 0o644)

    def _patroni_config(self, settings):
        return {
            "scope": settings.scope,
            "namespace": settings.namespace,
            "name": self.name,
            # Without use_proxies Patroni would ask etcd for its members and go to those directly.
            settings.dcs: {"hosts": self._gate.addresses, "use_proxies": True} if self._gate
            else {"hosts": settings.etcd_addresses},
            "log": {"loggers": {"patroni.api": "DEBUG"} if settings.log_requests else {}},
            "restapi": {"listen": self.rest, "connect_address": self.rest, **self._rest_protection()},
            "tags": self._tags,
            "bootstrap": {
                "dcs": {
                    "ttl": settings.ttl,
                    "loop_wait": settings.loop_wait,
                    "retry_timeout": settings.retry_timeout,
                    "maximum_lag_on_failover": 1048576,
                    "synchronous_mode": settings.synchronous,
                    "failsafe_mode": settings.failsafe,
                    **({"standby_cluster": dict(zip(("host", "port"), settings.standby_of, strict=True))}
                       if settings.standby_of else {}),
                    "postgresql": {
                        "use_pg_rewind": True,
                        "use_slots": True,
                        # The data is thrown away at the end, so nobody waits for the disk.
                        "parameters": {"max_connections": 300, "fsync": "off", "wal_log_hints": "on",
                                       "shared_buffers": "32MB", "wal_keep_size": "128MB",
                                       "password_encryption": "scram-sha-256", **settings.parameters},
                    },
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums", "no-sync"],
            },
            "postgresql": {
                "listen": self.postgres,
                "connect_address": self.postgres,
                **({"proxy_address": self._pooler} if self._pooler else {}),
                "data_dir": self.data,
                "bin_dir": postgres_bin(),
                "pgpass": f"{self.directory}/pgpass",
                "remove_data_directory_on_diverged_timelines": True,
                "remove_data_directory_on_rewind_failure": True,
                "authentication": {name: {"username": name, "password": name}
                                   for name in ("replication", "rewind")} | {
                    "superuser": {"username": "postgres", "password": settings.password}},
                "parameters": {"unix_socket_directories": self.directory},
                "pg_hba": [f"host replication replication 127.0.0.0/8 {settings.auth}",
                           f"host all all 127.0.0.0/8 {settings.auth}",
                           f"local all all {settings.auth}",
                           # Proxies in a network of their own (network.py).
                           f"host all all 198.18.0.0/16 {settings.auth}"],
            },
        }

    def _rest_protection(self):
        """HTTPS for those who show a certificate, and a password for whoever wants to change something."""
        base, (user, _, password) = self._settings.rest_tls, self._settings.rest_user.partition(":")
        return {**({"certfile": f"{base}.crt", "keyfile": f"{base}.key", "cafile": f"{base}-ca.crt",
                    "verify_client": "required"} if base else {}),
                **({"authentication": {"username": user, "password": password}} if user else {})}

    def ask(self, path, method="GET", body=None, timeout=3):
        """One request to its REST API, as somebody who may; None when nobody answers."""
        return rest.ask(self.rest, path, method, body, timeout, self._settings.rest_context(), self._settings.rest_user)

    @property
    def rest(self):
        return f"{self.host}:{self.rest_port}"

    @property
    def postgres(self):
        return f"{self.host}:{self.pg_port}"

    def status(self):
        """Body of GET /patroni, or None when Patroni does not answer."""
        answer = self.ask("/patroni", timeout=2)
        try:
            return answer.json() if answer else None
        except ValueError:
            return None

    def requests(self):
        """How many requests its REST API has answered so far; needs Settings.log_requests."""
        with open(self.log, errors="replace") as file:
            return sum("API thread" in line for line in file)

    def start(self):
        self.child.start()

    def wait_loop_end(self):
        """Until Patroni of the leader has gone through a loop: it rests for the better part of loop_wait now."""
        with open(self.log, errors="replace") as file:
            file.seek(0, os.SEEK_END)
            wait_until(f"{self.name} has gone through a loop", lambda: "the leader with the lock" in file.read(), 30,
                       every=0.005)

    def go_through(self, gate):
        """From its next start its Patroni reaches etcd through the gate, or directly again (None)."""
        self._gate = gate
        self._write_config()

    def _reload(self):
        """What an operator does who has edited the node's configuration."""
        self._write_config()
        wait_until(f"{self.name} reloads", lambda: (answer := self.ask("/reload", "POST")) is not None
                   and answer.status in (200, 202), 20)

    def set_pooler(self, address):
        """HOST:PORT of the pooler beside it, which its Patroni names in its key as `proxy_url`; None takes that back."""
        self._pooler = address
        self._reload()

    def set_tags(self, **tags):
        """Other tags than before, at once."""
        self._tags = tags
        self._reload()
        wait_until(f"{self.name} has its tags", lambda: (self.status() or {}).get("tags", {}) == tags, 30)

    def stop(self):
        """Ctrl-C of Patroni: PostgreSQL is shut down, and a leader gives its lock back."""
        self.child.stop(limit=30)
        self.kill_postgres()

    def kill_patroni(self):
        """kill -9 of Patroni: PostgreSQL lives on, nobody looks after it."""
        self.child.kill()

    def postmaster_pid(self):
        """The postmaster of this data directory, never a stranger that inherited the number."""
        try:
            with open(f"{self.data}/postmaster.pid") as file:
                pid = int(file.readline())
            with open(f"/proc/{pid}/cmdline") as file:
                return pid if self.data in file.read() else None
        except (OSError, ValueError):
            return None

    def kill_postgres(self):
        """kill -9 of the postmaster; its children see that and end by themselves."""
        pid = self.postmaster_pid()
        if pid is None:
            return
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        wait_until(f"the postmaster of {self.name} is gone", lambda: not is_alive(pid), 10, every=0.01)

    def kill_all(self):
        """kill -9 of both, as when the host is switched off but for its network: ports refuse."""
        self.kill_patroni()
        self.kill_postgres()

    def freeze_all(self):
        """SIGSTOP of Patroni, PostgreSQL and all its processes: ports take connections, and nobody answers. Returns what
        lets them go on."""
        postmaster = self.postmaster_pid()
        pids = [self.child.pid, postmaster, *processes.children_of(postmaster)]

        def tell(number):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        tell(signal.SIGSTOP)
        return lambda: tell(signal.SIGCONT)

    def block_postgres(self):
        """Kills PostgreSQL and takes its port, so that Patroni cannot start it again. Returns what releases the port."""
        blocker = socket.socket()
        blocker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.child.freeze()     # it would be a race for the port
        try:
            self.kill_postgres()
            wait_until(f"the port of {self.name} is free", lambda: bound(blocker, (self.host, self.pg_port)), 10, every=0.01)
        finally:
            self.child.thaw()
        # Two that both say SO_REUSEADDR may share a port that nobody listens on.
        blocker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        return blocker.close

    def rebuild(self):
        """Throws the data away; its Patroni copies it from the leader, at the end of a pause if there is one."""
        self.kill_patroni()     # in pause a polite end takes a ttl
        self.kill_postgres()
        shutil.rmtree(self.data, ignore_errors=True)
        self.start()

    def wipe(self):
        """Removes the data directory of a stopped node."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def describe(self):
        body = self.status()
        if body is None:
            alive = "PostgreSQL lives" if self.postmaster_pid() else "PostgreSQL is down"
            return f"{self.name}: Patroni does not answer, {alive}"
        return f"{self.name}: {body.get('state')} {body.get('role')} timeline {body.get('timeline')}"


def bound(sock, address):
    try:
        sock.bind(address)
    except OSError:
        return False
    return True


def stop_all(nodes):
    """Stops many at once: all are told first, so the waits overlap."""
    for node in nodes:
        node.child.ask_to_stop()
    deadline = time.monotonic() + 15
    for node in nodes:
        node.child.stop(limit=max(0.5, deadline - time.monotonic()), asked=True)
        node.kill_postgres()
