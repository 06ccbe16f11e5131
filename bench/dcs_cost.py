#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""What many proxies cost one etcd: its CPU and memory with and without their watches and re-reads.

Each simulated proxy does what Rolegate does with `dcs: etcd3`: it holds a watch on the cluster's prefix over the JSON
gateway, and on a second, kept-alive connection re-reads the leader key (linearizable) and the time its lease has left.
Beside them one Patroni leader keeps its lease alive and writes `status`, as in a cluster that works.

usage: bench/dcs_cost.py [--proxies N] [--interval SECONDS] [--seconds SECONDS]
"""

import argparse
import asyncio
import base64
import json
import os
import statistics
import sys
import time

sys.dont_write_bytecode = True

import stage  # noqa: E402
import usage  # noqa: E402
from demo.etcd import Etcd  # noqa: E402

PREFIX = "/service/bench/"
TTL, LOOP_WAIT = 30, 10
MEMBER = {"conn_url": "postgres://10.0.0.{0}:5432/postgres", "api_url": "http://10.0.0.{0}:8008/patroni",
          "state": "running", "role": "replica", "version": "4.1.4", "xlog_location": 67395656, "replay_lsn": 67395656,
          "receive_lsn": 67395656, "replication_state": "streaming", "timeline": 5}


def b64(text):
    return base64.b64encode(text.encode()).decode()


class Connection:
    """HTTP/1.1 to etcd's JSON gateway, kept alive."""

    def __init__(self, host, port):
        self.host, self.port = host, port
        self.reader = self.writer = None

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        return self

    def close(self):
        if self.writer:
            self.writer.close()

    async def send(self, path, body):
        payload = json.dumps(body).encode()
        self.writer.write(f"POST {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json\r\n"
                          f"Content-Length: {len(payload)}\r\n\r\n".encode() + payload)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        if " 200 " not in head.split("\r\n")[0]:
            raise ConnectionError(head)
        length = [line.split(":")[1] for line in head.split("\r\n") if line.startswith("content-length:")]
        return int(length[0]) if length else None

    async def post(self, path, body):
        length = await self.send(path, body)
        if length is not None:
            return json.loads(await self.reader.readexactly(length))
        whole = b""
        while chunk := await self.chunk():
            whole += chunk
        return json.loads(whole)

    async def chunk(self):
        size = int(await self.reader.readline(), 16)
        data = await self.reader.readexactly(size)
        await self.reader.readexactly(2)
        return data


async def put(connection, key, value, lease=None):
    body = {"key": b64(PREFIX + key), "value": b64(value)} | ({"lease": lease} if lease else {})
    await connection.post("/v3/kv/put", body)


class Leader:
    """Patroni's part: one lease with the leader and member keys, kept alive; `status` as the WAL moves."""

    def __init__(self, address):
        self.address = address
        self.written = {}   # value of status -> when
        self.lease = None

    async def prepare(self):
        self.connection = await Connection(*self.address).open()
        self.lease = (await self.connection.post("/v3/lease/grant", {"TTL": str(TTL)}))["ID"]
        await put(self.connection, "leader", "pg-1", self.lease)
        for number in (1, 2, 3):
            text = json.dumps({key: value.format(number) if isinstance(value, str) else value
                               for key, value in MEMBER.items()}, separators=(",", ":"))
            await put(self.connection, f"members/pg-{number}", text, self.lease)
        history = [[1, 25623960, "no recovery target specified", "2026-01-01T00:00:00+00:00", "pg-1"]]
        for key, value in (("config", json.dumps({"ttl": TTL, "loop_wait": LOOP_WAIT})),
                           ("initialize", "7290000000000000000"), ("history", json.dumps(history))):
            await put(self.connection, key, value)

    async def run(self):
        for number in range(1, 1 << 30):
            await self.connection.post("/v3/lease/keepalive", {"ID": self.lease})
            value = json.dumps({"optime": 67395656 + number, "slots": {"pg_2": 67395656, "pg_3": 67395656}})
            self.written[value] = time.monotonic()
            await put(self.connection, "status", value)
            await asyncio.sleep(LOOP_WAIT)


