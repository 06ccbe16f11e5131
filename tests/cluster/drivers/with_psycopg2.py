# SPDX-License-Identifier: PostgreSQL
"""psycopg2 as a client; see common.py."""

import datetime
import decimal
import select

import psycopg2
import psycopg2.extensions

import common


class Driver:
    @staticmethod
    def connect():
        connection = psycopg2.connect("")
        connection.autocommit = True
        return connection

    @staticmethod
    def query(connection, sql, parameters=None):
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchone()[0] if cursor.description else None

    @staticmethod
    def close(connection):
        connection.close()

    @staticmethod
    def sqlstate(error):
        return getattr(error, "pgcode", None)


def basics():
    connection, ask = Driver.connect(), Driver.query
    yield "select", ask(connection, "SELECT 42")
    yield "tls", ask(connection, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")

    ask(connection, "CREATE TEMPORARY TABLE t (x int)")
    connection.autocommit = False
    ask(connection, "INSERT INTO t VALUES (1)")
    connection.rollback()
    ask(connection, "INSERT INTO t VALUES (2)")
    connection.commit()
    connection.autocommit = True
    yield "transaction", ask(connection, "SELECT count(*) FROM t")

    try:
        ask(connection, "SELECT * FROM nowhere")
    except psycopg2.Error as error:
        yield "error", error.pgcode
    yield "after the error", ask(connection, "SELECT 7")

    ask(connection, "PREPARE sum AS SELECT $1::int + $2::int")
    yield "prepared", " ".join(str(ask(connection, "EXECUTE sum (%s, %s)", (n, n + 1))) for n in (1, 2, 3))

    values = (-2**63, decimal.Decimal("12345678901234567890.0123456789"), True, None, [1, 2, 3],
              datetime.datetime(2026, 2, 28, 23, 59, 59, 999999))
    with connection.cursor() as cursor:
        cursor.execute("SELECT (%s)::int8, %s::numeric, %s::bool, %s::text, %s::int[], %s::timestamp, %s::bytea",
                       (*values, psycopg2.Binary(common.all_bytes())))
        row = cursor.fetchone()
    yield "values", (*row[:-1], bytes(row[-1])) == (*values, common.all_bytes())

    ask(connection, "LISTEN drivers")
    other = Driver.connect()
    ask(other, "NOTIFY drivers, 'hello'")
    while not connection.notifies:
        select.select([connection], [], [])
        connection.poll()
    yield "notify", connection.notifies[0].payload


common.main(Driver, basics)
