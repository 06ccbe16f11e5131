# SPDX-License-Identifier: PostgreSQL
"""Who holds the leader lock, read from etcd again and again: the truth about when it was lost."""

import base64
import threading
import time


class LockWatch:
    """Linearizable reads of the leader key, so that no lagging member tells of the past."""

    def __init__(self, cluster, interval=0.02):
        self._key = base64.b64encode(cluster.key("leader").encode()).decode()
        self._members = cluster.etcd.members
        self._interval = interval
        self._changes = []      # [(moment, holder or None)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(10)

    def lost(self, name):
        """When this node was first not the holder any more; None while it is."""
        held = False
        for moment, holder in list(self._changes):
            if held and holder != name:
                return moment
            held = holder == name
        return None

    def _run(self):
        while not self._stop.wait(self._interval):
            answer = self._members[0].post("/v3/kv/range", {"key": self._key})
            if answer is None:
                continue
            holder = next((base64.b64decode(kv["value"]).decode() for kv in answer.get("kvs", [])), None)
            if not self._changes or self._changes[-1][1] != holder:
                self._changes.append((time.monotonic(), holder))
