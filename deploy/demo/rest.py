# SPDX-License-Identifier: PostgreSQL
"""JSON over HTTP with a time-out, past any proxy settings of the environment."""

import base64
import http.client
import json


class Answer:
    def __init__(self, status, body):
        self.status = status
        self.body = body

    def json(self):
        return json.loads(self.body)


def ask(address, path, method="GET", body=None, timeout=3, tls=None, user=""):
    """One request; None when nobody answers. `address` is HOST:PORT, `tls` an ssl.SSLContext, `user` NAME:PASSWORD."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPSConnection(host, int(port), timeout=timeout, context=tls) if tls \
        else http.client.HTTPConnection(host, int(port), timeout=timeout)
    headers = {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()} if user else {}
    try:
        payload = None if body is None else json.dumps(body)
        connection.request(method, path, payload, headers | ({"Content-Type": "application/json"} if payload else {}))
        response = connection.getresponse()
        return Answer(response.status, response.read().decode(errors="replace"))
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
