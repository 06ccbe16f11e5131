# SPDX-License-Identifier: PostgreSQL
"""Who is measured: proxies in front of the same PostgreSQL, with as many threads as there are CPUs where they can have
them, and no logging of sessions.

A program may serve several modes: clients in clear text, TLS between client and server passed through, TLS ended by the
proxy. `server` below is where it leads to: anything with host, pg_port, rest_port and rest.
"""

import os
import subprocess

import stage  # noqa: F401  (the path to demo)
import usage
from demo import ports, rolegate
from demo.processes import Child, wait_until

HOST = "127.0.0.1"
CLEAR, PASSED, ENDED = "clear", "TLS passed through", "TLS ended"
SSLMODE = {CLEAR: "disable", PASSED: "require", ENDED: "require"}
MAXCONN = 6000

HAPROXY = """\
global
    maxconn {maxconn}
    nbthread {threads}
defaults
    mode tcp
    timeout connect 4s
    timeout client 30m
    timeout server 30m
listen write
    bind {host}:{port}
    option httpchk OPTIONS /primary
    http-check expect status 200
    server pg {server}:{server_port} check inter 2s port {rest_port} on-marked-down shutdown-sessions
"""

# One thread: it has no more.
PGBOUNCER = """\
[databases]
* = host={server} port={server_port} user=postgres
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = session
max_client_conn = {maxconn}
default_pool_size = {maxconn}
server_lifetime = 0
log_connections = 0
log_disconnections = 0
ignore_startup_parameters = extra_float_digits
server_tls_sslmode = disable
client_tls_sslmode = allow
client_tls_cert_file = {certificate}
client_tls_key_file = {key}
"""

NGINX = """\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
worker_processes {threads};
daemon off;
pid {directory}/nginx-{port}.pid;
error_log {directory}/nginx-errors.log;
events {{ worker_connections 16384; }}
stream {{
    server {{
        listen {host}:{port} reuseport backlog=4096;
        tcp_nodelay on;
        proxy_timeout 30m;
        proxy_pass {server}:{server_port};
    }}
}}
"""


class Direct:
    name = "direct"
    modes = (CLEAR, PASSED)
    pids = ()

    def __init__(self, server, directory, certificate):
        self.host, self.port = server.host, server.pg_port

    def start(self):
        pass

    def stop(self):
        pass


class Rolegate:
    name = "Rolegate"
    modes = (CLEAR, PASSED)
    label = "rolegate"

    def __init__(self, server, directory, certificate):
        self.host, self.port = HOST, ports.free_port()
        # As HAProxy above: a line for each session is not what is compared.
        self._proxy = rolegate.Rolegate(
            [server.rest], directory, self.port, ports.free_port(), ports.free_port(),
            name=f"{self.label}-{self.port}", write=self._listener(certificate),
            process={"log": {"level": "warning"}, "maxconn": MAXCONN})

    @staticmethod
    def _listener(certificate):
        return {}

    def start(self):
        self._proxy.start(ready=False)
        wait_until("Rolegate leads to the primary", lambda: self._proxy.routable("write"), 20)

    def stop(self):
        self._proxy.stop()

    @property
    def pids(self):
        return [self._proxy.child.pid]


class RolegateEndsTls(Rolegate):
    """A process of its own, because a listener that ends TLS cannot pass it through."""
    modes = (ENDED,)
    label = "rolegate-tls"

    @staticmethod
    def _listener(certificate):
        return {"tls": {"mode": "terminate", "cert": certificate.path, "key": certificate.key}}


class Configured:
    """A program with one file of configuration."""
    modes = (CLEAR, PASSED)
    user = None

    def __init__(self, server, directory, certificate):
        self.host, self.port = HOST, ports.free_port()
        config = f"{directory}/{self.name}-{self.port}.conf"
        stage.write(directory, os.path.basename(config), self.text.format(
            host=HOST, port=self.port, server=server.host, server_port=server.pg_port, rest_port=server.rest_port,
            threads=os.cpu_count(), directory=directory, maxconn=MAXCONN, certificate=certificate.path,
            key=certificate.key))
        self._child = Child(self.name, [*self.argv, config], f"{directory}/{self.name}.log", user=self.user)

    def start(self):
        self._child.start()
        wait_until(f"{self.name} listens",
                   lambda: self._child.require_running() and ports.is_taken(self.host, self.port), 10)

    def stop(self):
        self._child.stop(limit=3)

    @property
    def pids(self):
        return usage.family(self._child.pid)


class HAProxy(Configured):
    name, text, argv = "HAProxy", HAPROXY, ("haproxy", "-db", "-f")


class PgBouncer(Configured):
    name, text, argv = "PgBouncer", PGBOUNCER, ("pgbouncer",)
    modes = (CLEAR, ENDED)
    user = "postgres" if os.geteuid() == 0 else None


class Nginx(Configured):
    name, text, argv = "nginx", NGINX, ("nginx", "-c")


class BareRelay:
    """The floor: bare_relay.c."""
    name = "bare relay"
    modes = (CLEAR,)

    def __init__(self, server, directory, certificate):
        self.host, self.port = HOST, ports.free_port()
        program = f"{directory}/bare_relay"
        subprocess.run(["cc", "-O2", "-pthread", "-o", program, os.path.join(os.path.dirname(__file__), "bare_relay.c")],
                       check=True)
        self._child = Child(self.name, [program, self.host, str(self.port), server.host, str(server.pg_port),
                                        str(os.cpu_count())], f"{directory}/bare-relay-{self.port}.log")

    def start(self):
        self._child.start()
        wait_until("the bare relay listens",
                   lambda: self._child.require_running() or ports.is_taken(self.host, self.port), 10)

    def stop(self):
        self._child.stop(limit=1)

    @property
    def pids(self):
        return [self._child.pid]


ALL = (Direct, BareRelay, Rolegate, RolegateEndsTls, HAProxy, PgBouncer, Nginx)
NAMES = tuple(dict.fromkeys(kind.name for kind in ALL))


class Way:
    """One program in one mode: what a measure is played on."""

    def __init__(self, program, mode):
        self.program, self.mode = program, mode
        self.name, self.host, self.port = program.name, program.host, program.port

    def cpu(self):
        """Seconds so far."""
        return sum(map(usage.cpu, self.program.pids))

    def memory(self):
        return sum(map(usage.resident, self.program.pids))

    def environment(self):
        return {"PATH": os.environ["PATH"], "PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": "postgres",
                "PGDATABASE": "postgres", "PGSSLMODE": SSLMODE[self.mode], "PGGSSENCMODE": "disable", "LC_ALL": "C"}


def ways(programs, *modes):
    return [Way(program, mode) for mode in modes for program in programs if mode in program.modes]
