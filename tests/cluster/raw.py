# SPDX-License-Identifier: PostgreSQL
"""A client that speaks the protocol itself and keeps every byte the server says."""

import hashlib
import socket
import struct

from demo import processes

SSL_REQUEST = struct.pack("!II", 8, 80877103)
CANCEL = 80877102
VERSION_3_0 = 196608


def frame(kind, body=b""):
    return kind + struct.pack("!I", len(body) + 4) + body


def startup(version=VERSION_3_0, **parameters):
    body = struct.pack("!I", version)
    for key, value in parameters.items():
        body += f"{key}\0{value}\0".encode()
    return struct.pack("!I", len(body) + 5) + body + b"\0"


def cancel_request(pid, key):
    return struct.pack("!IIII", 16, CANCEL, pid, key)


def simple(sql):
    return frame(b"Q", sql.encode() + b"\0")


def parse(name, sql, types=()):
    return frame(b"P", f"{name}\0{sql}\0".encode() + struct.pack(f"!H{len(types)}I", len(types), *types))


def bind(portal, name, values=(), formats=(), results=()):
    """Values are bytes or None."""
    body = f"{portal}\0{name}\0".encode() + struct.pack(f"!H{len(formats)}H", len(formats), *formats)
    body += struct.pack("!H", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return frame(b"B", body + struct.pack(f"!H{len(results)}H", len(results), *results))


def describe(kind, name):
    return frame(b"D", kind + name.encode() + b"\0")


def execute(portal, rows=0):
    return frame(b"E", portal.encode() + b"\0" + struct.pack("!I", rows))


def close(kind, name):
    return frame(b"C", kind + name.encode() + b"\0")


def call(function, *arguments):
    """FunctionCall with arguments and result in binary form."""
    body = struct.pack("!IHHH", function, 1, 1, len(arguments))
    for argument in arguments:
        body += struct.pack("!i", len(argument)) + argument
    return frame(b"F", body + struct.pack("!H", 1))


SYNC, FLUSH, TERMINATE = frame(b"S"), frame(b"H"), frame(b"X")


class RawClient:
    """One session. `context` is Python's ssl, None for clear text; `source` is the address it comes from."""

    def __init__(self, host, port, context=None, user="postgres", database="postgres", limit=60, source="",
                 **parameters):
        self.host, self.port = host, port
        self.socket = connect(host, port, context, limit, source)
        self.buffer = bytearray()
        self._room = memoryview(bytearray(1 << 18))
        self.pid = self.key = None
        self.status = None
        # The server's messages: (kind, content), long ones as their length and digest.
        self.said = []
        self.send(startup(user=user, database=database, **parameters))
        self.until_ready()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *messages):
        self.socket.sendall(b"".join(messages))

    def ask(self, *messages):
        """Sends and reads to the next ReadyForQuery."""
        self.send(*messages)
        return self.until_ready()

    def until_ready(self, count=1):
        return self.until(b"Z", count)

    def until(self, kinds, count=1):
        """Reads to the count-th message of one of these kinds; returns all that came."""
        begin = len(self.said)
        while count:
            kind, body = self.message()
            if kind == b"K":
                self.pid, self.key = struct.unpack("!II", body)
                body = b"(pid and key)"
            elif kind == b"A":
                body = b"(pid)" + body[4:]
            elif kind == b"Z":
                self.status = body
            if len(body) > 4096:
                body = f"{len(body)} bytes {hashlib.sha256(body).hexdigest()}".encode()
            self.said.append((kind, bytes(body)))
            count -= kind in kinds
        return self.said[begin:]

    def message(self):
        head = self._read(5)
        kind, length = struct.unpack("!cI", head)
        return kind, self._read(length - 4)

    def _read(self, count):
        found = bytearray(count)
        have = min(count, len(self.buffer))
        found[:have] = self.buffer[:have]
        del self.buffer[:have]
        while count - have > 1 << 18:       # straight to its place
            have += self._more(memoryview(found)[have:])
        while have < count:
            size = self._more(self._room)
            taken = min(size, count - have)
            found[have:have + taken] = self._room[:taken]
            self.buffer += self._room[taken:size]
            have += taken
        return found

    def _more(self, room):
        size = self.socket.recv_into(room)
        if not size:
            raise EOFError(f"closed; the last words were {self.said[-2:]}")
        return size

    def rest(self):
        """Every byte to the end of the connection."""
        data = bytes(self.buffer)
        while more := self.socket.recv(1 << 18):
            data += more
        return data


def connect(host, port, context=None, limit=60, source=""):
    """A connection on which the startup packet comes next."""
    made = socket.create_connection((host, port), limit * processes.TIMEOUT_SCALE, (source, 0))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is None:
        return made
    made.sendall(SSL_REQUEST)
    answer = made.recv(1)
    if answer != b"S":
        made.close()
        raise ConnectionError(f"TLS refused: {answer!r}")
    # A client knows the server by the address of the proxy; a direct one asks for no name.
    return context.wrap_socket(made, server_hostname=host if context.check_hostname else None)


def cancel(host, port, pid, key, limit=60, source=""):
    """As PQcancel does it: in clear text, and successful when the end comes without a byte or an error before it."""
    with connect(host, port, None, limit, source) as connection:
        connection.sendall(cancel_request(pid, key))
        answer = connection.recv(1)
        assert answer == b"", f"an answer to a cancel: {answer!r}"
