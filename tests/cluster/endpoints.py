# SPDX-License-Identifier: PostgreSQL
"""Patroni's health checks as HAProxy makes them, held against where Rolegate leads."""

from demo.processes import Timeout, wait_until


def says_yes(cluster, path, method="OPTIONS"):
    """Names of the nodes whose Patroni answers 200 for that."""
    answers = {node.name: node.ask(path, method) for node in cluster.nodes}
    return sorted(name for name, answer in answers.items() if answer and answer.status == 200)


def wait_agreement(cluster, rolegate, paths, limit=60):
    """Until each listener leads to those for whom Patroni answers 200; `paths` by listener. Returns who, by listener."""
    def found():
        return {listener: (rolegate.open_for(listener), says_yes(cluster, path)) for listener, path in paths.items()}

    def agreed():
        pairs = found()
        return {listener: led for listener, (led, _) in pairs.items()} if all(
            led == yes for led, yes in pairs.values()) else None
    try:
        return wait_until("Rolegate leads to whom Patroni says yes for", agreed, limit, every=0.2)
    except Timeout as error:
        raise Timeout(f"{error}: {({at: pair for at, pair in found().items() if pair[0] != pair[1]})}") from None
