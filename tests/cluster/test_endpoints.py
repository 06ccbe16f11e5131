# SPDX-License-Identifier: PostgreSQL
"""Setup A9: a listener for each of Patroni's health checks. It leads to exactly those for whom Patroni's own endpoint
answers 200, whatever happens to them: so whoever comes from HAProxy finds the same members behind the same ports."""

import os
import shutil

import pytest

from clients import where
from demo import ports, processes, rest
from demo.processes import wait_until
from endpoints import says_yes, wait_agreement
from field import FieldRolegate, second_cluster
from lagging import replay_paused, write_wal
from modes import make_certificate

# By the role of the listener. Patroni knows /quorum from 4.0 on; before, it says no.
PATHS = {"primary": "/", "master": "/master", "read-write": "/read-write", "leader": "/leader",
         "standby-leader": "/standby-leader", "replica": "/replica", "read-only": "/read-only", "sync": "/sync",
         "async": "/async", "read-only-sync": "/read-only-sync", "quorum": "/quorum"}
# Patroni's limit, and ours.
LAG = "2MB"


def all_roles(lag=None):
    """What configures a listener for each, and which endpoint each is held against."""
    roles = {f"as-{role}": ({"role": role}, path) for role, path in PATHS.items()}
    if lag:
        roles["near"] = ({"role": "async", "lag": {"leave": lag, "enter": lag}, "lag_dwell": "1s"}, f"/async?lag={lag}")
    return ({name: {"bind": f"127.0.0.1:{ports.free_port()}", **keys} for name, (keys, _) in roles.items()},
            {name: path for name, (_, path) in roles.items()})


@pytest.mark.parametrize("dcs", (False, True), ids=("rest", "watch"))
def test_a9_each_role_leads_to_whom_patroni_says_yes_for(cluster, make_rolegate, dcs):
    """A9: a cluster is healthy, a replica is tagged `noloadbalance`, another one is too far behind, the cluster becomes
    synchronous, the leader changes, a replica's PostgreSQL is stopped."""
    extra, paths = all_roles(LAG)
    rolegate = make_rolegate([node.rest for node in cluster.nodes], listeners=extra,
                             cluster={"dcs": cluster.dcs()} if dcs else None)
    rolegate.start(ready=False)
    first, second = cluster.replicas()
    led = wait_agreement(cluster, rolegate, paths)
    both = sorted(node.name for node in (first, second))
    everybody = sorted(node.name for node in cluster.nodes)
    assert (led["as-primary"], led["as-replica"], led["as-read-only"]) == ([cluster.leader().name], both, everybody)
    assert (led["near"], led["as-sync"], led["as-standby-leader"]) == (both, [], [])

    first.set_tags(noloadbalance=True)
    try:
        led = wait_agreement(cluster, rolegate, paths)
        assert led["as-async"] == led["as-replica"] == [second.name]
    finally:
        first.set_tags()
    wait_agreement(cluster, rolegate, paths)

    with replay_paused(cluster, second):
        write_wal(cluster, 5)
        wait_until("Patroni finds it too far behind", lambda: says_yes(cluster, paths["near"]) == [first.name], 30)
        led = wait_agreement(cluster, rolegate, paths)
        assert (led["near"], led["as-async"]) == ([first.name], both)
    assert wait_agreement(cluster, rolegate, paths)["near"] == both

    cluster.configure(synchronous_mode=True)
    sync = wait_until("there is a synchronous standby", lambda: says_yes(cluster, "/sync"), 60)
    led = wait_agreement(cluster, rolegate, paths)
    assert (led["as-sync"], len(led["as-async"]), len(led["as-read-only-sync"])) == (sync, 1, 2)

    _, new = cluster.switchover()
    cluster.wait_leader(new)
    cluster.wait_healthy()
    led = wait_agreement(cluster, rolegate, paths)
    assert led["as-primary"] == led["as-leader"] == [new.name]

    sync = wait_until("there is a synchronous standby", lambda: says_yes(cluster, "/sync"), 60)
    cluster.pause()     # nobody starts it again
    stopped = next(node for node in cluster.replicas() if node.name not in sync)
    stopped.kill_postgres()
    wait_until("Patroni notices", lambda: stopped.name not in says_yes(cluster, "/replica"), 30)
    led = wait_agreement(cluster, rolegate, paths)
    assert stopped.name not in led["as-read-only"] + led["as-async"]
    cluster.pause(False)
    cluster.wait_healthy()
    wait_agreement(cluster, rolegate, paths)


# Asked for by GET; OPTIONS is never 200 for most of them.
OTHER_PATHS = ("/health", "/liveness", "/readiness", "/cluster", "/history", "/patroni")


