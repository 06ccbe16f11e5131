# SPDX-License-Identifier: PostgreSQL
"""A primary and a standby without Patroni: initdb, pg_basebackup, pg_ctl promote, and what befalls them."""

import os
import shutil
import signal
import subprocess

import psycopg2

from demo.node import postgres_bin
from demo.processes import TIMEOUT_SCALE, Child, as_user, service_user, wait_until

PARAMETERS = {"fsync": "off", "max_connections": "50", "shared_buffers": "16MB", "wal_keep_size": "64MB",
              "wal_log_hints": "on", "hot_standby": "on", "max_wal_senders": "5"}
HBA = "host all all 127.0.0.0/8 trust\nhost replication all 127.0.0.0/8 trust\n"


def run(*words):
    """One of PostgreSQL's own programs, as the user that may run them."""
    argv = [f"{postgres_bin()}/{words[0]}", *map(str, words[1:])]
    done = subprocess.run(as_user(argv, service_user()), text=True, capture_output=True, cwd="/",
                          stdin=subprocess.DEVNULL, timeout=60 * TIMEOUT_SCALE)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {done.stdout} {done.stderr}")


class Server:
    """One PostgreSQL on an address of its own; its name is as Rolegate has it."""

    def __init__(self, host, port, directory):
        self.host = host
        self.pg_port = port
        self.name = f"{host}:{port}"
        self.directory = f"{directory}/{host}"
        self.data = f"{self.directory}/data"
        os.makedirs(self.directory)
        if service_user():
            shutil.chown(self.directory, service_user(), service_user())
        argv = [f"{postgres_bin()}/postgres", "-D", self.data, "-h", host, "-p", port, "-k", self.directory]
        for key, value in PARAMETERS.items():
            argv += ["-c", f"{key}={value}"]
        # SIGINT is PostgreSQL's fast shutdown.
        self.child = Child(self.name, argv, f"{directory}/{host}.log", service_user(), stop_signal=signal.SIGINT)

    def initialise(self):
        run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync", "--locale=C.UTF-8")
        with open(f"{self.data}/pg_hba.conf", "w") as file:
            file.write(HBA)

    def copy(self, source):
        """Its data becomes a standby's of `source`."""
        shutil.rmtree(self.data, ignore_errors=True)
        run("pg_basebackup", "-D", self.data, "-d", f"host={source.host} port={source.pg_port} user=postgres",
            "-R", "-X", "stream", "-c", "fast", "--no-sync")

    def start(self):
        def answers():
            # After kill -9 the old children may still hold the shared memory.
            self.child.start()
            try:
                return bool(self.query("SELECT 1"))
            except psycopg2.OperationalError:
                return False
        wait_until(f"{self.name} answers, log {self.child.log}", answers, 30, every=0.1)

    def stop(self):
        self.child.stop()

    def kill(self):
        """kill -9 of the postmaster; its children see that and end by themselves."""
        self.child.kill()

    def promote(self):
        run("pg_ctl", "promote", "-D", self.data, "-w")

    def query(self, sql, *parameters):
        connection = psycopg2.connect(host=self.host, port=self.pg_port, user="postgres", dbname="postgres",
                                      connect_timeout=5, sslmode="disable", gssencmode="disable")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


class Pair:
    """What the clients of the tests want to know of a cluster."""

    def __init__(self, directory, prefix, port=5434):
        self.primary, self.standby = self.nodes = [Server(f"{prefix}.{last}", port, directory) for last in (51, 52)]

    def start(self):
        self.primary.initialise()
        self.primary.start()
        self.primary.query("CREATE ROLE rolegate LOGIN")
        self.primary.query("CREATE TABLE writes (id bigserial PRIMARY KEY)")
        self.standby.copy(self.primary)
        self.standby.start()
        self.wait_streaming(self.standby, self.primary)

    @staticmethod
    def wait_streaming(standby, primary):
        def replayed():
            now = primary.query("SELECT pg_current_wal_lsn()")[0][0]
            return standby.query("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn AND pg_is_in_recovery()", now)[0][0]
        wait_until(f"{standby.name} follows {primary.name}", replayed, 30)

    def stop(self):
        for node in self.nodes:
            node.stop()

    def settings(self, **more):
        """The part of Rolegate's configuration about it."""
        return {"members": [node.name for node in self.nodes], "user": "rolegate", "sslmode": "disable", **more}

    @staticmethod
    def dsn(host, port, **more):
        options = {"host": host, "port": port, "user": "postgres", "dbname": "postgres", "sslmode": "disable",
                   "gssencmode": "disable", "connect_timeout": 20} | more
        return " ".join(f"{key}='{value}'" for key, value in options.items())
