#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The REST APIs of many Patroni clusters that are not there: one process, a loopback address for each member.

usage: fake_patroni.py NETWORK CLUSTERS MEMBERS REST_PORT PG_PORT CONTROL_PORT
"""

import asyncio
import json
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../deploy"))

from demo import ports, rest  # noqa: E402
from demo.processes import Child, wait_until  # noqa: E402

# As Patroni's own server says it: HTTP/1.0, the end of the connection is the end of the body.
HEAD = "HTTP/1.0 {} OK\r\nServer: BaseHTTP/0.6 Python/3.11.2\r\nContent-Type: application/json\r\n\r\n"
PER_BLOCK = 250     # addresses used of each /24


def address(network, number):
    """Of a member, counted over all clusters; `network` is the first two bytes."""
    return f"{network}.{number // PER_BLOCK}.{number % PER_BLOCK + 1}"


class FakeCluster:
    """Answers of one cluster; the first member leads at first."""

    def __init__(self, number, hosts, rest_port, pg_port):
        self.number, self.hosts, self.rest_port, self.pg_port = number, hosts, rest_port, pg_port
        self.timeline = 1
        self.lead(0)

    def lead(self, leader):
        self.timeline += 1
        members = json.dumps({"members": [self._listed(member, leader) for member in range(len(self.hosts))],
                              "scope": f"fake-{self.number}"})
        common = {"/cluster": (200, members), "/config": (200, json.dumps({"ttl": 30, "loop_wait": 10})),
                  "/history": (200, "[]")}
        self.answers = []
        for member in range(len(self.hosts)):
            body = json.dumps(self._status(member, leader))
            own = {"/patroni": (200, body), "/replica": (503 if member == leader else 200, body)}
            own |= dict.fromkeys(("/primary", "/master"), (200 if member == leader else 503, body))
            self.answers.append({path: (HEAD.format(status) + text).encode()
                                 for path, (status, text) in {**common, **own}.items()})

    def _listed(self, member, leader):
        host = self.hosts[member]
        return {"name": f"m{member}", "role": "leader" if member == leader else "replica", "state": "running",
                "api_url": f"http://{host}:{self.rest_port}/patroni", "host": host, "port": self.pg_port,
                "timeline": self.timeline} | ({} if member == leader else {"lag": 0})

    def _status(self, member, leader):
        leads = member == leader
        return {"state": "running", "role": "master" if leads else "replica", "server_version": 150008,
                "timeline": self.timeline, "dcs_last_seen": int(time.time()),
                "xlog": {"location": 67108864} if leads else
                {"received_location": 67108864, "replayed_location": 67108864, "replayed_timestamp": None,
                 "paused": False},
                "database_system_identifier": str(7000000000000000001 + self.number),
                "patroni": {"version": "3.0.2", "scope": f"fake-{self.number}"}}


class Api(asyncio.Protocol):
    """One connection to one member: a request, an answer, the end."""

    def __init__(self, cluster, member):
        self.cluster, self.member = cluster, member
        self.request = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.request += data
        if b"\r\n\r\n" in self.request:
            path = self.request.split(b" ", 2)[1].decode()
            unknown = HEAD.format(503).encode() + b"{}"
            self.transport.write(self.cluster.answers[self.member].get(path, unknown))
            self.transport.close()


class Control(asyncio.Protocol):
    """POST /CLUSTER/MEMBER makes that member the leader; the answer is the wall clock's time of it."""

    def __init__(self, clusters):
        self.clusters = clusters

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        _, cluster, member = data.split(b" ", 2)[1].decode().split("/")
        self.clusters[int(cluster)].lead(int(member))
        self.transport.write((HEAD.format(200) + str(time.time())).encode())
        self.transport.close()


async def serve(network, clusters, members, rest_port, pg_port, control_port):
    loop = asyncio.get_running_loop()
    hosts = [address(network, number) for number in range(clusters * members)]
    all_of_them = [FakeCluster(number, hosts[number * members:(number + 1) * members], rest_port, pg_port)
                   for number in range(clusters)]
    for cluster in all_of_them:
        for member, host in enumerate(cluster.hosts):
            await loop.create_server(lambda c=cluster, m=member: Api(c, m), host, rest_port, backlog=1024)
    # Last, because it says that all are there.
    await loop.create_server(lambda: Control(all_of_them), "127.0.0.1", control_port)
    await asyncio.Event().wait()


class FakePatroni:
    """The process, for those who need such clusters."""

    def __init__(self, directory, network, clusters=1, members=3, rest_port=8008, pg_port=5432):
        self.network, self.members, self.rest_port, self.pg_port = network, members, rest_port, pg_port
        self._control = ports.free_port()
        self.child = Child("fake Patroni", [sys.executable, os.path.abspath(__file__), network, clusters, members,
                                            rest_port, pg_port, self._control], f"{directory}/fake-patroni.log")

    def start(self):
        self.child.start()
        wait_until("the fake Patroni listens",
                   lambda: self.child.require_running() and ports.is_taken("127.0.0.1", self._control), 20)

    def stop(self):
        self.child.stop(limit=2)

    def host(self, cluster=0, member=0):
        return address(self.network, cluster * self.members + member)

    def seeds(self, cluster=0):
        """REST addresses of the first members, as an operator would name them."""
        return [f"{self.host(cluster, member)}:{self.rest_port}" for member in range(min(3, self.members))]

    def lead(self, cluster, member):
        """Another leader from now on; returns the wall clock's time of the change."""
        answer = rest.ask(f"127.0.0.1:{self._control}", f"/{cluster}/{member}", "POST", timeout=10)
        return float(answer.body)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], *map(int, sys.argv[2:])))
