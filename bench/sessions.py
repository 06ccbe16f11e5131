# SPDX-License-Identifier: PostgreSQL
"""Sessions with a fake server behind each contender: how many may come in a second, and what an idle one weighs."""

import time

import crowd
from demo.processes import wait_until
from measure import Goal, Measure, at_least

AT_ONCE = 16
SETTLE = 1.0    # seconds, until what was freed after opening is given back


def connect_rate(ways, seconds, rounds, directory):
    """TCP, startup packet, the first ReadyForQuery, and the end. PgBouncer answers that itself."""
    def play(way):
        before = way.cpu()
        opened, failed, past = crowd.connect_rate(directory, way.host, way.port, AT_ONCE, seconds)
        if failed > opened / 100:
            raise RuntimeError(f"{way.name}: {failed} connections failed, {opened} did not")
        return {"connections/s": opened / past, "CPU us/connection": (way.cpu() - before) * 1e6 / opened}
    return Measure("TCP and startup packet", ways, play, rounds, {"connections/s": at_least(1.0)}, ("connections/s",))


def idle(ways, count, rounds, directory):
    """Growth of resident memory; each program is started anew, for memory of before would be used again."""
    def takes_one(way):
        """A port may belong to a worker of the program that has just ended."""
        try:
            with crowd.Idle(directory, way.host, way.port, 1):
                return True
        except RuntimeError:
            return False

    def play(way):
        way.program.stop()
        way.program.start()
        wait_until(f"{way.name} takes sessions", lambda: takes_one(way), 10)
        with crowd.Idle(directory, way.host, way.port, 1):
            before = way.memory()
        with crowd.Idle(directory, way.host, way.port, count):
            time.sleep(SETTLE)
            return {"KiB/session": (way.memory() - before) / count / 1024}
    return Measure(f"{count} idle sessions", [way for way in ways if way.program.pids], play, rounds,
                   {"KiB/session": Goal(1.5, absolute=True)})
