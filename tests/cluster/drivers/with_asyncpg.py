# SPDX-License-Identifier: PostgreSQL
"""asyncpg as a client; see common.py. One event loop runs all the time, as in a program that uses asyncpg."""

import asyncio
import datetime
import decimal
import os
import threading

import asyncpg

import common

loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()


def wait(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


class Driver:
    @staticmethod
    def connect():
        return wait(asyncpg.connect(timeout=float(os.environ["PGCONNECT_TIMEOUT"])))

    @staticmethod
    def query(connection, sql, *parameters):
        return wait(connection.fetchval(sql, *parameters))

    @staticmethod
    def close(connection):
        wait(connection.close())

    @staticmethod
    def sqlstate(error):
        return getattr(error, "sqlstate", None)


class Undo(Exception):
    pass


async def transaction(connection, value, fails):
    try:
        async with connection.transaction():
            await connection.execute("INSERT INTO t VALUES ($1)", value)
            if fails:
                raise Undo
    except Undo:
        pass


async def sums(connection):
    statement = await connection.prepare("SELECT $1::int + $2::int")
    return [await statement.fetchval(n, n + 1) for n in (1, 2, 3)]


async def notification(connection, other):
    heard = loop.create_future()
    await connection.add_listener("drivers", lambda _connection, _pid, _channel, payload: heard.set_result(payload))
    await other.execute("NOTIFY drivers, 'hello'")
    return await heard


def basics():
    connection, ask = Driver.connect(), Driver.query
    yield "select", ask(connection, "SELECT 42")
    yield "tls", ask(connection, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")

    ask(connection, "CREATE TEMPORARY TABLE t (x int)")
    wait(transaction(connection, 1, fails=True))
    wait(transaction(connection, 2, fails=False))
    yield "transaction", ask(connection, "SELECT count(*) FROM t")

    try:
        ask(connection, "SELECT * FROM nowhere")
    except asyncpg.PostgresError as error:
        yield "error", error.sqlstate
    yield "after the error", ask(connection, "SELECT 7")

    yield "prepared", " ".join(str(number) for number in wait(sums(connection)))

    values = (-2**63, decimal.Decimal("12345678901234567890.0123456789"), True, None, [1, 2, 3],
              datetime.datetime(2026, 2, 28, 23, 59, 59, 999999), common.all_bytes())
    row = wait(connection.fetchrow(
        "SELECT $1::int8, $2::numeric, $3::bool, $4::text, $5::int[], $6::timestamp, $7::bytea", *values))
    yield "values", tuple(row) == values

    yield "notify", wait(notification(connection, Driver.connect()))


common.main(Driver, basics)
