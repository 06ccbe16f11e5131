# SPDX-License-Identifier: PostgreSQL
"""Clients of the tests: short sessions through a port, and one that reads the protocol byte by byte."""

import contextlib
import socket
import struct

import psycopg2

from demo import processes

# For the write port in tests of role changes: how long one takes is measured, not demanded, and a slow machine takes its
# time. Less than the patience of the clients (outage.Measurement).
PATIENT = {"queue": {"timeout": "29s"}}

WHERE = "SELECT host(inet_server_addr()), pg_is_in_recovery()"


@contextlib.contextmanager
def session(cluster, rolegate, port, **options):
    patience = int(20 * processes.TIMEOUT_SCALE)
    connection = psycopg2.connect(cluster.dsn(rolegate.host, port, **({"connect_timeout": patience} | options)))
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


def ask(connection, sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return cursor.fetchall() if cursor.description else []


def where(cluster, rolegate, port):
    """Name of the node that serves a new connection, and whether it is a standby."""
    with session(cluster, rolegate, port) as connection:
        host, standby = ask(connection, WHERE)[0]
    return next(node.name for node in cluster.nodes if node.host == host), standby


def write_row(cluster, rolegate, id):
    with session(cluster, rolegate, rolegate.write_port) as connection:
        ask(connection, "INSERT INTO writes (id) VALUES (%s)", id)


class RawSession:
    """An idle session whose every byte is seen: how it is ended matters here."""

    def __init__(self, host, port, user="postgres", database="postgres"):
        self.socket = socket.create_connection((host, port), timeout=20 * processes.TIMEOUT_SCALE)
        body = struct.pack("!I", 196608) + f"user\0{user}\0database\0{database}\0\0".encode()
        self.socket.sendall(struct.pack("!I", len(body) + 4) + body)
        self.buffer = b""
        while True:
            kind, payload = self.message()
            if kind == b"E":
                raise ConnectionError(f"refused: {payload!r}")
            if kind == b"Z":
                return

    def _read(self, count):
        while len(self.buffer) < count:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError("closed")
            self.buffer += data
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def message(self):
        kind, length = struct.unpack("!cI", self._read(5))
        return kind, self._read(length - 4)

    def goodbye(self, limit):
        """Waits for the end and returns the SQLSTATE of the last error before it, None for a silent end."""
        self.socket.settimeout(limit * processes.TIMEOUT_SCALE)
        sqlstate = None
        try:
            while True:
                kind, payload = self.message()
                if kind == b"E":
                    fields = dict((field[:1], field[1:]) for field in payload.split(b"\0") if field)
                    sqlstate = fields.get(b"C", b"").decode()
        except (EOFError, ConnectionResetError):
            return sqlstate
        finally:
            self.socket.close()
