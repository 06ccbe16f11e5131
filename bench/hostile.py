#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""What other clients notice of hostile ones: the time a session of theirs takes for a query, and a new one to come in.

Rounds without and with the hostile clients take turns. Since those take CPU of the same machine, a session straight to
PostgreSQL is timed beside the one through Rolegate: what both have more than in quiet rounds is the machine's share.

usage: bench/hostile.py [--rounds N] [--seconds SECONDS]

Needs what the cluster tests need (deploy/packages.sh test cluster) and build/rolegate, or ROLEGATE_BINARY.
"""

import argparse
import contextlib
import multiprocessing
import os
import socket
import statistics
import struct
import sys
import time
from functools import partial

sys.dont_write_bytecode = True

import psycopg2  # noqa: E402

import stage  # noqa: E402
import usage  # noqa: E402
from demo import ports  # noqa: E402
from demo.rolegate import Rolegate  # noqa: E402

HALF_OPEN, DRIPPING, READERS = 10000, 1000, 40
CANCEL = struct.pack("!IIII", 16, 80877102, 4711, 42)
LONG_PACKET = struct.pack("!II", 10000, 196608) + b"user\0" + b"x" * 9986


def connect(address, words=b"", source=""):
    sock = socket.create_connection(address, timeout=60, source_address=(source, 0) if source else None)
    sock.sendall(words)
    return sock


def half_open(address, dsn, ready):
    """10,000 clients from ten addresses, with nothing but the first half of an SSLRequest; 4,000 have a place."""
    crowd = [connect(address, b"\0\0\0\x08", f"127.0.3.{201 + number % 10}") for number in range(HALF_OPEN)]
    ready.set()
    while crowd:
        time.sleep(1)


def drip(address, dsn, ready):
    """1,000 clients that send a byte a second of a packet of 10,000."""
    crowd = [connect(address, LONG_PACKET[:8], "127.0.3.201") for _ in range(DRIPPING)]
    ready.set()
    for position in range(8, len(LONG_PACKET)):
        begin = time.monotonic()
        for number, sock in enumerate(crowd):
            sock.sendall(LONG_PACKET[position:position + 1])
            # Evenly over the second.
            time.sleep(max(0.0, begin + (number + 1) / DRIPPING - time.monotonic()))


def cancels(address, dsn, ready):
    """Cancel requests with unknown keys, 500 a second."""
    ready.set()
    while True:
        begin = time.monotonic()
        with contextlib.suppress(OSError), connect(address, CANCEL) as sock:
            sock.recv(1)
        time.sleep(max(0.0, begin + 0.002 - time.monotonic()))


def stopped_readers(address, dsn, ready):
    """40 clients that ask for a gigabyte each and do not read it."""
    crowd = []
    for _ in range(READERS):
        connection = psycopg2.connect(dsn)
        # The answer stays in the socket: libpq reads when it is told to.
        query = b"SELECT repeat('x', 1000) FROM generate_series(1, 1000000)\0"
        os.write(connection.fileno(), b"Q" + struct.pack("!I", len(query) + 4) + query)
        crowd.append(connection)
    time.sleep(3)  # until every buffer on the way is full
    ready.set()
    while crowd:
        time.sleep(1)


@contextlib.contextmanager
def hostile(kind, address, dsn):
    ready = multiprocessing.Event()
    process = multiprocessing.Process(target=kind, args=(address, dsn, ready), daemon=True)
    process.start()
    try:
        if not ready.wait(120):
            raise TimeoutError(f"{kind.__name__} is not ready")
        yield
    finally:
        process.kill()
        process.join()
        time.sleep(1)  # its sockets are closed, and their sessions ended


def timed(act):
    begin = time.perf_counter()
    act()
    return (time.perf_counter() - begin) * 1e6


def measure(dsns, seconds):
    """Per path: microseconds of queries on a standing session, and of new sessions."""
    found = {name: {"query": [], "session": []} for name in dsns}
    with contextlib.ExitStack() as stack:
        cursors = {}
        for name, dsn in dsns.items():
            connection = stack.enter_context(contextlib.closing(psycopg2.connect(dsn)))
            connection.autocommit = True
            cursors[name] = connection.cursor()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, dsn in dsns.items():
                ask = partial(cursors[name].execute, "SELECT 1")
                found[name]["query"] += [timed(ask) for _ in range(20)]
                found[name]["session"].append(timed(lambda: psycopg2.connect(dsn).close()))  # noqa: B023
    return found


def say(kind, rounds):
    """Medians over the rounds of each round's median and 99th percentile; with over without the hostile clients."""
    print(kind.__doc__)
    for name in rounds[0][0]:
        for what in ("query", "session"):
            cells = []
            for label, part in (("p50", 50), ("p99", 99)):
                quiet, loud = ([statistics.quantiles(r[half][name][what], n=100)[part - 1] for r in rounds]
                               for half in (0, 1))
                ratio = statistics.median(b / a for a, b in zip(quiet, loud))
                cells.append(f"{label} {statistics.median(quiet):6.0f} -> {statistics.median(loud):6.0f} us, "
                             f"x {ratio:.2f}")
            print(f"  {name:<9} {what:<8} " + "   ".join(cells))
    sys.stdout.flush()


def bench(on, options):
    on.say("the cluster starts")
    cluster = on.cluster()
    # So that the crowds last as long as a round.
    proxy = on.start(Rolegate([node.rest for node in cluster.nodes], on.directory, ports.free_port(), ports.free_port(),
                              ports.free_port(), write={"timeouts": {"handshake": "5m"}}))
    leader = cluster.leader()
    dsns = {"direct": cluster.dsn(leader.host, leader.pg_port),
            "rolegate": cluster.dsn(proxy.host, proxy.write_port)}
    for kind in (half_open, drip, cancels, stopped_readers):
        rounds, growth = [], 0
        for number in range(options.rounds):
            on.say(kind.__name__, f"{number + 1} of {options.rounds}")
            quiet, before = measure(dsns, options.seconds), usage.resident(proxy.child.pid)
            with hostile(kind, (proxy.host, proxy.write_port), dsns["rolegate"]):
                rounds.append((quiet, measure(dsns, options.seconds)))
                growth = max(growth, usage.resident(proxy.child.pid) - before)
        on.say("")
        say(kind, rounds)
        print(f"  memory of Rolegate: at most {growth / 1024:.0f} kB more than before", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="bench/hostile.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=3, metavar="SECONDS", help="of each half, default %(default)s")
    options = parser.parse_args()
    return stage.play(lambda on: bench(on, options))


if __name__ == "__main__":
    sys.exit(main())
