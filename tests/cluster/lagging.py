# SPDX-License-Identifier: PostgreSQL
"""What makes a replica lag: it replays nothing, and the primary writes."""

import contextlib
import os
import signal


@contextlib.contextmanager
def replay_paused(cluster, node):
    """The process that replays stands still: Patroni undoes pg_wal_replay_pause() within a loop."""
    pid = cluster.query(node, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'")[0][0]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def write_wal(cluster, megabytes):
    for _ in range(megabytes):
        cluster.query(cluster.leader(), "SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1 << 20))")
    # Something that has a time, for whoever counts that.
    cluster.query(cluster.leader(), "CREATE TABLE IF NOT EXISTS times (at timestamptz)")
