# SPDX-License-Identifier: PostgreSQL
"""The proxy knows little, or wrong things: it says so, stays calm, and recovers by itself."""

import json
import time

import pytest

from clients import where
from demo.processes import tail, wait_until
from fake_seed import FakeSeed

# A busy loop takes a whole core; looking every second takes a hundredth of that.
CALM = 0.20


def cpu_share(rolegate, seconds):
    """Share of one core used over some seconds: here time itself is what is measured."""
    before, begin = rolegate.cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    return (rolegate.cpu_seconds() - before) / (time.monotonic() - begin)


@pytest.fixture
def fake_seed():
    made = []

    def make(manner):
        made.append(FakeSeed(manner))
        return made[-1]
    yield make
    for seed in made:
        seed.close()


@pytest.mark.parametrize("manner", ["dead", "hang", "garbage", "nonsense", "empty"])
def test_bad_seed_is_named_and_recovered_from(cluster, make_rolegate, fake_seed, manner):
    """The only seed refuses, hangs, or answers what no Patroni answers. The operator sees in the readiness, the
    explanation and the log what is wrong with which address; the process does not spin; and as soon as the seed
    answers like a Patroni, clients are served without any help.
    """
    seed = fake_seed(manner)
    rolegate = make_rolegate([seed.address], patroni={"timeout": "500ms"})
    rolegate.start(ready=False)

    ready = rolegate.get("/readyz")
    assert ready.status == 503 and ready.body.strip(), "readiness gives its reason"
    wait_until("the explanation names the seed", lambda: seed.address in rolegate.get("/api/v1/explain").body, 15)
    json.loads(rolegate.get("/api/v1/explain").body)
    wait_until("the log names the seed", lambda: seed.address in tail(rolegate.log, 200), 15)
    assert cpu_share(rolegate, 2) < CALM

    seed.become(cluster.leader().rest)
    rolegate.wait_ready(limit=30)
    assert where(cluster, rolegate, rolegate.write_port) == (cluster.leader().name, False)


def test_one_good_seed_among_bad_ones_is_enough(cluster, make_rolegate, fake_seed):
    """Three seeds of four are useless in different ways; clients are served from the first moment all the same."""
    bad = [fake_seed(manner).address for manner in ("dead", "hang", "garbage")]
    rolegate = make_rolegate([*bad, cluster.replicas()[0].rest])
    rolegate.start()

    assert where(cluster, rolegate, rolegate.write_port) == (cluster.leader().name, False)
    rolegate.wait_routable("read", sorted(node.name for node in cluster.replicas()))
    assert cpu_share(rolegate, 2) < CALM


def test_restart_in_the_middle(cluster, make_rolegate):
    """Rolegate is killed and started again while the cluster works: it serves again at once, on the same ports."""
    rolegate = make_rolegate([node.rest for node in cluster.nodes])
    rolegate.start()
    first = rolegate.child.pid
    rolegate.kill()

    rolegate.start()

    assert rolegate.child.pid != first
    assert where(cluster, rolegate, rolegate.write_port) == (cluster.leader().name, False)
    assert where(cluster, rolegate, rolegate.read_port)[1] is True


def test_healthy_cluster_costs_next_to_nothing(cluster, rolegate):
    """Nothing happens and nobody is connected: the process hardly uses the processor."""
    assert cpu_share(rolegate, 3) < CALM
