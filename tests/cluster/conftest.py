# SPDX-License-Identifier: PostgreSQL
"""One real cluster for all tests, healthy again before each; a Rolegate of its own for each test.

ROLEGATE_TEST_TIMEOUT_SCALE stretches every limit. ROLEGATE_BINARY names another binary.
"""

import os
import resource
import shutil
import signal
import sys
import tempfile

import pytest

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(os.path.dirname(__file__), "../../deploy"), os.path.dirname(__file__)]

import modes  # noqa: E402
from clients import PATIENT  # noqa: E402
from demo import network, ports  # noqa: E402
from demo.patroni_cluster import Cluster, Settings  # noqa: E402
from demo.processes import wait_until  # noqa: E402
from demo.rolegate import Rolegate, binary  # noqa: E402

# Addresses of their own, so that the tests run beside a demo that was left running.
PREFIX = os.environ.get("ROLEGATE_TEST_PREFIX", "127.0.1")
# Patroni's smallest ttl, with a short loop: a dead leader is replaced after 20 s instead of 30 s.
TTL, LOOP_WAIT, RETRY_TIMEOUT = 20, 2, 7


# The rest is the other half. Both take as long.
FIRST_HALF = ("test_dcs", "test_dcs_outage", "test_failover_dcs", "test_partition", "test_drivers", "test_cancel",
              "test_hostile_clients", "test_sql_identity", "test_roles", "test_addresses", "test_lag_trouble",
              "test_overtaken", "test_fallback")


def pytest_addoption(parser):
    parser.addoption("--half", type=int, choices=(1, 2), help="only half of the tests; the halves take as long and may "
                     "run beside each other with another ROLEGATE_TEST_PREFIX each")


def pytest_collection_modifyitems(config, items):
    half = config.getoption("--half")
    if half:
        items[:] = [item for item in items if (item.path.stem in FIRST_HALF) == (half == 1)]


def pytest_configure(config):
    # A terminated run cleans up like an interrupted one.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A shell starts background jobs with Ctrl-C ignored, and Patroni would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Tests hold thousands of sockets; children inherit the limit.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if not os.access(binary(), os.X_OK):
        raise pytest.UsageError(f"{binary()} is missing; build it first: cmake --preset release && cmake --build --preset release")


# Seconds that a test may take, several times what the longest does: one that hangs says where it did.
TEST_LIMIT = 400


def limited(item, phase):
    def expired(*_):
        pytest.fail(f"{item.nodeid}: {phase} had not ended after {TEST_LIMIT} s")
    signal.signal(signal.SIGALRM, expired)
    signal.alarm(TEST_LIMIT)
    yield
    signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item):
    yield from limited(item, "what it needs")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    yield from limited(item, "the test")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    yield from limited(item, "cleaning up")


@pytest.fixture(scope="session")
def directory():
    """Logs, configurations and data; kept when a test failed."""
    path = tempfile.mkdtemp(prefix="rolegate-tests-")
    os.chmod(path, 0o755)
    yield path
    if getattr(pytest, "rolegate_failed", False):
        print(f"\nlogs and configurations are kept in {path}")
    else:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def prefix():
    """First three bytes of the addresses of the cluster."""
    return PREFIX


@pytest.fixture(scope="session")
def shared_cluster(directory):
    cluster = Cluster(Settings(directory=f"{directory}/cluster", prefix=PREFIX, scope="tests", ttl=TTL,
                               loop_wait=LOOP_WAIT, retry_timeout=RETRY_TIMEOUT, etcds=3, log_requests=True,
                               parameters={"wal_level": "logical"}))
    taken = [f"{host}:{port} by {ports.owner(port)}" for host, port in cluster.ports() if ports.is_taken(host, port)]
    if taken:
        pytest.exit(f"ports of the test cluster are taken: {', '.join(taken)}", returncode=3)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def cluster(shared_cluster, request):
    """Three members, asynchronous, one leader, two replicas streaming; three members of etcd."""
    shared_cluster.heal()
    # A server does not notice that its client has gone while it sleeps for it: an earlier test's would be counted.
    wait_until("nobody sleeps on the leader", lambda: shared_cluster.query(
        shared_cluster.leader(), "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE wait_event = 'PgSleep'") == [(0,)], 20)
    request.node.cluster = shared_cluster
    return shared_cluster


@pytest.fixture
def make_rolegate(directory, request):
    """Writes a configuration on free ports; the caller starts it, the end of the test stops it."""
    made = []

    def make(members, **more):
        rolegate = Rolegate(members, directory, ports.free_port(), ports.free_port(), ports.free_port(),
                            name=f"{request.node.name}-{len(made)}", **more)
        made.append(rolegate)
        return rolegate
    request.node.rolegates = made
    yield make
    for rolegate in made:
        rolegate.stop()


@pytest.fixture
def rolegate(cluster, make_rolegate):
    """Rolegate in front of the healthy cluster: knows the primary and every replica."""
    proxy = make_rolegate([node.rest for node in cluster.nodes], write=PATIENT)
    proxy.start()
    modes.wait_all_routable(proxy, cluster)
    return proxy


@pytest.fixture
def make_dcs_rolegate(cluster, make_rolegate):
    """The same with a watch on the leader lock; the caller starts it. Keyword arguments add to the cluster's part."""
    def make(namespace=None, patroni=None, write=PATIENT, **more):
        return make_rolegate([node.rest for node in cluster.nodes], namespace=namespace, patroni=patroni, write=write,
                             cluster={"dcs": cluster.dcs(), **more})
    return make


@pytest.fixture
def dcs_rolegate(cluster, make_dcs_rolegate):
    """Rolegate with a watch on the lock, which it knows from etcd, as well as every member's role."""
    proxy = make_dcs_rolegate()
    proxy.start()
    modes.wait_all_routable(proxy, cluster)
    wait_until("the lock is known from etcd", lambda: proxy.lock().get("source") == "etcd3", 20)
    return proxy


@pytest.fixture
def namespace(directory, cluster):
    """A network of its own for a proxy, whose ways to etcd and to Patroni can be cut."""
    if not network.is_possible():
        pytest.skip("network namespaces need root that may make them")
    space = network.Namespace(directory, cluster.settings.prefix)
    try:
        yield space.start()
    finally:
        space.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what Rolegate and the cluster had to say at that moment."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    pytest.rolegate_failed = True
    for rolegate in getattr(item, "rolegates", []):
        report.sections.append((f"Rolegate {rolegate.config}", rolegate.describe()))
    if hasattr(item, "cluster"):
        report.sections.append(("cluster", item.cluster.describe()))
