# SPDX-License-Identifier: PostgreSQL
"""HAProxy and Rolegate check the same service with the same settings: they change their minds at the same checks."""

import http.server
import random
import socket
import threading

import pytest

from demo import ports
from demo.processes import wait_until
from service_proxies import ServiceHAProxy, ServiceRolegate

# Seconds are compared nowhere: only what was believed before each check.
PACE = {"inter": "120ms", "fastinter": "40ms", "downinter": "80ms"}
# The service asks the proxy before it answers, which a busy machine may delay.
TIMEOUT = "20s"


class ScriptedHealth:
    """Answers check after check with 200 (+) or 503 (-), and notes what the proxy believes when it asks."""

    def __init__(self, script):
        self.script = script
        self.beliefs = []
        self.proxy = None
        self._lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_OPTIONS(self):   # noqa: N802
                self.send_response(200 if outer.next() == "+" else 503)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", ports.free_port()), Handler)
        self.address = "127.0.0.1:%d" % self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def next(self):
        with self._lock:
            number = len(self.beliefs)
            self.beliefs.append(self.proxy.check_status(self.address))
            return self.script[min(number, len(self.script) - 1)]

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


def options(rise, fall):
    return " ".join(f"{key} {value}" for key, value in PACE.items()) + f" rise {rise} fall {fall}"


def beliefs(make, script):
    health = ScriptedHealth(script)
    health.proxy = make(health.address)
    try:
        health.proxy.start(ready=False)
        wait_until(f"{len(script)} checks, now {len(health.beliefs)}", lambda: len(health.beliefs) > len(script), 60)
        return health.beliefs[:len(script) + 1]
    finally:
        health.proxy.stop()
        health.stop()


@pytest.mark.parametrize("rise, fall", [(2, 3), (1, 1), (3, 2), (2, 1), (1, 4)])
def test_a_row_of_answers_leads_to_haproxys_status_after_each(directory, rise, fall):
    """HTTP checks with a scripted row of good and bad answers, every status word in between included."""
    dice = random.Random(rise * 10 + fall)
    script = "+---++-+--+" + "".join(dice.choice("++---") for _ in range(30)) + "+" * (rise + 1)
    name = f"http-checks-{rise}-{fall}"

    theirs = beliefs(lambda member: ServiceHAProxy(
        member, directory, f"{name}-haproxy", options(rise, fall), "option httpchk", TIMEOUT), script)
    ours = beliefs(lambda member: ServiceRolegate(
        [member], directory, f"{name}-rolegate", {**PACE, "timeout": TIMEOUT, "rise": rise, "fall": fall},
        {"check": {"http": {}}}), script)

    # Before the first check HAProxy sends clients there already; Rolegate does not.
    assert theirs[0].startswith("UP") and ours[0] == "not checked"
    assert ours[1:] == theirs[1:], f"after {script}"
    assert {"UP", "DOWN"} <= set(ours)


class Flapping:
    """A server that takes connections and counts them, or refuses them."""

    def __init__(self):
        self._accepted = []
        self.port = ports.free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._socket = None
        self._thread = None

    def listen(self):
        self._socket = socket.create_server(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def refuse(self):
        if self._socket:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._thread.join(10)
            self._socket.close()
            self._socket = None

    def _accept(self):
        while True:
            try:
                connection, peer = self._socket.accept()
            except OSError:
                return
            self._accepted.append(peer)
            connection.close()

    def accepted(self):
        """How many connections there were before this moment: one of our own marks it."""
        with socket.create_connection(("127.0.0.1", self.port)) as mark:
            ours = mark.getsockname()
            wait_until("the mark is seen", lambda: ours in self._accepted, 10)
        number = self._accepted.index(ours)
        self._accepted.remove(ours)
        return number


# By default HAProxy sends RST in place of the handshake's last packet, and the server never hears of the check.
HANDSHAKE = "option tcp-check\n    tcp-check connect linger"


def flap(proxy, server, rounds):
    """For each round: checks that failed until it was down, and checks the server took until it was up again."""
    found = []

    def wait_status(words):
        wait_until(f"{server.address} is {words}", lambda: proxy.check_status(server.address) == words, 20, every=0.005)
    server.listen()
    try:
        proxy.start(ready=False)
        wait_status("UP")
        for _ in range(rounds):
            failed = proxy.failed_checks(server.address)
            server.refuse()
            wait_status("DOWN")
            failed = proxy.failed_checks(server.address) - failed
            server.listen()
            accepted = server.accepted()
            wait_status("UP")
            found.append((failed, server.accepted() - accepted))
        return found
    finally:
        proxy.stop()
        server.refuse()


@pytest.mark.parametrize("rise, fall", [(2, 3), (4, 1)])
def test_a_server_that_comes_and_goes_is_down_and_up_after_as_many_checks(directory, rise, fall):
    """TCP checks: `fall` refusals and `rise` connections, counted by the proxy and by the server itself."""
    # Long pauses where it is settled, so that the counts are read before the next check.
    pace = {"inter": "1500ms", "fastinter": "40ms", "downinter": "1500ms", "rise": rise, "fall": fall}
    name = f"tcp-checks-{rise}-{fall}"
    theirs, ours = Flapping(), Flapping()
    haproxy = ServiceHAProxy(theirs.address, directory, f"{name}-haproxy",
                             " ".join(f"{key} {value}" for key, value in pace.items()), HANDSHAKE)
    rolegate = ServiceRolegate([ours.address], directory, f"{name}-rolegate", pace)

    assert flap(rolegate, ours, 3) == [(fall, rise)] * 3
    assert flap(haproxy, theirs, 3) == [(fall, rise)] * 3