@pytest.fixture
def checked(cluster, directory, request):
    """For each of them a listener whose members are checked by that and nothing else, as HAProxy's `http-check`."""
    host = f"{cluster.settings.prefix}.21"
    ways = {path.strip("/"): path for path in OTHER_PATHS}
    proxy = FieldRolegate(directory, "checked", {
        "clusters": {name: {"tcp": {"members": [node.postgres for node in cluster.nodes], "inter": "200ms",
                                    "fall": 1, "rise": 1, "timeout": "5s"},
                            "check": {"http": {"method": "GET", "uri": path, "port": cluster.settings.rest_port}}}
                     for name, path in ways.items()},
        "listeners": {name: {"bind": f"{host}:{ports.free_port()}", "cluster": name, "role": "any"} for name in ways},
        "admin": {"bind": f"{host}:{ports.free_port()}"}})
    request.node.rolegates = [proxy]
    proxy.start()
    yield proxy
    proxy.stop()


def test_a9_checks_that_are_no_roles(cluster, checked):
    """A9: `/health`, `/liveness`, `/readiness` and the endpoints that only tell something, each as the check of a
    listener. PostgreSQL of a replica is stopped while Patroni keeps its hands off: it is not healthy and not ready any
    more, and alive all the same. When its Patroni is gone as well, it is nothing of all that."""
    def wait_led(nodes, *ways):
        names = sorted(node.postgres for node in nodes)
        for way in ways:
            wait_until(f"{way} leads to {names} (now {checked.open_for(way)})",
                       lambda: sorted(checked.open_for(way)) == names, 30)     # noqa: B023
    ways = [path.strip("/") for path in OTHER_PATHS]
    wait_led(cluster.nodes, *ways)
    gone, *_ = cluster.replicas()
    others = [node for node in cluster.nodes if node is not gone]
    cluster.pause()
    try:
        gone.kill_postgres()
        wait_led(others, "health", "readiness")
        wait_led(cluster.nodes, *(way for way in ways if way not in ("health", "readiness")))
        gone.kill_patroni()
        wait_led(others, *ways)
    finally:
        gone.start()
        cluster.pause(False)
    wait_led(cluster.nodes, *ways)


@pytest.fixture
def guarded(directory, prefix):
    """Two nodes whose REST APIs speak HTTPS with those who show a certificate, and let only `admin` change something."""
    files = f"{directory}/rest-tls"
    os.makedirs(files, mode=0o755, exist_ok=True)
    net, _, number = prefix.rpartition(".")
    make_certificate(files, "rest", [f"{net}.{int(number) + 1}.{host}" for host in (11, 12)])
    user = processes.service_user()
    if user:
        shutil.chown(f"{files}/rest.key", user, user)
    with second_cluster(directory, prefix, "guarded", nodes=2, rest_tls=f"{files}/rest",
                        rest_user="admin:secret") as cluster:
        cluster.start()
        yield cluster


def test_a9_rest_with_tls_and_a_password(guarded, make_rolegate):
    """A9: `verify_client: required` and `authentication`. With a certificate every role leads to whom Patroni says yes
    for, before and after a switchover; Rolegate needs no password, for it changes nothing. Without a certificate it knows
    nobody, and says why."""
    files = guarded.settings.rest_tls
    extra, paths = all_roles()
    members = [node.rest for node in guarded.nodes]
    trusted = {"ca": f"{files}-ca.crt", "cert": f"{files}.crt", "key": f"{files}.key"}
    rolegate = make_rolegate(members, listeners=extra, patroni={"tls": trusted})
    stranger = make_rolegate(members, patroni={"tls": {"ca": trusted["ca"]}})
    rolegate.start(ready=False)
    stranger.start(ready=False)
    old, new = guarded.leader(), guarded.replicas()[0]
    led = wait_agreement(guarded, rolegate, paths)
    assert (led["as-primary"], led["as-replica"]) == ([old.name], [new.name])
    assert where(guarded, rolegate, rolegate.write_port) == (old.name, False)

    assert rest.ask(old.rest, "/patroni") is None
    assert rest.ask(old.rest, "/switchover", "POST", {"leader": old.name},
                    tls=guarded.settings.rest_context()).status == 401
    guarded.switchover(new)
    guarded.wait_leader(new)
    guarded.wait_healthy()
    led = wait_agreement(guarded, rolegate, paths)
    assert (led["as-primary"], led["as-replica"]) == ([new.name], [old.name])
    assert where(guarded, rolegate, rolegate.write_port) == (new.name, False)

    assert not stranger.is_ready("write") and not stranger.is_ready("read")
    stranger.wait_logged("event=check_failed")
