# SPDX-License-Identifier: PostgreSQL
"""Many, slow and hostile clients of the admin HTTP: whoever asks properly is answered, and sessions go on meanwhile."""

import base64
import contextlib
import http.client
import random
import re
import socket
import threading

from bystander import Bystander
from clients import PATIENT
from demo import processes
from demo.processes import wait_until
from footprint import descriptors

# A thousand a second for some seconds where the machine has the time. Each connection waits for its answer.
CONNECTIONS, REQUESTS = 32, 125
PATHS = ("/livez", "/readyz", "/metrics", "/api/v1/status", "/api/v1/sessions", "/api/v1/explain", "/api/v1/events",
         "/api/v1/sessions?limit=10", "/haproxy.csv", "/")
# What Rolegate takes at once. The proper and the hostile together stay below, so that nobody makes room for others,
# though of the hostile as many again may have ended without Rolegate knowing it yet.
MOST_CONNECTIONS = 64
HOSTILE_EACH = 2
# A page, the request and what they are made of; more would be a leak.
CONNECTION_COST = 256 << 10
# Connections to members and of the bystander come and go.
SPARE_DESCRIPTORS = 24
SILENT = 200
GUESSES = 60


def connect(proxy, source=None, receive_buffer=None):
    host, _, port = proxy.admin.rpartition(":")
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if source:
        sock.bind((source, 0))
    sock.settimeout(30 * processes.TIMEOUT_SCALE)
    sock.connect((host, int(port)))
    return sock


