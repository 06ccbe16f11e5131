# SPDX-License-Identifier: PostgreSQL
"""SCRAM's channel binding proves to client and server that they have the same TLS between them. So it lives through
Rolegate where TLS is passed through, or where all show the same certificate; the rest of the table is what is left."""

import contextlib

import psycopg2
import pytest
import yaml

import modes
from demo import rest
from demo.processes import wait_until

USER, PASSWORD = "scram", "a secret of its own"
CHOICES = ("disable", "prefer", "require")
# What psycopg2 has to say where it does not get in, with Debian's libpq 15.
NOT_OFFERED = "channel binding is required, but server did not offer an authentication method that supports channel " \
    "binding"
FAILED = "SCRAM channel binding check failed"

# How Rolegate shows itself and reaches the servers: (certificate it ends TLS with, sslmode towards the servers), and
# what comes of each choice of the client: None for a session.
WAYS = {
    "passed through": (None, None, dict.fromkeys(CHOICES)),
    "ended, servers in clear text": ("rolegate", "disable", {"disable": None, "prefer": None, "require": NOT_OFFERED}),
    "ended with the servers' certificate": ("postgres", "require", dict.fromkeys(CHOICES)),
    "ended with another certificate": ("rolegate", "require", {"disable": None, "prefer": FAILED, "require": FAILED}),
}


@contextlib.contextmanager
def scram_user(cluster, node):
    """A role whose password is asked for, by SCRAM alone, on this node."""
    def load(config):
        with open(node.config, "w") as file:
            file.write(config)
        rest.ask(node.rest, "/reload", "POST", {}, timeout=10)

    def rules():
        return [row[0] for row in cluster.query(
            node, "SELECT auth_method FROM pg_hba_file_rules WHERE %s = ANY(user_name)", USER)]
    with open(node.config) as file:
        before = file.read()
    config = yaml.safe_load(before)
    config["postgresql"]["pg_hba"].insert(0, f"host all {USER} 127.0.0.0/8 scram-sha-256")
    cluster.query(node, f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
    try:
        load(yaml.safe_dump(config, sort_keys=False))
        wait_until("the server asks for SCRAM", lambda: rules() == ["scram-sha-256"], 30)
        yield
    finally:
        load(before)
        wait_until("the server asks as before", lambda: rules() == [], 30)
        cluster.query(node, f"DROP ROLE {USER}")


def proxy_for(way, cluster, make_rolegate):
    """Rolegate for this way, and libpq's options of a client that trusts what it shows."""
    certificate, sslmode, _ = WAYS[way]
    if certificate is None:
        return modes.start("passthrough", cluster, make_rolegate), modes.options("passthrough", cluster)
    base = f"{modes.certificates(cluster)}/{certificate}"
    proxy = modes.start("passthrough", cluster, make_rolegate, server_tls={"sslmode": sslmode},
                        tls={"mode": "terminate", "cert": f"{base}.crt", "key": f"{base}.key"})
    return proxy, {"sslmode": "verify-full", "sslrootcert": f"{base}-ca.crt"}


@pytest.mark.parametrize("way", WAYS)
def test_which_ways_keep_channel_binding(cluster, make_rolegate, way):
    """A client with channel_binding=require gets its session where TLS is passed through and where Rolegate and the
    servers share a certificate. Where the servers are reached in clear text, `prefer` gets one without a binding; where
    certificates differ only `disable` does. Who does not get in is told why, by the server or by libpq."""
    expected = WAYS[way][2]
    proxy, options = proxy_for(way, cluster, make_rolegate)
    with scram_user(cluster, cluster.leader()):
        for choice in CHOICES:
            dsn = cluster.dsn(proxy.host, proxy.write_port, user=USER, password=PASSWORD, channel_binding=choice,
                              connect_timeout=30, **options)
            try:
                with contextlib.closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
                    cursor.execute("SELECT session_user")
                    said = cursor.fetchone()[0]
            except psycopg2.OperationalError as error:
                said = str(error)
            print(f"{way}, {choice}: {' '.join(said.split())}")
            assert said == USER if expected[choice] is None else expected[choice] in said, f"{way}, {choice}: {said}"

        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(cluster.dsn(proxy.host, proxy.write_port, user=USER, password="wrong",
                                         channel_binding="disable", **options))