class Proxy:
    def __init__(self, address, leader, interval):
        self.address, self.leader, self.interval = address, leader, interval
        self.delays = []
        self.reads = 0

    async def watch(self):
        connection = await Connection(*self.address).open()
        snapshot = await connection.post("/v3/kv/range", {"key": b64(PREFIX), "range_end": b64(PREFIX[:-1] + "0")})
        await connection.send("/v3/watch", {"create_request": {
            "key": b64(PREFIX), "range_end": b64(PREFIX[:-1] + "0"), "progress_notify": True,
            "start_revision": str(int(snapshot["header"]["revision"]) + 1)}})
        while line := await connection.chunk():
            for event in json.loads(line)["result"].get("events", []):
                written = self.leader.written.get(base64.b64decode(event["kv"].get("value", "")).decode())
                if written:
                    self.delays.append(time.monotonic() - written)

    async def reread(self, number, count):
        connection = await Connection(*self.address).open()
        await asyncio.sleep(self.interval * number / count)
        while True:
            found = await connection.post("/v3/kv/range", {"key": b64(PREFIX + "leader")})
            await connection.post("/v3/lease/timetolive", {"ID": found["kvs"][0]["lease"]})
            self.reads += 1
            await asyncio.sleep(self.interval)


async def measure(pid, seconds):
    """CPU in per cent of one core, and memory at the end."""
    begin, used = time.monotonic(), usage.cpu(pid)
    await asyncio.sleep(seconds)
    return 100 * (usage.cpu(pid) - used) / (time.monotonic() - begin), usage.resident(pid) / (1 << 20)


def guarded(task):
    """A task that fails ends the measurement, which would be of something else."""
    def ended(done):
        if not done.cancelled() and done.exception():
            print(f"dcs_cost.py: {done.exception()!r}", file=sys.stderr)
            os._exit(1)
    task.add_done_callback(ended)
    return task


async def bench(options, etcd):
    member, = etcd.members
    address, pid = (member.host, member.client_port), member.child.pid
    leader = Leader(address)
    await leader.prepare()
    tasks = [guarded(asyncio.create_task(leader.run()))]
    rows = [("a Patroni cluster alone", *await measure(pid, options.seconds))]
    proxies = [Proxy(address, leader, options.interval) for _ in range(options.proxies)]
    for number, proxy in enumerate(proxies):
        tasks += [guarded(asyncio.create_task(proxy.watch())),
                  guarded(asyncio.create_task(proxy.reread(number, len(proxies))))]
    await asyncio.sleep(3)      # connecting is not what is measured
    before = sum(proxy.reads for proxy in proxies)
    rows.append((f"and {options.proxies} proxies", *await measure(pid, options.seconds)))
    reads = (sum(proxy.reads for proxy in proxies) - before) / options.seconds
    for task in tasks:
        task.cancel()
    print(f"{'etcd serves':<28}{'CPU, % of a core':>18}{'memory, MB':>14}")
    for label, cpu, memory in rows:
        print(f"{label:<28}{cpu:>18.1f}{memory:>14.0f}")
    delays = [delay for proxy in proxies for delay in proxy.delays]
    extra_cpu, extra_memory = rows[1][1] - rows[0][1], rows[1][2] - rows[0][2]
    print(f"one proxy costs {extra_cpu / options.proxies:.3f} % of a core and "
          f"{1024 * extra_memory / options.proxies:.0f} kB; all re-read {reads:.0f} times a second (2 requests each)")
    print(f"a change reached {len(delays)} watchers: median {1000 * statistics.median(delays):.1f} ms, "
          f"maximum {1000 * max(delays):.1f} ms (this program is one process: most of it is its own)")


def play(on, options):
    etcd = on.start(Etcd(stage.free_prefix(), on.directory))
    asyncio.run(bench(options, etcd))


def main():
    parser = argparse.ArgumentParser(prog="bench/dcs_cost.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--proxies", type=int, default=200, metavar="N", help="default %(default)s")
    parser.add_argument("--interval", type=float, default=1.5, metavar="SECONDS",
                        help="between re-reads, default %(default)s")
    parser.add_argument("--seconds", type=float, default=25, metavar="SECONDS",
                        help="of each measurement, default %(default)s")
    options = parser.parse_args()
    return stage.play(lambda on: play(on, options))


if __name__ == "__main__":
    sys.exit(main())
