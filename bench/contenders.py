# SPDX-License-Identifier: PostgreSQL
"""Who is measured: proxies in front of the same PostgreSQL, with as many threads as there are CPUs where they can have
them, clear text, and no logging of sessions."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../deploy"))

from demo import ports, rolegate  # noqa: E402
from demo.processes import Child, cpu_seconds, wait_until  # noqa: E402

HOST = "127.0.0.1"

HAPROXY = """\
global
    maxconn 6000
    nbthread {threads}
defaults
    mode tcp
    timeout connect 4s
    timeout client 30m
    timeout server 30m
listen write
    bind {host}:{port}
    option httpchk OPTIONS /master
    http-check expect status 200
    server pg {server}:{server_port} check inter 2s port {rest_port} on-marked-down shutdown-sessions
"""

PGBOUNCER = """\
[databases]
* = host={server} port={server_port} user=postgres
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = session
max_client_conn = 6000
default_pool_size = 250
server_lifetime = 0
log_connections = 0
log_disconnections = 0
ignore_startup_parameters = extra_float_digits
"""

NGINX = """\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
worker_processes {threads};
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx-errors.log;
events {{ worker_connections 8192; }}
stream {{
    server {{
        listen {host}:{port} reuseport;
        tcp_nodelay on;
        proxy_timeout 30m;
        proxy_pass {server}:{server_port};
    }}
}}
"""


class Direct:
    name = "direct"

    def __init__(self, node, directory):
        self.host, self.port = node.host, node.pg_port

    def start(self):
        pass

    def stop(self):
        pass

    def cpu(self):
        return 0.0


class Rolegate:
    name = "Rolegate"

    def __init__(self, node, directory):
        self.host, self.port = HOST, ports.free_port()
        # As HAProxy above: a line for each session is not what is compared.
        self._proxy = rolegate.Rolegate([node.rest], directory, self.port, ports.free_port(), ports.free_port(),
                                        process={"log": {"level": "warning"}, "maxconn": 6000})

    def start(self):
        self._proxy.start(ready=False)
        wait_until("Rolegate leads to the primary", lambda: self._proxy.routable("write"), 20)

    def stop(self):
        self._proxy.stop()

    def cpu(self):
        return cpu_seconds(self._proxy.child.pid)


class Configured:
    """A program with one file of configuration."""

    def __init__(self, node, directory, text, argv, user=None):
        self.host, self.port = HOST, ports.free_port()
        self._config = f"{directory}/{self.name}.conf"
        with open(self._config, "w") as file:
            file.write(text.format(host=HOST, port=self.port, server=node.host, server_port=node.pg_port,
                                   rest_port=node.rest_port, threads=os.cpu_count(), directory=directory))
        self._child = Child(self.name, [word.format(config=self._config) for word in argv],
                            f"{directory}/{self.name}.log", user=user)

    def start(self):
        self._child.start()
        wait_until(f"{self.name} listens", lambda: self._child.require_running() or ports.is_taken(self.host, self.port), 10)

    def stop(self):
        self._child.stop(limit=3)

    def cpu(self):
        """Of the process and its children: nginx has one for each worker."""
        pid = self._child.pid
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return sum(cpu_seconds(int(one)) for one in [pid, *file.read().split()])


class HAProxy(Configured):
    name = "HAProxy"

    def __init__(self, node, directory):
        super().__init__(node, directory, HAPROXY, ["haproxy", "-db", "-f", "{config}"])


class PgBouncer(Configured):
    name = "PgBouncer"

    def __init__(self, node, directory):
        super().__init__(node, directory, PGBOUNCER, ["pgbouncer", "{config}"],
                         user="postgres" if os.geteuid() == 0 else None)


class Nginx(Configured):
    name = "nginx"

    def __init__(self, node, directory):
        super().__init__(node, directory, NGINX, ["nginx", "-c", "{config}"])


ALL = (Direct, Rolegate, HAProxy, PgBouncer, Nginx)
