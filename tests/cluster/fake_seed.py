# SPDX-License-Identifier: PostgreSQL
"""A REST seed that misbehaves on command, and can be put right while the proxy watches."""

import contextlib
import os
import socket
import threading

from demo import ports


class FakeSeed:
    """Manners: `dead` (nobody listens), `hang` (accepts, never answers), `garbage` (bytes that are no HTTP),
    `nonsense` (HTTP 200, a body that is no JSON), `empty` (closes at once); or the address of a real Patroni
    to which bytes are passed."""

    def __init__(self, manner, port=None):
        self.manner = manner
        self.port = port or ports.free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.connections = 0
        self._listener = None
        self._open = []
        if manner != "dead":
            self._listen()

    def become(self, manner):
        """From now on; connections of before are closed."""
        self.manner = manner
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.close()
        self._open.clear()
        if self._listener is None and manner != "dead":
            self._listen()

    def close(self):
        self.become("dead")
        if self._listener:
            # Closing alone would not wake the thread that accepts.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _listen(self):
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            if self.manner != "hang":
                threading.Thread(target=self._serve, args=(connection, self.manner), daemon=True).start()

    def _serve(self, connection, manner):
        with contextlib.suppress(OSError), connection:
            connection.settimeout(10)
            if manner in ("empty", "dead"):  # dead: closed while this connection was accepted
                return
            request = connection.recv(65536)
            if manner == "garbage":
                connection.sendall(os.urandom(512))
            elif manner == "nonsense":
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{\"members\": [42, {")
            else:
                self._pass_on(connection, request, manner)

    @staticmethod
    def _pass_on(connection, request, address):
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as upstream:
            upstream.sendall(request)
            while data := upstream.recv(65536):
                connection.sendall(data)
