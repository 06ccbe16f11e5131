# SPDX-License-Identifier: PostgreSQL
"""The demo: a Patroni cluster on loopback with Rolegate in front, and HAProxy beside it to compare."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time

import psycopg2

from . import outage, ports, processes
from .haproxy import HAProxy
from .patroni_cluster import Cluster, Settings
from .processes import wait_until
from .rolegate import Rolegate, binary

HOST = "127.0.0.1"


class Refused(Exception):
    """The demo cannot start; the message says what to do."""


def arguments():
    parser = argparse.ArgumentParser(prog="deploy/demo.sh", description=__doc__, epilog=(
        "Without options it installs and builds what is missing, shows writes, reads and a switchover, "
        "and ends everything it started."))
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C, and say what to try")
    parser.add_argument("--switchovers", type=int, default=1, metavar="N", help="how many to measure (default 1)")
    parser.add_argument("--no-haproxy", action="store_true", help="Rolegate alone")
    parser.add_argument("--write-port", type=int, default=5432, metavar="PORT", help="default %(default)s")
    parser.add_argument("--read-port", type=int, default=5433, metavar="PORT", help="default %(default)s")
    parser.add_argument("--admin-port", type=int, default=7000, metavar="PORT", help="default %(default)s")
    parser.add_argument("--haproxy-write-port", type=int, default=5442, metavar="PORT", help="default %(default)s")
    parser.add_argument("--haproxy-read-port", type=int, default=5443, metavar="PORT", help="default %(default)s")
    parser.add_argument("--haproxy-stats-port", type=int, default=7001, metavar="PORT", help="default %(default)s")
    parser.add_argument("--nodes-port", type=int, default=5434, metavar="PORT",
                        help="PostgreSQL of every node (default %(default)s)")
    parser.add_argument("--rest-port", type=int, default=8008, metavar="PORT",
                        help="Patroni of every node (default %(default)s)")
    parser.add_argument("--etcd-port", type=int, default=2379, metavar="PORT", help="default %(default)s")
    parser.add_argument("--etcd-peer-port", type=int, default=2380, metavar="PORT", help="default %(default)s")
    return parser.parse_args()


def require_free_ports(options, cluster):
    prefix = cluster.settings.prefix
    wanted = [(HOST, options.write_port, "--write-port"), (HOST, options.read_port, "--read-port"),
              (HOST, options.admin_port, "--admin-port"),
              (f"{prefix}.10", options.etcd_port, "--etcd-port"), (f"{prefix}.10", options.etcd_peer_port, "--etcd-peer-port")]
    for node in cluster.nodes:
        wanted += [(node.host, options.nodes_port, "--nodes-port"), (node.host, options.rest_port, "--rest-port")]
    if not options.no_haproxy:
        wanted += [(HOST, options.haproxy_write_port, "--haproxy-write-port"),
                   (HOST, options.haproxy_read_port, "--haproxy-read-port"),
                   (HOST, options.haproxy_stats_port, "--haproxy-stats-port")]
    taken = [(host, port, option) for host, port, option in wanted if ports.is_taken(host, port)]
    if taken:
        lines = [f"  {host}:{port} is taken by {ports.owner(port) or 'another process'}; give another with {option} PORT"
                 for host, port, option in taken]
        raise Refused("a port is occupied:\n" + "\n".join(lines))


@contextlib.contextmanager
def step(text):
    """A progress line with its seconds."""
    print(f"{text:<58}", end="", flush=True)
    begin = time.monotonic()
    try:
        yield
    except BaseException:
        print("  failed", flush=True)
        raise
    print(f"{time.monotonic() - begin:6.1f} s", flush=True)


def servers_behind(cluster, port, count):
    """Which node serves each of `count` new connections, by name."""
    names = {node.host: node.name for node in cluster.nodes}
    served = []
    for _ in range(count):
        connection = psycopg2.connect(cluster.dsn(HOST, port, connect_timeout=15))
        with connection.cursor() as cursor:
            cursor.execute("SELECT host(inet_server_addr()), pg_is_in_recovery()")
            address, standby = cursor.fetchone()
        connection.close()
        served.append(f"{names[address]} ({'replica' if standby else 'primary'})")
    return served


def show_routes(cluster, rolegate):
    print(f"\nfour connections to the write port {rolegate.write_port}: "
          + ", ".join(servers_behind(cluster, rolegate.write_port, 4)))
    print(f"four connections to the read port {rolegate.read_port}:  "
          + ", ".join(servers_behind(cluster, rolegate.read_port, 4)) + "\n")


def show_switchovers(cluster, proxies, count):
    measured = []
    for number in range(count):
        leader, candidate = cluster.leader(), cluster.candidate()
        name = f"switchover {number + 1}" if count > 1 else "switchover"
        with step(f"{name} from {leader.name} to {candidate.name} under writing clients"):
            measured.append(outage.measure_switchover(cluster, proxies).outages())
        with step(f"{leader.name} follows the new primary"):
            cluster.wait_healthy()
    columns = [outage.median(column) for column in zip(*measured)]
    if count > 1:
        print(f"\n{count} switchovers: medians of the times, sums of the counts", end="")
    print("\n" + outage.table(columns) + "\n")


def what_to_try(cluster, rolegate, proxies):
    config = cluster.nodes[0].config
    print(f"""\
