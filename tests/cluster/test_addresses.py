# SPDX-License-Identifier: PostgreSQL
"""Members that are not reached where they say, and host names whose addresses change."""

import mounts
import psycopg2
import pytest
from clients import where
from demo.processes import wait_until
from service_proxies import ServiceRolegate


def test_members_of_this_machine_over_their_unix_sockets(cluster, make_rolegate):
    """`address_map` leads to PostgreSQL over unix sockets: a proxy on every node needs no TCP to its own server."""
    rolegate = make_rolegate([node.rest for node in cluster.nodes], patroni={
        "address_map": {f"{node.host}:{node.pg_port}": f"unix:{node.directory}" for node in cluster.nodes}})
    rolegate.start()
    rolegate.wait_routable("read", [node.name for node in cluster.replicas()])

    # inet_server_addr() is null over a unix socket.
    rows = cluster.query_at(rolegate.host, rolegate.write_port, "SELECT inet_server_addr(), pg_is_in_recovery()")
    assert rows == [(None, False)]
    readers = {cluster.query_at(rolegate.host, rolegate.read_port, "SELECT inet_server_addr(), pg_is_in_recovery(), "
                                "current_setting('unix_socket_directories')")[0] for _ in range(4)}
    assert readers == {(None, True, node.directory) for node in cluster.replicas()}


@pytest.fixture
def hosts(directory):
    """A file that takes the place of /etc/hosts for whoever runs under `hosts.command`."""
    mounts.require()
    return Hosts(f"{directory}/hosts")


class Hosts:
    def __init__(self, path):
        self.path = path
        self.say()

    def say(self, **addresses):
        """From now on these names have these addresses, in this order."""
        lines = [f"{address} {name}.test" for name, all_of_it in addresses.items() for address in all_of_it]
        with open(self.path, "w") as file:  # in place: it is a mount
            file.write("\n".join(["127.0.0.1 localhost", *lines, ""]))

    def command(self, argv):
        return mounts.command({"/etc/hosts": self.path}, argv)


def test_a_seed_is_a_name_whose_addresses_change(cluster, hosts, make_rolegate):
    """One seed, a name with two addresses, at the first of which nobody listens; then it stands for nothing.

    Every address is tried, a dead one is not asked again and again, and the last good answer is kept.
    """
    first = cluster.nodes[0]
    nobody = f"{first.host.rpartition('.')[0]}.99"
    hosts.say(patroni=[nobody, first.host])
    rolegate = make_rolegate([f"patroni.test:{first.rest_port}"])
    rolegate.child.argv = hosts.command(rolegate.child.argv)
    rolegate.start()
    rolegate.wait_routable("write", [cluster.leader().name])
    asked = f"patroni.test:{first.rest_port}"

    def answered():
        return rolegate.metric("rolegate_checks_total", member=asked, result="ok") or 0

    # Its first address is out of the way for good, and what answered is asked again.
    seen = answered()
    wait_until("the seed is asked again", lambda: answered() >= seen + 5, 60)
    assert (rolegate.metric("rolegate_checks_total", member=asked, result="error") or 0) <= 1

    hosts.say()
    assert where(cluster, rolegate, rolegate.write_port) == (cluster.leader().name, False)
    assert {where(cluster, rolegate, rolegate.read_port)[0] for _ in range(4)} == {
        node.name for node in cluster.replicas()}


def test_a_tcp_member_is_a_name_whose_addresses_change(cluster, hosts, directory, request):
    """A service is a name: it has two addresses, at the first of which nobody listens; then it stands for another node,
    and then for nothing.

    The member is up at whichever address answers, clients are led there; a name without an address is down when the
    address that was known does not answer any more, and up again when it has one.
    """
    first, second = cluster.nodes[:2]
    nobody = f"{first.host.rpartition('.')[0]}.99"
    hosts.say(service=[nobody, first.host])
    name = f"service.test:{first.pg_port}"
    assert first.pg_port == second.pg_port
    proxy = ServiceRolegate([name], directory, "tcp-name", {"inter": "200ms", "rise": 1, "fall": 2})
    proxy.child.argv = hosts.command(proxy.child.argv)
    request.node.rolegates = [proxy]

    def server():
        return cluster.query_at(proxy.host, proxy.port, "SELECT host(inet_server_addr())")[0][0]

    def first_served():
        try:
            return server()
        except psycopg2.OperationalError:  # its port is open before it takes logins
            return None

    proxy.start()
    try:
        wait_until("the service is up", lambda: proxy.check_status(name) == "UP", 30)
        assert server() == first.host

        first.stop()
        hosts.say(service=[second.host])
        wait_until("the other address is known", lambda: proxy.check_status(name) == "UP", 90)
        assert server() == second.host

        hosts.say()
        second.stop()
        wait_until("the service is down", lambda: proxy.check_status(name) == "DOWN", 60)
        hosts.say(service=[first.host])
        first.start()
        wait_until("the service is up again", lambda: proxy.check_status(name) == "UP", 90)
        wait_until("it has started", lambda: first_served() == first.host, 60)
    finally:
        proxy.stop()
        for node in (first, second):
            if not node.child.running:
                node.start()
