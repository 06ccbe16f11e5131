# SPDX-License-Identifier: PostgreSQL
"""A haproxy.cfg that works in front of this cluster: Rolegate with what it becomes works in its place."""

import subprocess

import pytest

import modes
from clients import where
from demo import ports
from demo.haproxy import HAProxy
from demo.processes import TIMEOUT_SCALE, Child
from demo.rolegate import Rolegate, binary

# What the field adds to the template: frontends with backends, other spellings of the check, a demand.
FRONTENDS = """\
global
    maxconn 2000
defaults
    mode tcp
    timeout connect 4s
    timeout client 30m
    timeout server 30m
    timeout check 5s
listen stats
    mode http
    bind {host}:{stats_port}
    stats enable
    stats uri /
frontend write
    bind {host}:{write_port}
    default_backend primaries
frontend read
    bind {host}:{read_port}
    acl nobody nbsrv(replicas) lt 1
    use_backend primaries if nobody
    tcp-request connection reject if !{{ src 127.0.0.0/8 }}
    default_backend replicas
backend primaries
    option httpchk
    http-check send meth GET uri /primary
    default-server inter 1s rise 2 fall 3 on-marked-down shutdown-sessions port {rest_port}
{servers}
backend replicas
    balance leastconn
    option httpchk GET /replica?lag=100MB
    default-server inter 1s rise 2 fall 3 on-marked-down shutdown-sessions port {rest_port}
{servers}
"""


class Imported(Rolegate):
    """Rolegate with the configuration that `import-haproxy` makes of HAProxy's."""

    def __init__(self, haproxy, directory, name):
        self.host, self.write_port, self.read_port = haproxy.host, haproxy.write_port, haproxy.read_port
        self.admin = f"{haproxy.host}:{haproxy.stats_port}"
        self.config = f"{directory}/{name}.yaml"
        done = subprocess.run([binary(), "import-haproxy", haproxy.config], capture_output=True, text=True,
                              timeout=30 * TIMEOUT_SCALE)
        assert done.returncode == 0, done.stderr
        assert ": refused: " not in done.stderr, done.stderr
        with open(self.config, "w") as file:
            file.write(done.stdout)
        subprocess.run([binary(), "check", "-c", self.config], check=True, capture_output=True,
                       timeout=30 * TIMEOUT_SCALE)
        self.child = Child(name, [binary(), "run", "-c", self.config], f"{directory}/{name}.log")


@pytest.fixture
def take_over(cluster, directory, request):
    """HAProxy's file for this cluster, `text` in its place if there is one; Rolegate on the same ports."""
    made = []

    def take(name, text=None):
        haproxy = HAProxy(cluster, directory, ports.free_port(), ports.free_port(), ports.free_port(), name=name)
        if text:
            servers = "\n".join(f"    server {node.name} {node.host}:{node.pg_port} check" for node in cluster.nodes)
            with open(haproxy.config, "w") as file:
                file.write(text.format(host=haproxy.host, write_port=haproxy.write_port, read_port=haproxy.read_port,
                                       stats_port=haproxy.stats_port, servers=servers,
                                       rest_port=cluster.nodes[0].rest_port))
        # It is a file that HAProxy takes.
        subprocess.run(["haproxy", "-c", "-f", haproxy.config], check=True, capture_output=True,
                       timeout=30 * TIMEOUT_SCALE)
        made.append(Imported(haproxy, directory, f"{name}-imported"))
        made[-1].start()
        modes.wait_all_routable(made[-1], cluster)
        return made[-1]
    request.node.rolegates = made
    yield take
    for rolegate in made:
        rolegate.stop()


def leads_to_each_role(cluster, proxy):
    leader = cluster.leader()
    assert where(cluster, proxy, proxy.write_port) == (leader.name, False)
    replicas = {node.name for node in cluster.nodes if node is not leader}
    reached = {where(cluster, proxy, proxy.read_port) for _ in range(4)}
    assert reached <= {(name, True) for name in replicas}, reached


def test_the_template_in_haproxys_place(cluster, take_over):
    """Ports, page and roles are where they were; the listeners have the sections' names."""
    proxy = take_over("template")
    leads_to_each_role(cluster, proxy)
    assert sorted(proxy.status()["listeners"]) == ["read", "write"]
    assert proxy.get("/haproxy?stats;csv").status == 200


def test_frontends_backends_and_a_fallback(cluster, take_over):
    proxy = take_over("frontends", FRONTENDS)
    leads_to_each_role(cluster, proxy)
    assert list(proxy.status()["clusters"]) == ["main"]
