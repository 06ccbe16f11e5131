# SPDX-License-Identifier: PostgreSQL
"""psql as a client, one process for each session; see common.py."""

import re
import subprocess

import common

END = "--end--"


class PsqlError(Exception):
    @property
    def sqlstate(self):
        found = re.search(r"(?:ERROR|FATAL): +([0-9A-Z]{5}): ", str(self))
        return found[1] if found else None


class Psql:
    """Its errors go where its answers go, so that both are read in their order."""

    def __init__(self):
        self.process = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-v", "VERBOSITY=verbose"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.ask("")

    def ask(self, sql):
        """What psql said; an error when it had one to report, or ended. Without a query only that it is connected."""
        lines = []
        try:
            self.process.stdin.write((f"{sql};\n" if sql else "") + f"\\echo {END}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        for line in self.process.stdout:
            if line.strip() == END:
                break
            lines.append(line)
        else:
            self.process.wait()
        said = "".join(lines).strip()
        if self.process.poll() is not None or re.search(r"^(psql: error|ERROR|FATAL)", said, re.M):
            raise PsqlError(said)
        return said

    def close(self):
        self.process.communicate("\\q\n")


class Driver:
    @staticmethod
    def connect():
        return Psql()

    @staticmethod
    def query(connection, sql):
        return connection.ask(sql)

    @staticmethod
    def close(connection):
        connection.close()

    @staticmethod
    def sqlstate(error):
        return getattr(error, "sqlstate", None)


def basics():
    psql = Psql()
    yield "select", psql.ask("SELECT 42")
    yield "tls", psql.ask("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "t"

    psql.ask("CREATE TEMPORARY TABLE t (x int)")
    psql.ask("BEGIN; INSERT INTO t VALUES (1); ROLLBACK; BEGIN; INSERT INTO t VALUES (2); COMMIT")
    yield "transaction", psql.ask("SELECT count(*) FROM t")

    try:
        psql.ask("SELECT * FROM nowhere")
    except PsqlError as error:
        yield "error", error.sqlstate
    yield "after the error", psql.ask("SELECT 7")

    psql.ask("PREPARE sum AS SELECT $1::int + $2::int")
    yield "prepared", " ".join(psql.ask(f"EXECUTE sum ({n}, {n + 1})") for n in (1, 2, 3))

    sent = common.all_bytes()
    got = psql.ask(f"SELECT '\\x{sent.hex()}'::bytea, 12345678901234567890.0123456789, ARRAY[1, NULL]")
    yield "values", got == f"\\x{sent.hex()}|12345678901234567890.0123456789|{{1,NULL}}"

    psql.ask("LISTEN drivers")
    Psql().ask("NOTIFY drivers, 'hello'")
    while not (heard := re.search(r'with payload "(\w+)"', psql.ask("SELECT"))):
        pass
    yield "notify", heard[1]


common.main(Driver, basics)
