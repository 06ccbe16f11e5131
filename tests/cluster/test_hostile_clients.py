# SPDX-License-Identifier: PostgreSQL
"""Clients that mean harm, or cannot do better: Rolegate's memory stays bounded, and others are served meanwhile."""

import contextlib
import random
import resource
import select
import socket
import struct

import pytest

import modes
import raw
from bystander import Bystander
from demo import processes
from demo.processes import wait_until
from modes import in_each_mode
from raw import RawClient, simple, startup

# A client that has not shown a whole first packet costs a session, a timer, a socket, and at most 10,004 bytes of it.
HALF_OPEN_COST = 16 << 10
# One that does not read has a full buffer of 64 kB waiting for it, and may have one the other way; where Rolegate ends
# TLS there are two streams with buffers of their own.
STALLED_COST = 256 << 10

SILENT, DRIPPING, HALF_SSL_REQUEST, LONG_UNFINISHED = 1500, 500, 500, 500
# What Rolegate takes of one address at once, by default.
PER_ADDRESS, SURPLUS = 1000, 100
# Far more than the sockets on the way hold.
READERS, ROWS = 40, 50000
CANCELS = 500


@pytest.fixture(autouse=True)
def many_sockets():
    """Rolegate inherits the limit."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def drained(sockets):
    """Those that the other side has not ended; what it says is read and dropped."""
    poll = select.poll()
    by_fd = {sock.fileno(): sock for sock in sockets}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    open_ones = set(by_fd)
    for fd, _ in poll.poll(0):
        try:
            if by_fd[fd].recv(65536, socket.MSG_DONTWAIT):
                continue
        except BlockingIOError:
            continue
        except OSError:
            pass
        open_ones.discard(fd)
    for fd in set(by_fd) - open_ones:
        by_fd[fd].close()
    return [by_fd[fd] for fd in open_ones]


@in_each_mode
def test_thousands_of_half_open_handshakes(cluster, make_rolegate, mode):
    """3,000 clients from four addresses that never finish their first packet: silent ones, a byte a second, half an
    SSLRequest, 9,999 of 10,000 bytes. Others are served meanwhile, memory is bounded by 16 kB for each, and the
    handshake time-out ends them all."""
    proxy = modes.start(mode, cluster, make_rolegate, timeouts={"handshake": f"{3 * processes.TIMEOUT_SCALE:g}s"})
    long_packet = struct.pack("!II", 10000, raw.VERSION_3_0) + b"user\0" + b"x" * 9986
    sources = [f"{cluster.settings.prefix}.{number}" for number in range(201, 205)]
    opening = [(SILENT, b""), (DRIPPING, long_packet[:1]), (HALF_SSL_REQUEST, raw.SSL_REQUEST[:4]),
               (LONG_UNFINISHED, long_packet)]
    crowd = []
    with Bystander(mode, cluster, proxy) as bystander:
        try:
            for count, words in opening:
                for _ in range(count):
                    crowd.append(raw.connect(proxy.host, proxy.write_port, source=sources[len(crowd) % len(sources)]))
                    crowd[-1].sendall(words)
            dripping, position = crowd[SILENT:SILENT + DRIPPING], 0
            bystander.wait_served(5)

            def all_ended():
                nonlocal crowd, position
                position += 1
                for sock in dripping:
                    with contextlib.suppress(OSError):
                        sock.send(long_packet[position:position + 1])
                crowd = drained(crowd)
                return not crowd
            wait_until("the time-out ends all of them", all_ended, 60, every=1)
            bystander.wait_served(5)
        finally:
            for sock in crowd:
                sock.close()
    bystander.require_bounded(sum(count for count, _ in opening), HALF_OPEN_COST)


def test_one_address_gets_no_more_than_its_share(cluster, rolegate):
    """Of the clients of one address that never finish their first packet, those beyond its share are ended at once and
    counted; others are served meanwhile, and so is that address when some of them have gone."""
    greedy = f"{cluster.settings.prefix}.201"
    with Bystander("clear", cluster, rolegate) as bystander, contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(raw.connect(rolegate.host, rolegate.write_port, source=greedy))
                 for _ in range(PER_ADDRESS + SURPLUS)]

        def surplus_ended():
            nonlocal crowd
            crowd = drained(crowd)
            return len(crowd) <= PER_ADDRESS
        wait_until("the surplus is ended", surplus_ended, 10)
        bystander.wait_served(5)
        assert len(crowd) == PER_ADDRESS
        assert rolegate.metric("rolegate_handshake_rejects_total", listener="write",
                               reason="too_many_handshakes") == SURPLUS
        crowd.pop().close()
        wait_until("it may come again", lambda: served(rolegate, greedy), 10)


def served(proxy, source):
    try:
        RawClient(proxy.host, proxy.write_port, source=source).socket.close()
    except (OSError, EOFError):
        return False
    return True


def first_packets():
    """Every class of first packets that PostgreSQL does not take, and some it does, by name."""
    def packet(length, code, rest=b""):
        return struct.pack("!II", length & 0xFFFFFFFF, code) + rest
    whole = b"user\0postgres\0database\0postgres\0\0"
    return {
        "length 0": packet(0, raw.VERSION_3_0, whole),
        "length 3": packet(3, raw.VERSION_3_0, whole),
        "length 4": packet(4, raw.VERSION_3_0, whole),
        "length 7": packet(7, raw.VERSION_3_0, whole),
        "length 8, nothing in it": packet(8, raw.VERSION_3_0),
        "length 10,005": packet(10005, raw.VERSION_3_0, b"user\0" + b"x" * 9992),
        "length 65,536": packet(65536, raw.VERSION_3_0, whole),
        "length 2 GB": packet(2**31 - 1, raw.VERSION_3_0, whole),
        "length negative": packet(-1, raw.VERSION_3_0, whole),
        "version 0": packet(8 + len(whole), 0, whole),
        "version 1": packet(8 + len(whole), 1 << 16, whole),
        "version 2": packet(8 + 288, 2 << 16, b"\0" * 288),
        "version 4": packet(8 + len(whole), 4 << 16, whole),
        "an unknown code": packet(8, 80877110),
        "SSLRequest too long": packet(12, 80877103, b"abcd"),
        "GSSENCRequest too long": packet(12, 80877104, b"abcd"),
        "CancelRequest too short": packet(12, 80877102, b"abcd"),
        "CancelRequest too long": packet(44, 80877102, b"a" * 36),
        "no terminator": packet(8 + len(whole) - 1, raw.VERSION_3_0, whole[:-1]),
        "a name without a value": packet(13, raw.VERSION_3_0, b"user\0"),
        "no user": packet(9, raw.VERSION_3_0, b"\0"),
        "bytes behind the terminator": packet(8 + len(whole) + 4, raw.VERSION_3_0, whole + b"more"),
        "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "TLS without SSLRequest": bytes.fromhex("16030100c8010000c40303") + b"\x11" * 194,
        "startup behind SSLRequest": raw.SSL_REQUEST + startup(user="postgres", database="postgres"),
        "a query behind SSLRequest": raw.SSL_REQUEST + simple("SELECT 1"),
    }


def answer(host, port, packet):
    """What comes of a first packet: `ended`, preceded by the SQLSTATE of an error; or `S`, or `waits`."""
    with socket.create_connection((host, port), timeout=60) as sock:
        sock.sendall(packet)
        # PostgreSQL waits for the rest of a packet that is shorter than it says; so the client has no more to say.
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        sock.settimeout(30 * processes.TIMEOUT_SCALE)
        said = b""
        try:
            while more := sock.recv(65536):
                said += more
        except ConnectionResetError:
            pass
    words = []
    if said[:1] in (b"S", b"N", b"G"):
        words.append(said[:1].decode())
    if b"R\0\0\0" in said:
        words.append("authentication")
    if b"FATAL\0" in said:
        words.append(said[said.index(b"\0C") + 2:][:5].decode())
    return " ".join([*words, "ended"])


@in_each_mode
def test_illegal_first_packets(cluster, make_rolegate, mode):
    """Whatever comes as a first packet is answered as PostgreSQL answers it, or the connection is ended without a word.
    Nobody gets a session by bytes that stand behind an SSLRequest."""
    proxy = modes.start(mode, cluster, make_rolegate)
    leader = cluster.leader()
    with Bystander(mode, cluster, proxy) as bystander:
        offences = []
        for name, packet in first_packets().items():
            direct = answer(leader.host, leader.pg_port, packet)
            through = answer(proxy.host, proxy.write_port, packet)
            print(f"{name:<30} direct: {direct:<24} through: {through}")
            if through not in (direct, "ended") and not ("SSLRequest" in name and through == "S ended"):
                offences.append((name, direct, through))
        bystander.wait_served(5)
    assert not offences
    bystander.require_bounded(len(first_packets()), 0)


@in_each_mode
def test_flood_of_cancels(cluster, make_rolegate, mode):
    """500 cancels with made-up keys on both ports, fifty at once: others are served, nobody's query ends, and memory is
    bounded as for clients half way through their handshake."""
    proxy = modes.start(mode, cluster, make_rolegate)
    chance = random.Random(1)
    with Bystander(mode, cluster, proxy) as bystander, \
            RawClient(proxy.host, proxy.read_port, modes.tls_context(mode, cluster)) as session:
        session.send(simple("SELECT pg_sleep(3600)"))
        for _ in range(CANCELS // 50):
            flood = []
            for number in range(50):
                port = proxy.write_port if number % 2 else proxy.read_port
                flood.append(socket.create_connection((proxy.host, port), timeout=60))
                flood[-1].sendall(raw.cancel_request(chance.randrange(1, 1 << 22), chance.randrange(1 << 32)))
            left = flood

            def all_ended():
                nonlocal left
                left = drained(left)
                return not left
            wait_until("all of them are answered by an end", all_ended, 60, every=0.01)
        bystander.wait_served(5)
        raw.cancel(proxy.host, proxy.read_port, session.pid, session.key)
        assert b"C57014\0" in dict(session.until_ready())[b"E"]
    bystander.require_bounded(CANCELS, HALF_OPEN_COST)


@in_each_mode
def test_readers_that_stop(cluster, make_rolegate, mode):
    """40 clients ask for 50 MB each and read no more after the first bytes. Rolegate holds a few buffers for each of
    them, not what the servers have to say; others are served; and who reads on gets everything."""
    proxy = modes.start(mode, cluster, make_rolegate)
    context = modes.tls_context(mode, cluster)
    with Bystander(mode, cluster, proxy) as bystander, contextlib.ExitStack() as stack:
        readers = [stack.enter_context(RawClient(proxy.host, proxy.write_port, context)) for _ in range(READERS)]
        for reader in readers:
            reader.send(simple(f"SELECT repeat('x', 1000) FROM generate_series(1, {ROWS})"))
            reader.until(b"T")
        leader = cluster.leader()
        # Until each server has filled every buffer on the way and waits.
        wait_until("all servers wait for their client", lambda: cluster.query(
            leader, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientWrite'") == [(READERS,)], 60)
        bystander.wait_served(10)

        length = 0
        while (message := readers[0].message())[0] != b"Z":
            length += len(message[1])
        assert length > ROWS * 1000
    bystander.require_bounded(READERS, STALLED_COST)
