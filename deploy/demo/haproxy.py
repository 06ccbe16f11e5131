# SPDX-License-Identifier: PostgreSQL
"""HAProxy as the field runs it in front of Patroni: the yardstick."""

from .processes import Child, wait_until
from . import ports

# OPTIONS /master is answered 200 by the node that holds the lock, OPTIONS /replica by a healthy standby.
CONFIG = """\
global
    maxconn 2000
    log stderr format iso local0 notice
defaults
    mode tcp
    log global
    retries 2
    timeout connect 4s
    timeout client 30m
    timeout server 30m
    timeout check 5s
listen stats
    mode http
    bind {host}:{stats_port}
    stats enable
    stats uri /
listen write
    bind {host}:{write_port}
    option httpchk OPTIONS /master
    http-check expect status 200
    default-server {check}
{servers}
listen read
    bind {host}:{read_port}
    balance roundrobin
    option httpchk OPTIONS /replica
    http-check expect status 200
    default-server {check}
{servers}
{backup}"""
# Used while no replica is up: the write port of this HAProxy.
BACKUP = "    server primary {host}:{write_port} backup\n"

CHECK = "inter 2s fastinter 1s rise 2 fall 1 on-marked-down shutdown-sessions"


class HAProxy:
    def __init__(self, cluster, directory, write_port, read_port, stats_port, host="127.0.0.1", name="HAProxy",
                 check=CHECK, fallback=False):
        self.name = name
        self.host = host
        self.write_port = write_port
        self.read_port = read_port
        self.stats_port = stats_port
        self.config = f"{directory}/{name}.cfg"
        servers = "\n".join(
            f"    server {node.name} {node.host}:{node.pg_port} check port {node.rest_port}" for node in cluster.nodes)
        with open(self.config, "w") as file:
            file.write(CONFIG.format(host=host, write_port=write_port, read_port=read_port,
                                     stats_port=stats_port, servers=servers, check=check,
                                     backup=BACKUP.format(host=host, write_port=write_port) if fallback else ""))
        self.child = Child(name, ["haproxy", "-db", "-f", self.config], f"{directory}/{name}.log")

    def _listens(self):
        self.child.require_running()
        return ports.is_taken(self.host, self.write_port)

    def start(self):
        self.child.start()
        wait_until("HAProxy listens", self._listens, 10)

    def stop(self):
        self.child.stop(limit=2)
