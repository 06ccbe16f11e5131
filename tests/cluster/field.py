# SPDX-License-Identifier: PostgreSQL
"""Rolegate with a whole configuration of the field: its ports are those of the people who wrote it."""

import contextlib

import yaml

from demo import ports
from demo.patroni_cluster import Cluster, Settings
from demo.processes import Child
from demo.rolegate import Rolegate, binary


class FieldRolegate(Rolegate):
    """One cluster, `main`; `configuration` is the whole file."""

    def __init__(self, directory, name, configuration):
        self.admin = configuration["admin"]["bind"]
        self.host = self.admin.rpartition(":")[0]
        self.config = f"{directory}/{name}.yaml"
        with open(self.config, "w") as file:
            yaml.safe_dump(configuration, file, sort_keys=False, default_flow_style=None)
        self.child = Child(name, [binary(), "run", "-c", self.config], f"{directory}/{name}.log")


def neighbour(prefix):
    """127.0.2 of 127.0.1: addresses that no other run uses."""
    net, _, number = prefix.rpartition(".")
    return f"{net}.{int(number) + 1}"


@contextlib.contextmanager
def second_cluster(directory, prefix, scope, **settings):
    """A cluster beside the one of all tests, with an etcd of its own; not started yet."""
    cluster = Cluster(Settings(directory=f"{directory}/{scope}", prefix=neighbour(prefix), scope=scope, ttl=20,
                               loop_wait=2, retry_timeout=4, **settings))
    taken = [f"{host}:{port}" for host, port in cluster.ports() if ports.is_taken(host, port)]
    assert not taken, f"taken: {taken}"
    try:
        yield cluster
    finally:
        cluster.stop()
        cluster.remove_files()
