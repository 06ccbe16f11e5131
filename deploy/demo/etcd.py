# SPDX-License-Identifier: PostgreSQL
"""etcd: one node that holds the cluster's leader lock."""

import http.client
import json

from .processes import Child, wait_until


class Etcd:
    def __init__(self, host, directory, client_port=2379, peer_port=2380):
        self.host = host
        self.client_port = client_port
        client, peer = f"http://{host}:{client_port}", f"http://{host}:{peer_port}"
        self.child = Child("etcd", [
            "etcd", "--name", "demo", "--data-dir", f"{directory}/etcd",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"demo={peer}", "--log-level", "warn",
            # Throw-away data: waiting for the disk would only make elections slow.
            "--unsafe-no-fsync",
        ], f"{directory}/etcd.log")

    @property
    def address(self):
        return f"{self.host}:{self.client_port}"

    def is_healthy(self):
        self.child.require_running()
        connection = http.client.HTTPConnection(self.host, self.client_port, timeout=2)
        try:
            connection.request("GET", "/health")
            return json.load(connection.getresponse()).get("health") == "true"
        except (OSError, ValueError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def start(self):
        self.child.start()
        wait_until("etcd is healthy", self.is_healthy, 20)

    def stop(self):
        self.child.stop()