Everything runs until Ctrl-C. Try, in another terminal:
  psql -h {HOST} -p {rolegate.write_port} -U postgres                    a session on the primary
  psql -h {HOST} -p {rolegate.read_port} -U postgres                    a session on a replica
  http://{rolegate.admin}/  in a browser: the status page
  {binary()} status  -a http://{rolegate.admin}
  {binary()} explain -a http://{rolegate.admin}
  curl -s http://{rolegate.admin}/api/v1/status
  curl -s http://{rolegate.admin}/metrics
  patronictl -c {config} list
  patronictl -c {config} switchover --force""")
    for proxy in proxies[1:]:
        print(f"  {proxy.name}: write port {proxy.write_port}, read port {proxy.read_port}, "
              f"statistics at http://{HOST}:{proxy.stats_port}/")
    print(f"Logs and configurations: {cluster.settings.directory}", flush=True)


def run(options, cluster, cleanup):
    directory = cluster.settings.directory
    require_free_ports(options, cluster)
    if not os.access(binary(), os.X_OK):
        raise Refused(f"{binary()} is missing; deploy/demo.sh builds it")
    cleanup.callback(cluster.stop)
    with step(f"etcd and {len(cluster.nodes)} Patroni nodes"):
        cluster.start()
    rolegate = Rolegate([node.rest for node in cluster.nodes], directory,
                        options.write_port, options.read_port, options.admin_port)
    proxies = [rolegate]
    cleanup.callback(rolegate.stop)
    with step("Rolegate"):
        rolegate.start()
    if not options.no_haproxy:
        haproxy = HAProxy(cluster, directory, options.haproxy_write_port, options.haproxy_read_port,
                          options.haproxy_stats_port)
        proxies.append(haproxy)
        cleanup.callback(haproxy.stop)
        with step("HAProxy"):
            haproxy.start()
            wait_until("HAProxy has checked its servers", lambda: can_write(cluster, haproxy), 20)
    show_routes(cluster, rolegate)
    show_switchovers(cluster, proxies, options.switchovers)
    if options.keep:
        what_to_try(cluster, rolegate, proxies)
        while True:
            for child in cluster.etcd.children + [proxy.child for proxy in proxies]:
                child.require_running()
            threading.Event().wait(1)


def can_write(cluster, proxy):
    """HAProxy believes in all servers until it has checked them."""
    with contextlib.suppress(psycopg2.Error):
        return all("primary" in name for name in servers_behind(cluster, proxy.write_port, 6))
    return False


ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt(*_):
    """Once: a second Ctrl-C must not stop the clean-up half way."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    options = arguments()
    for number in ENDING:
        signal.signal(number, interrupt)
    directory = tempfile.mkdtemp(prefix="rolegate-demo-")
    settings = Settings(directory=directory, pg_port=options.nodes_port, rest_port=options.rest_port,
                        etcd_port=options.etcd_port, etcd_peer_port=options.etcd_peer_port)
    code = 1
    cleanup = contextlib.ExitStack()
    try:
        with cleanup:
            run(options, Cluster(settings), cleanup)
        code = 0
    except KeyboardInterrupt:
        code = 0 if options.keep else 130
        print("\nended", flush=True)
    except Refused as error:
        print(f"demo.sh: {error}", file=sys.stderr)
        shutil.rmtree(directory, ignore_errors=True)
        return 1
    except (processes.Timeout, processes.ChildFailed, RuntimeError, OSError, psycopg2.Error) as error:
        print(f"demo.sh: {error}\ndemo.sh: logs and configurations are in {directory}", file=sys.stderr)
        return 1
    shutil.rmtree(directory, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
