#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""How long writes are away, through a Rolegate with a watch on etcd and through one with REST alone, side by side.

Switchovers: the first write through the proxy after the new primary first takes one asked directly (median, minimum,
maximum), the write outage, failed attempts. Then `kill -9` of Patroni on the leader: write outage, and writes that
the old primary acknowledged after the new one had taken one, also to a client that writes without pause on one session.

usage: bench/failover_dcs.py [--switchovers N] [--kills N] [--sql] [--only dcs|rest]
Needs what the cluster tests need (deploy/packages.sh test cluster) and build/rolegate, or ROLEGATE_BINARY.
"""

import argparse
import os
import shutil
import signal
import statistics
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../deploy"))

from demo import ports  # noqa: E402
from demo.outage import Measurement, measure_switchover  # noqa: E402
from demo.patroni_cluster import Cluster, Settings  # noqa: E402
from demo.processes import wait_until  # noqa: E402
from demo.rolegate import Rolegate  # noqa: E402
from demo.writer import CREATE, SteadyWriter  # noqa: E402

# As the cluster tests: a dead leader is replaced after 20 s.
TTL, LOOP_WAIT, RETRY_TIMEOUT = 20, 2, 4


def start_proxies(cluster, options, cleanup):
    kinds = {"dcs": {"dcs": cluster.dcs()}, "rest": {}}
    proxies = []
    for kind, part in kinds.items():
        if options.only not in (None, kind):
            continue
        if options.sql:
            part["sql"] = {"user": "postgres", "password": cluster.settings.password}
        proxy = Rolegate([node.rest for node in cluster.nodes], cluster.settings.directory,
                         ports.free_port(), ports.free_port(), ports.free_port(), name=kind, cluster=part)
        proxy.name = kind
        cleanup.append(proxy.stop)
        proxy.start()
        if kind == "dcs":
            wait_until("the lock is known from etcd", lambda: proxy.lock().get("source") == "etcd3", 20)  # noqa: B023
        proxies.append(proxy)
    return proxies


def say(rounds, label, figure, unit="ms"):
    """Median, minimum and maximum of a figure, for each proxy."""
    print(f"{label}, {unit}")
    for outages in zip(*rounds):
        values = [figure(outage) for outage in outages]
        print(f"  {outages[0].proxy:<6} median {statistics.median(values):8.0f}   min {min(values):8.0f}   max {max(values):8.0f}   "
              f"({' '.join(f'{value:.0f}' for value in values)})")


def say_sums(rounds):
    for outages in zip(*rounds):
        print(f"  {outages[0].proxy:<6} failed attempts {sum(o.failed for o in outages)}, "
              f"sessions on a standby {sum(o.on_standby for o in outages)}, stale writes {sum(o.stale for o in outages)}, "
              f"interrupted in flight {sum(o.interrupted for o in outages)}, attempts {sum(o.total for o in outages)}")


def switchovers(cluster, proxies, count):
    rounds = []
    for number in range(count):
        cluster.wait_healthy()
        rounds.append(measure_switchover(cluster, proxies).outages())
        print(f"\rswitchover {number + 1} of {count}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(f"{count} switchovers")
    say(rounds, "first write after the new primary's own", lambda outage: outage.first_write_delay)
    say(rounds, "write outage", lambda outage: outage.longest_gap)
    say_sums(rounds)


def kills(cluster, proxies, count):
    """`kill -9` of Patroni on the leader; its PostgreSQL lives on."""
    rounds, late = [], dict.fromkeys((proxy.name for proxy in proxies), 0)
    for number in range(count):
        cluster.heal()
        old = cluster.leader()
        with Measurement(cluster, proxies) as measurement:
            steady = [SteadyWriter(f"steady-{proxy.name}-{number}", cluster.dsn(
                proxy.host, proxy.write_port, connect_timeout=30)).start() for proxy in proxies]
            for writer in steady:
                wait_until("the steady client writes", writer.acknowledged, 10)
            old.kill_patroni()
            measurement.wait_over(90)
            for writer in steady:
                writer.stop()
        new, opened_at = measurement.prober.opened()
        rounds.append(measurement.outages())
        for proxy, writer in zip(proxies, steady):
            late[proxy.name] += sum(attempt.server != new and attempt.acknowledged > opened_at
                                    for attempt in writer.acknowledged())
        print(f"\rkill {number + 1} of {count}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(f"{count} times kill -9 of Patroni on the leader")
    say(rounds, "write outage", lambda outage: outage.longest_gap)
    say(rounds, "first write after the new primary's own", lambda outage: outage.first_write_delay)
    say_sums(rounds)
    print("  stale writes on a session of long standing: " + ", ".join(f"{name} {count}" for name, count in late.items()))


def main():
    parser = argparse.ArgumentParser(prog="bench/failover_dcs.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--switchovers", type=int, default=20, metavar="N", help="default %(default)s")
    parser.add_argument("--kills", type=int, default=10, metavar="N", help="default %(default)s")
    parser.add_argument("--sql", action="store_true", help="let the proxies ask PostgreSQL as well")
    parser.add_argument("--only", choices=("dcs", "rest"), help="one proxy instead of both")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    directory = tempfile.mkdtemp(prefix="rolegate-bench-")
    os.chmod(directory, 0o755)
    cluster = Cluster(Settings(directory=directory, prefix="127.0.3", scope="bench", ttl=TTL, loop_wait=LOOP_WAIT,
                               retry_timeout=RETRY_TIMEOUT, etcds=3))
    cleanup = [cluster.stop]
    try:
        cluster.start()
        cluster.query(cluster.leader(), CREATE)
        proxies = start_proxies(cluster, options, cleanup)
        if options.switchovers:
            switchovers(cluster, proxies, options.switchovers)
        if options.kills:
            kills(cluster, proxies, options.kills)
        shutil.rmtree(directory, ignore_errors=True)
    except KeyboardInterrupt:
        return 130
    finally:
        for step in reversed(cleanup):
            step()
        if os.path.isdir(directory):
            print(f"logs are in {directory}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
