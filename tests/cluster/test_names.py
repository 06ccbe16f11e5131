# SPDX-License-Identifier: PostgreSQL
"""Members whose host names have several addresses, or a DNS server that says nothing about them."""

import contextlib
import os
import socket
import threading

import mounts
import pytest
from demo import ports
from demo.processes import wait_until
from service_proxies import ServiceRolegate

A, AAAA = 1, 28
NO_ERROR, NO_SUCH_NAME = 0, 3


class Dns:
    """Answers over UDP for the names it knows, and says nothing at all about those in `silent`."""

    def __init__(self, host):
        self.addresses = {}
        self.silent = lambda name: False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 53))
        self._unanswered = set()
        threading.Thread(target=self._serve, daemon=True).start()

    def unanswered(self):
        return set(self._unanswered)

    def stop(self):
        self._socket.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                query, peer = self._socket.recvfrom(4096)
                answer = self._answer(query)
                if answer:
                    self._socket.sendto(answer, peer)

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, kind = ".".join(labels), int.from_bytes(query[at + 1:at + 3], "big")
        if self.silent(name):
            self._unanswered.add(name)
            return None
        known = self.addresses.get(name)
        found = known or [] if kind == A else []
        code = NO_SUCH_NAME if known is None else NO_ERROR
        header = query[:2] + bytes([0x81, 0x80 | code, 0, 1, 0, len(found), 0, 0, 0, 0])
        records = [b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04" + socket.inet_aton(each) for each in found]
        return header + query[12:at + 5] + b"".join(records)


@pytest.fixture
def dns(directory, prefix):
    """Used by whoever runs under `dns.command`. Thirty seconds a try, two tries: a name that is not answered takes a
    minute."""
    mounts.require()
    server = Dns(f"{prefix}.53")
    files = {"/etc/resolv.conf": (f"{directory}/resolv.conf",
                                  f"nameserver {prefix}.53\noptions timeout:30 attempts:2\n"),
             "/etc/nsswitch.conf": (f"{directory}/nsswitch.conf", "hosts: files dns\n")}
    files = {place: file for place, file in files.items() if os.path.exists(place)}
    for path, text in files.values():
        with open(path, "w") as file:
            file.write(text)
    server.command = lambda argv: mounts.command({place: path for place, (path, _) in files.items()}, argv)
    yield server
    server.stop()


class Greeter:
    """A service that greets whoever comes with its address."""

    def __init__(self, host, port):
        self.host, self.port = host, port
        self._socket = None
        self.listen()

    def listen(self):
        self._socket = socket.create_server((self.host, self.port))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def refuse(self):
        if self._socket:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._thread.join(10)
            self._socket.close()
            self._socket = None

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                with contextlib.suppress(OSError), client:
                    client.sendall(self.host.encode())


def greeting(proxy):
    with socket.create_connection((proxy.host, proxy.port), 20) as client:
        return client.makefile("r").read()


@pytest.fixture
def greeters(prefix):
    """Two services on one port of two addresses."""
    port = ports.free_port()
    both = [Greeter(f"{prefix}.{number}", port) for number in (71, 72)]
    yield both
    for each in both:
        each.refuse()


def verdict(proxy, member):
    members = proxy.explain()["listeners"]["service"]["members"]
    return next(each for each in members if each["name"] == member)


def test_a_dns_server_that_is_silent_about_some_names(directory, dns, greeters, request):
    """A dozen members whose names nobody answers beside one whose name has an address.

    That one is up at once, its address is looked up anew and kept when the server says nothing about it either; and
    the process ends while a dozen look-ups hang.
    """
    first, second = greeters
    good = f"good.names.test:{first.port}"
    dead = [f"dead{number}.names.test" for number in range(12)]
    dns.silent = lambda name: name.startswith("dead")
    dns.addresses["good.names.test"] = [first.host]
    proxy = ServiceRolegate([*(f"{name}:{first.port}" for name in dead), good], directory, "silent-dns",
                            {"inter": "200ms", "timeout": "1s", "rise": 1, "fall": 2})
    proxy.child.argv = dns.command(proxy.child.argv)
    request.node.rolegates = [proxy]
    proxy.start()
    try:
        wait_until("the name that has an address is up", lambda: proxy.check_status(good) == "UP", 20)
        assert greeting(proxy) == first.host
        wait_until("every other one is asked for", lambda: dns.unanswered() >= set(dead), 20)
        wait_until("and down", lambda: all(proxy.check_status(f"{name}:{first.port}") == "DOWN" for name in dead), 20)
        assert "has no address" in verdict(proxy, f"{dead[0]}:{first.port}")["reason"]

        dns.addresses["good.names.test"] = [second.host]
        first.refuse()
        wait_until("it is up at its new address", lambda: proxy.check_status(good) == "UP"
                   and verdict(proxy, good)["evidence"]["address"] == second.host, 30)
        assert verdict(proxy, good)["reason"] == f"the last check passed, at {second.host}"
        assert greeting(proxy) == second.host

        dns.silent = lambda name: True
        second.refuse()
        wait_until("the last good answer is doubted", lambda: "good.names.test" in dns.unanswered(), 30)
        wait_until("it is down", lambda: proxy.check_status(good) == "DOWN", 20)
        second.listen()
        wait_until("it is up where it was", lambda: proxy.check_status(good) == "UP", 20)
        assert greeting(proxy) == second.host

        proxy.child.ask_to_stop()
        assert proxy.child.wait(10) == 0  # a look-up would go on for most of a minute
    finally:
        proxy.stop()


@contextlib.contextmanager
def silent_ipv6(port):
    """[::1]:port neither answers nor refuses; without IPv6 it is not reached, which is as bad."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET6)) for _ in range(3)]
        with contextlib.suppress(OSError):
            sockets[0].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sockets[0].bind(("::1", port))
            sockets[0].listen(0)
            for filler in sockets[1:]:
                filler.setblocking(False)
                filler.connect_ex(("::1", port))
        yield


def hosts_with(directory, name, addresses):
    path = f"{directory}/hosts-{name}"
    with open(path, "w") as file:
        file.write("".join(f"{address} {host}\n" for address, host in
                           [("127.0.0.1", "localhost"), *((address, f"{name}.test") for address in addresses)]))
    return path


def test_a_session_goes_to_the_next_address_before_any_check(directory, greeters, request):
    """A name with two addresses, both alive when it was checked last: one of them refuses, no client notices."""
    mounts.require()
    first, second = greeters
    name = f"two.test:{first.port}"
    proxy = ServiceRolegate([name], directory, "two-addresses", {"inter": "1h", "fastinter": "1h"})
    proxy.child.argv = mounts.command(
        {"/etc/hosts": hosts_with(directory, "two", [first.host, second.host])}, proxy.child.argv)
    request.node.rolegates = [proxy]
    proxy.start()
    try:
        wait_until("it is up", lambda: proxy.check_status(name) == "UP", 20)
        answered = verdict(proxy, name)["evidence"]["address"]
        assert greeting(proxy) == answered
        next(each for each in greeters if each.host == answered).refuse()

        assert {greeting(proxy) for _ in range(5)} == {first.host, second.host} - {answered}
        assert proxy.failed_checks(name) == 0
    finally:
        proxy.stop()


def test_ipv6_comes_first_and_is_dead(directory, greeters, request):
    """Packets to the IPv6 address get lost: checks and sessions reach the IPv4 address within their limits."""
    mounts.require()
    alive = greeters[0]
    name = f"dual.test:{alive.port}"
    proxy = ServiceRolegate([name], directory, "dual-stack", {"inter": "200ms", "timeout": "2s"})
    proxy.child.argv = mounts.command(
        {"/etc/hosts": hosts_with(directory, "dual", ["::1", alive.host])}, proxy.child.argv)
    request.node.rolegates = [proxy]
    with silent_ipv6(alive.port):
        proxy.start()
        try:
            wait_until("it is up", lambda: proxy.check_status(name) == "UP", 20)
            assert verdict(proxy, name)["evidence"]["address"] == alive.host
            assert {greeting(proxy) for _ in range(5)} == {alive.host}
            assert proxy.failed_checks(name) == 0
        finally:
            proxy.stop()
