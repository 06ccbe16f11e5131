# SPDX-License-Identifier: PostgreSQL
"""Proxies before a service that is no PostgreSQL: Rolegate with a cluster of kind `tcp`, and HAProxy to compare."""

import csv

from demo import ports, rest
from demo.processes import Child, wait_until
from field import FieldRolegate


class ServiceRolegate(FieldRolegate):
    """One listener, `service`, before one cluster, `main`. `tcp` and `cluster` add keys to the parts of that name."""

    def __init__(self, members, directory, name, tcp=None, cluster=None, listener=None):
        self.host = "127.0.0.1"
        self.port = ports.free_port()
        super().__init__(directory, name, {
            "clusters": {"main": {"tcp": {"members": list(members), **(tcp or {})}, **(cluster or {})}},
            "listeners": {"service": {"bind": self.address, "cluster": "main", **(listener or {})}},
            "admin": {"bind": f"{self.host}:{ports.free_port()}"},
        })

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def check_status(self, member):
        """HAProxy's words: UP, UP 1/3, DOWN 1/2, DOWN."""
        found = self.member(member)
        return found["state"] if found else None

    def failed_checks(self, member):
        return int(self.metric("rolegate_checks_total", member=member, result="error") or 0)


HAPROXY = """\
defaults
    mode tcp
    timeout connect 4s
    timeout client 1m
    timeout server 1m
    timeout check {timeout}
listen stats
    mode http
    bind {stats}
    stats enable
    stats uri /
listen service
    bind {address}
{check}
    server {member} {member} check {options}
"""


class ServiceHAProxy:
    """The same with one member. `check` is a line of its own, such as option httpchk."""

    def __init__(self, member, directory, name, options, check="", timeout="2s"):
        self.address = f"127.0.0.1:{ports.free_port()}"
        self.stats = f"127.0.0.1:{ports.free_port()}"
        config = f"{directory}/{name}.cfg"
        with open(config, "w") as file:
            file.write(HAPROXY.format(stats=self.stats, address=self.address, member=member, options=options,
                                      check=f"    {check}", timeout=timeout))
        self.child = Child(name, ["haproxy", "-db", "-f", config], f"{directory}/{name}.log")

    def start(self, ready=True):
        self.child.start()
        wait_until("HAProxy answers", lambda: self.child.require_running() and self._rows(), 10)

    def stop(self):
        self.child.stop(limit=2)

    def check_status(self, member):
        return self._field(member, "status")

    def failed_checks(self, member):
        return int(self._field(member, "chkfail") or 0)

    def _field(self, member, name):
        return next((row[name] for row in self._rows() if row["svname"] == member), None)

    def _rows(self):
        answer = rest.ask(self.stats, "/;csv")
        return list(csv.DictReader(answer.body.lstrip("# ").splitlines())) if answer else []