def read_to_end(sock):
    """What it says before it closes, by whatever means."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while more := sock.recv(65536):
            said += more
    return said


class Load:
    """Keep-alive connections that ask for one page after the other; the first refusal or cut answer is an error."""

    def __init__(self, proxy):
        self._proxy = proxy
        self.answered = 0
        self.errors = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(CONNECTIONS)]
        for thread in self._threads:
            thread.start()

    def _run(self, number):
        host, _, port = self._proxy.admin.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60 * processes.TIMEOUT_SCALE)
        try:
            connection.connect()
            connection.auto_open = 0    # it stays this connection
            for turn in range(REQUESTS):
                path = PATHS[(number + turn) % len(PATHS)]
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200 or not body:
                    raise http.client.HTTPException(f"{path}: {answer.status}")
                with self._lock:
                    self.answered += 1
        except (OSError, http.client.HTTPException) as error:
            self.errors.append(f"{number}: {error!r}")
        finally:
            connection.close()

    def is_over(self):
        return not any(thread.is_alive() for thread in self._threads)


# Each does its worst with a few connections at once, and returns what it was answered.

def endless_header(proxy, stop):
    """Line after line, until it is refused."""
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connect(proxy)) for _ in range(HOSTILE_EACH)]
        for sock in crowd:
            sock.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(100):
            for sock in crowd:
                with contextlib.suppress(OSError):
                    sock.sendall(b"X-More: " + b"x" * 90 + b"\r\n")
            if stop.wait(0.01):
                return set()
        return {read_to_end(sock)[:12] for sock in crowd}


def words(*texts):
    """Sends one of these and says no more."""
    def attack(proxy, stop):
        with contextlib.ExitStack() as stack:
            crowd = [stack.enter_context(connect(proxy)) for _ in range(HOSTILE_EACH)]
            for number, sock in enumerate(crowd):
                with contextlib.suppress(OSError):
                    sock.sendall(texts[number % len(texts)])
                    sock.shutdown(socket.SHUT_WR)
            return {read_to_end(sock)[:12] for sock in crowd}
    return attack


def slow_reader(proxy, stop):
    """Asks for far more than it will ever read, and reads a byte now and then."""
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connect(proxy, receive_buffer=4096)) for _ in range(HOSTILE_EACH)]
        for sock in crowd:
            sock.setblocking(False)
            with contextlib.suppress(OSError):
                sock.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        for _ in range(50):
            for sock in crowd:
                with contextlib.suppress(OSError):
                    sock.recv(1)
            if stop.wait(0.05):
                return set()
    return set()


NOISE = random.Random(1)
HOSTILE = {
    "an endless header": (endless_header, {b"HTTP/1.1 431"}),
    "a huge header": (words(b"GET / HTTP/1.1\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n",
                            b"GET /" + b"x" * (1 << 20) + b" HTTP/1.1\r\n\r\n"), {b"HTTP/1.1 431"}),
    "no HTTP": (words(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"\0\0\0\x08\x04\xd2\x16\x2f\r\n\r\n",
                      bytes(NOISE.randrange(256) for _ in range(4096)) + b"\r\n\r\n"), {b"HTTP/1.1 400", b"HTTP/1.1 431"}),
    "half of a request, half-closed": (words(b"GET /livez HT", b"", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"), {b""}),
    "a request, half-closed": (words(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"), {b"HTTP/1.1 200"}),
    "a slow reader": (slow_reader, set()),
}


class Hostile:
    """All of them, again and again."""

    def __init__(self, proxy):
        self.rounds = dict.fromkeys(HOSTILE, 0)
        self.wrong = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(proxy, name), daemon=True) for name in HOSTILE]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60 * processes.TIMEOUT_SCALE)

    def _run(self, proxy, name):
        attack, expected = HOSTILE[name]
        while not self._stop.is_set():
            try:
                answers = attack(proxy, self._stop)
            except OSError as error:
                answers = {repr(error).encode()}
            # A reset may overtake an answer to somebody who goes on sending.
            if not answers <= expected | {b""}:
                self.wrong.append((name, answers))
            self.rounds[name] += 1


def test_many_slow_and_hostile_clients(cluster, rolegate):
    """Thousands of requests over keep-alive connections beside slow readers, endless and huge headers, garbage and
    half-closed connections: every request is answered, every session goes on, memory and descriptors are bounded."""
    with Bystander("clear", cluster, rolegate) as bystander:
        before = most = descriptors(rolegate)
        with Hostile(rolegate) as hostile:
            wait_until("the hostile are at work", lambda: all(hostile.rounds.values()), 60)
            load = Load(rolegate)

            def is_over():
                nonlocal most
                most = max(most, descriptors(rolegate))
                return load.is_over()
            wait_until("all has been asked", is_over, 240)
            bystander.wait_served(5)
        assert load.errors == []
        assert load.answered == CONNECTIONS * REQUESTS
        assert hostile.wrong == []
        print(f"hostile rounds: {hostile.rounds}; descriptors: {before}, at most {most}")
        assert most <= before + MOST_CONNECTIONS + SPARE_DESCRIPTORS
        wait_until("their connections have gone", lambda: descriptors(rolegate) <= before + SPARE_DESCRIPTORS, 60)
    bystander.require_bounded(MOST_CONNECTIONS, CONNECTION_COST)


def test_more_connections_than_there_may_be(cluster, rolegate):
    """Of 200 that say nothing some make room for others: whoever asks is answered, and descriptors are bounded."""
    with Bystander("clear", cluster, rolegate) as bystander, contextlib.ExitStack() as stack:
        before = descriptors(rolegate)
        for _ in range(SILENT):
            stack.enter_context(connect(rolegate))
        for path in PATHS:
            assert rolegate.get(path).status == 200
        assert descriptors(rolegate) <= before + MOST_CONNECTIONS + SPARE_DESCRIPTORS
        bystander.wait_served(5)
    bystander.require_bounded(MOST_CONNECTIONS, CONNECTION_COST)


def test_a_flood_of_wrong_passwords(cluster, make_rolegate):
    """It is refused, told a few times in the log with the address and the name, counted, and keeps out nobody who comes
    from elsewhere."""
    proxy = make_rolegate([node.rest for node in cluster.nodes], write=PATIENT, admin={"users": {"dba": "secret"}})
    proxy.start()
    ours, others = (f"{cluster.settings.prefix}.{number}" for number in (201, 202))

    def login(source, user, password):
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        with connect(proxy, source) as sock:
            sock.sendall(f"GET /api/v1/user HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {token}\r\n"
                         "Connection: close\r\n\r\n".encode())
            return int(read_to_end(sock).split()[1])

    answers = [login(others, "d\nba" * 100, f"guess-{number}") for number in range(GUESSES)]
    assert set(answers) == {401, 429}
    assert login(ours, "dba", "secret") == 200

    assert proxy.metric("rolegate_admin_logins_total", result="failed") == answers.count(401)
    assert proxy.metric("rolegate_admin_logins_total", result="limited") == answers.count(429)
    assert proxy.metric("rolegate_admin_logins_total", result="ok") == 1
    proxy.stop()    # what was kept back is told at the end
    lines = re.findall(r"warning event=login_failed .*", proxy.log_text())
    told = [line for line in lines if "repeated=" not in line]
    assert len(told) < GUESSES and all(f"client={others} " in line for line in told), lines
    # Kept back by the reason alone: of addresses there are as many as a guesser likes.
    assert not any("client=" in line for line in lines if " user=" not in line), lines
    kept_back = sum(int(count) for line in lines for count in re.findall(r" repeated=(\d+)", line))
    assert len([line for line in lines if " user=" in line]) + kept_back == GUESSES, lines
    assert all(len(line) < 300 for line in lines) and "guess-" not in proxy.log_text()
