# SPDX-License-Identifier: PostgreSQL
"""How clients reach the cluster through Rolegate: clear text, TLS passed through, or TLS ended by Rolegate.

PostgreSQL and Rolegate have certificates of different authorities, and a client trusts only the one that its mode calls
for. So a session that stands proves who ended its TLS.
"""

import copy
import os
import shutil
import ssl
import subprocess

import pytest

from demo import processes
from demo.processes import wait_until

MODES = ("clear", "passthrough", "terminated")

in_each_mode = pytest.mark.parametrize("mode", MODES)


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60 * processes.TIMEOUT_SCALE)


def make_certificate(directory, name, addresses):
    """NAME.crt for these addresses and NAME.key, signed by an authority of its own, NAME-ca.crt."""
    base = f"{directory}/{name}"
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-days", "30", "-subj", f"/CN=authority of {name}",
            "-keyout", f"{base}-ca.key", "-out", f"{base}-ca.crt")
    openssl("req", *key, "-subj", f"/CN={name}", "-keyout", f"{base}.key", "-out", f"{base}.csr")
    with open(f"{base}.ext", "w") as file:
        file.write("subjectAltName=" + ",".join(f"IP:{address}" for address in addresses))
    openssl("x509", "-req", "-in", f"{base}.csr", "-CA", f"{base}-ca.crt", "-CAkey", f"{base}-ca.key",
            "-CAcreateserial", "-days", "30", "-extfile", f"{base}.ext", "-out", f"{base}.crt")


def certificates(cluster):
    """Directory with the certificates of `postgres` and of `rolegate`, made at the first call."""
    directory = f"{cluster.settings.directory}/tls"
    if not os.path.exists(directory):
        os.makedirs(directory, mode=0o755)
        # Clients know both by the address of the proxy; the proxy knows PostgreSQL by the addresses of the nodes.
        nodes = [f"{cluster.settings.prefix}.{number}" for number in range(11, 16)]
        make_certificate(directory, "postgres", ["127.0.0.1", *nodes])
        make_certificate(directory, "rolegate", ["127.0.0.1"])
        user = processes.service_user()
        if user:
            shutil.chown(f"{directory}/postgres.key", user, user)
    return directory


def switch_on_tls(cluster):
    """Every PostgreSQL speaks TLS to those who ask; who does not ask is served as before."""
    directory = certificates(cluster)
    cluster.configure(postgresql={"parameters": {
        "ssl": "on", "ssl_cert_file": f"{directory}/postgres.crt", "ssl_key_file": f"{directory}/postgres.key"}})
    for node in cluster.nodes:
        wait_until(f"{node.name} speaks TLS",
                   lambda: cluster.query(node, "SHOW ssl") == [("on",)], 30)  # noqa: B023


def authority(mode, cluster):
    """Certificate of the authority that a client trusts in this mode, None without TLS."""
    if mode == "clear":
        return None
    return f"{certificates(cluster)}/{'postgres' if mode == 'passthrough' else 'rolegate'}-ca.crt"


def options(mode, cluster):
    """libpq's options of a client that takes nothing else than this mode."""
    if mode == "clear":
        return {"sslmode": "disable"}
    return {"sslmode": "verify-full", "sslrootcert": authority(mode, cluster)}


def tls_context(mode, cluster):
    """The same for Python's ssl, None for clear text."""
    return None if mode == "clear" else ssl.create_default_context(cafile=authority(mode, cluster))


def environment(mode, cluster, proxy, port, **more):
    """The same for programs, and for libpq in them."""
    found = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "PGHOST": proxy.host,
             "PGPORT": str(port), "PGUSER": "postgres", "PGDATABASE": "postgres",
             "PGPASSWORD": cluster.settings.password, "PGGSSENCMODE": "disable",
             "PGCONNECT_TIMEOUT": str(int(90 * processes.TIMEOUT_SCALE))}
    return found | {f"PG{key.upper()}": value for key, value in options(mode, cluster).items()} | more


def listener(mode, cluster):
    """What both listeners of a proxy in this mode have in their configuration."""
    if mode != "terminated":
        return {}
    directory = certificates(cluster)
    return {"tls": {"mode": "terminate", "cert": f"{directory}/rolegate.crt", "key": f"{directory}/rolegate.key"},
            "server_tls": {"sslmode": "verify-full", "ca": f"{directory}/postgres-ca.crt"}}


def wait_all_routable(proxy, cluster):
    """A listener is ready with its first member; the others may be known a moment later."""
    proxy.wait_routable("write", [cluster.leader().name])
    proxy.wait_routable("read", [node.name for node in cluster.replicas()])


def start(mode, cluster, make_rolegate, dcs=False, process=None, **more):
    """Rolegate for clients of this mode, which knows the primary and every replica, with or without a watch on the lock; `process` adds to
    the top level, other keyword arguments to both listeners."""
    switch_on_tls(cluster)
    keys = listener(mode, cluster) | more
    # A copy, because YAML would write the second as an alias of the first.
    proxy = make_rolegate([node.rest for node in cluster.nodes], write=keys, read=copy.deepcopy(keys),
                          cluster={"dcs": cluster.dcs()} if dcs else None, process=process)
    proxy.start()
    wait_all_routable(proxy, cluster)
    if dcs:
        wait_until("the lock is known from etcd", lambda: proxy.lock().get("source") == "etcd3", 20)
    return proxy
