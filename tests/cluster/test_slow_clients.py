# SPDX-License-Identifier: PostgreSQL
"""Clients that connect and say nothing, or next to nothing."""

import select
import socket
import struct
import threading

from clients import where
from demo.processes import TIMEOUT_SCALE, wait_until

CLIENTS = 1000
STARTUP = struct.pack("!II", 1000, 196608) + b"user\0" + b"x" * 987


class Crowd:
    """Half of them silent; the others send a valid startup packet, one byte a second."""

    def __init__(self, host, port):
        # From two addresses: one alone would use up what Rolegate grants to an address.
        self.sockets = [socket.create_connection((host, port), timeout=20, source_address=(f"127.0.0.{2 + n % 2}", 0))
                        for n in range(CLIENTS)]
        self._talkers = self.sockets[::2]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._drip, daemon=True)
        self._thread.start()

    def _drip(self):
        for position in range(len(STARTUP)):
            for talker in self._talkers:
                try:
                    talker.send(STARTUP[position:position + 1])
                except OSError:
                    pass
            if self._stop.wait(1):
                return

    def still_open(self):
        """Sockets that the proxy has not closed. Whatever it says before is read and dropped."""
        poll = select.poll()
        by_fd = {client.fileno(): client for client in self.sockets}
        for fd in by_fd:
            poll.register(fd, select.POLLIN | select.POLLHUP | select.POLLERR)
        for fd, _ in poll.poll(0):
            try:
                closed = not by_fd[fd].recv(4096, socket.MSG_DONTWAIT)
            except BlockingIOError:
                closed = False
            except OSError:
                closed = True
            if closed:
                self.sockets.remove(by_fd[fd])
                by_fd[fd].close()
        return len(self.sockets)

    def close(self):
        self._stop.set()
        self._thread.join(10)
        for client in self.sockets:
            client.close()


def test_a_thousand_slow_clients(cluster, make_rolegate):
    """1,000 clients connect and send nothing, or one byte a second. Others are served meanwhile, and the slow ones
    are closed by the handshake time-out."""
    rolegate = make_rolegate([node.rest for node in cluster.nodes], write={"timeouts": {"handshake": f"{3 * TIMEOUT_SCALE:g}s"}})
    rolegate.start()
    leader = cluster.leader()

    crowd = Crowd(rolegate.host, rolegate.write_port)
    try:
        for _ in range(10):
            assert where(cluster, rolegate, rolegate.write_port) == (leader.name, False)
        wait_until("all slow clients are closed", lambda: crowd.still_open() == 0, 60, every=0.1)
    finally:
        crowd.close()
    assert where(cluster, rolegate, rolegate.write_port) == (leader.name, False)
    wait_until("their sessions are gone", lambda: rolegate.status()["listeners"]["write"]["sessions"] == 0, 20)
