# SPDX-License-Identifier: PostgreSQL
"""psycopg 3 as a client; see common.py."""

import datetime
import decimal

import psycopg

import common


class Driver:
    @staticmethod
    def connect():
        return psycopg.connect("", autocommit=True)

    @staticmethod
    def query(connection, sql, parameters=None, **more):
        cursor = connection.execute(sql, parameters, **more)
        return cursor.fetchone()[0] if cursor.description else None

    @staticmethod
    def close(connection):
        connection.close()

    @staticmethod
    def sqlstate(error):
        return getattr(error, "sqlstate", None)


class Undo(Exception):
    pass


def basics():
    connection, ask = Driver.connect(), Driver.query
    yield "select", ask(connection, "SELECT 42")
    yield "tls", ask(connection, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")

    ask(connection, "CREATE TEMPORARY TABLE t (x int)")
    try:
        with connection.transaction():
            ask(connection, "INSERT INTO t VALUES (1)")
            raise Undo
    except Undo:
        pass
    with connection.transaction():
        ask(connection, "INSERT INTO t VALUES (2)")
    yield "transaction", ask(connection, "SELECT count(*) FROM t")

    try:
        ask(connection, "SELECT * FROM nowhere")
    except psycopg.Error as error:
        yield "error", error.sqlstate
    yield "after the error", ask(connection, "SELECT 7")

    yield "prepared", " ".join(str(ask(connection, "SELECT %s::int + %s::int", (n, n + 1), prepare=True))
                               for n in (1, 2, 3))

    values = (-2**63, decimal.Decimal("12345678901234567890.0123456789"), True, None, [1, 2, 3],
              datetime.datetime(2026, 2, 28, 23, 59, 59, 999999), common.all_bytes())
    row = connection.execute("SELECT %s::int8, %s::numeric, %s::bool, %s::text, %s::int[], %s::timestamp, %s::bytea",
                             values, binary=True).fetchone()
    yield "values", row == values

    ask(connection, "LISTEN drivers")
    other = Driver.connect()
    ask(other, "NOTIFY drivers, 'hello'")
    yield "notify", next(connection.notifies()).payload


common.main(Driver, basics)
