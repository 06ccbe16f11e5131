# SPDX-License-Identifier: PostgreSQL
"""Every byte of a session through Rolegate is the byte that PostgreSQL said or was told.

A long script of raw protocol is played to the primary itself and through the write port. The two transcripts are equal;
only process ids, cancel keys and numbers of temporary schemas are blotted out, and what differs by nature (OIDs, LSNs,
the time) is not asked for.
"""

import re
import struct

import pytest

import modes
from modes import in_each_mode
from raw import FLUSH, SYNC, TERMINATE, RawClient, bind, call, close, describe, execute, frame, parse, simple

MEGABYTE = 1 << 20
LARGE_OBJECT = 424242
# Function OIDs of pg_proc, the same since ever.
INT4PL, LO_OPEN, LO_CLOSE, LOREAD, LOWRITE = 177, 952, 953, 954, 955
INT4, INT8, TEXT, BYTEA, FLOAT8 = 23, 20, 25, 17, 701


def number(value):
    return struct.pack("!i", value)


def simple_queries(client):
    client.ask(simple("SELECT 1, NULL, 'text', ''"))
    client.ask(simple(""))
    client.ask(simple(";;"))
    client.ask(simple("SELECT 1; SELECT 2; SELECT * FROM nowhere; SELECT 3"))
    client.ask(simple("SELECT n, repeat('x', n) FROM generate_series(0, 3000) n"))
    client.ask(simple("SELECT"))
    client.ask(simple("CREATE TEMPORARY TABLE t (id int PRIMARY KEY, body text)"))
    client.ask(simple("INSERT INTO t SELECT n, n::text FROM generate_series(1, 100) n; "
                      "UPDATE t SET body = 'x' WHERE id < 50"))
    client.ask(simple("BEGIN"))
    client.ask(simple("INSERT INTO t VALUES (1, 'twice')"))
    client.ask(simple("SELECT 1"))
    client.ask(simple("ROLLBACK"))
    client.ask(simple("SET application_name TO 'identity'; SET DateStyle TO 'SQL, DMY'; RESET DateStyle"))


def errors_and_notices(client):
    client.ask(simple("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two' USING DETAIL = 'd', HINT = 'h'; END $$"))
    client.ask(simple("DO $$ BEGIN RAISE EXCEPTION 'three' USING ERRCODE = 'RL001', COLUMN = 'c'; END $$"))
    client.ask(simple("SELECT 1 / 0"))
    client.ask(simple("SELEKT"))
    client.ask(simple("SET client_min_messages TO debug1; DROP TABLE IF EXISTS nothing; RESET client_min_messages"))
    client.ask(simple("DO $$ BEGIN FOR n IN 1..2000 LOOP RAISE NOTICE '% %', n, repeat('n', n % 100); END LOOP; "
                      "END $$"))
    client.ask(simple("SET statement_timeout TO 50; SELECT pg_sleep(60)"))
    client.ask(simple("RESET statement_timeout"))


def extended_queries(client):
    client.ask(parse("s", "SELECT $1::int4 + $2::int4, $3::text", (INT4, INT4, TEXT)), describe(b"S", "s"),
               bind("", "s", (b"1", b"2", None)), describe(b"P", ""), execute(""), SYNC)
    client.ask(bind("p", "s", (number(3), number(4), b"text"), (1, 1, 0), (1,)), describe(b"P", "p"), execute("p"),
               close(b"P", "p"), close(b"S", "s"), close(b"S", "never"), SYNC)
    client.ask(parse("", "SELECT * FROM nowhere"), bind("", ""), execute(""), SYNC)
    client.ask(bind("", "unknown"), execute(""), SYNC)
    client.ask(parse("", "SELECT n FROM generate_series(1, 10) n"), bind("", ""), execute("", 3), execute("", 3),
               execute("", 99), SYNC)
    client.ask(parse("", ""), bind("", ""), execute(""), SYNC)
    client.ask(parse("", "SET search_path TO DEFAULT"), describe(b"S", ""), bind("", ""), describe(b"P", ""),
               execute(""), SYNC)
    client.ask(SYNC)
    # Flush instead of Sync: the answers come, ReadyForQuery does not.
    client.send(parse("", "SELECT 5"), bind("", ""), describe(b"P", ""), execute(""), FLUSH)
    client.until(b"C")
    client.ask(SYNC)


def binary_values(client):
    values = (number(-2**31), struct.pack("!q", 2**63 - 1), struct.pack("!d", 0.1), bytes(range(256)) * 40,
              "Grüße €".encode())
    client.ask(parse("", "SELECT $1, $2, $3, $4, $5, true, ARRAY[[1, 2], [3, NULL]], '2026-02-28'::timestamp, "
                         "1.50::numeric, '{\"a\": [1]}'::jsonb, "
                         "'10.1.2.3/8'::inet, int4range(1, 5), ROW(1, 'x'), NULL::int",
                     (INT4, INT8, FLOAT8, BYTEA, TEXT)),
               bind("", "", values, (1,), (1,)), describe(b"P", ""), execute(""), SYNC)
    client.ask(parse("", "SELECT $1", (INT4,)), bind("", "", (b"12",), (1,), (1,)), execute(""), SYNC)


def pipelines(client):
    """Many Syncs under way, errors among them; then a batch whose later half is skipped."""
    batch = [parse("q", "SELECT 100 / $1::int4, repeat('r', 300)", (INT4,)), SYNC]
    for n in range(2000):
        batch += [bind("", "q", (number(n % 7),), (1,), (1,)), execute(""), SYNC]
    client.send(*batch)
    client.until_ready(2001)
    client.ask(*(bind("", "q", (number(n),), (1,)) + execute("") for n in (5, 0, 5, 5)), SYNC)
    client.send(simple("SELECT 'a'"), simple("SELECT 'b'; SELECT 1/0"),
                parse("", "SELECT 'c'"), bind("", ""), execute(""), SYNC,
                simple("SELECT 'd'"))
    client.until_ready(4)


def copies(client):
    client.ask(simple("CREATE TEMPORARY TABLE c (id int, body bytea)"))
    rows = b"".join(b"%d\t\\\\x%s\n" % (n, b"%02x" % (n % 256) * (n % 200)) for n in range(20000))
    client.send(simple("COPY c FROM STDIN"))
    client.until(b"G")
    pieces = [frame(b"d", rows[start:start + 10007]) for start in range(0, len(rows), 10007)]
    client.ask(*pieces, frame(b"c"))
    for form in ("text", "csv", "binary"):
        client.ask(simple(f"COPY c TO STDOUT (FORMAT {form})"))
    client.send(simple("COPY c FROM STDIN"))
    client.until(b"G")
    client.ask(frame(b"d", b"1\t\\\\x00\n"), frame(b"f", b"changed my mind\0"))
    client.send(simple("COPY c FROM STDIN"))
    client.until(b"G")
    client.ask(frame(b"d", b"not a number\n") * 1000, frame(b"c"))
    client.ask(simple("SELECT count(*), md5(string_agg(md5(body), '' ORDER BY id)) FROM c"))
    # COPY in the extended protocol.
    client.send(parse("", "COPY c FROM STDIN"), bind("", ""), execute(""), SYNC)
    client.until(b"G")
    client.ask(frame(b"d", b"7\t\\\\x07\n"), frame(b"c"), SYNC)
    client.ask(parse("", "COPY c TO STDOUT"), bind("", ""), execute(""), SYNC)


def cursors(client):
    client.ask(simple("BEGIN; DECLARE k SCROLL CURSOR WITH HOLD FOR "
                      "SELECT n, repeat('k', 500) FROM generate_series(1, 500) n"))
    for move in ("FETCH 10", "FETCH BACKWARD 5", "FETCH LAST", "FETCH ABSOLUTE 250", "MOVE FORWARD 10", "FETCH ALL"):
        client.ask(simple(f"{move} FROM k"))
    client.ask(simple("COMMIT"))
    client.ask(simple("FETCH FIRST FROM k; CLOSE k; FETCH k"))


def function_calls(client):
    client.ask(call(INT4PL, number(40), number(2)))
    client.ask(call(INT4PL, number(2**31 - 1), number(1)))
    client.ask(call(4294967295))


def large_objects(client):
    """As libpq does it: FunctionCall for every step, here with 3 MB in pieces."""
    client.ask(simple(f"BEGIN; SELECT lo_create({LARGE_OBJECT})"))
    client.ask(call(LO_OPEN, number(LARGE_OBJECT), number(0x60000)))
    for _ in range(3):
        client.ask(call(LOWRITE, number(0), bytes(range(256)) * 4096))
    client.ask(simple("SELECT lo_lseek(0, 0, 0)"))
    for _ in range(4):
        client.ask(call(LOREAD, number(0), number(900000)))
    client.ask(call(LO_CLOSE, number(0)))
    client.ask(simple("ROLLBACK"))


def notifications(client):
    client.ask(simple("LISTEN identity"))
    client.ask(simple("SELECT count(pg_notify('identity', n || repeat('z', 7000))) FROM generate_series(1, 50) n"))
    client.ask(simple("NOTIFY identity; UNLISTEN identity"))
    client.ask(simple("NOTIFY identity, 'nobody listens'"))


def huge_rows(client):
    for megabytes in (10, 100):
        client.ask(simple(f"SELECT repeat('h', {megabytes * MEGABYTE}), 1"))
    client.ask(parse("", "SELECT length($1::text), md5($1::text)", (TEXT,)),
               bind("", "", (b"up" * (5 * MEGABYTE),)), execute(""), SYNC)


def transactions(client):
    client.ask(simple("BEGIN ISOLATION LEVEL SERIALIZABLE; SAVEPOINT a; SELECT 1/0"))
    client.ask(simple("ROLLBACK TO a; RELEASE a"))
    client.ask(parse("", "COMMIT"), bind("", ""), execute(""), SYNC)
    client.ask(simple("COMMIT"))


SCRIPT = (simple_queries, errors_and_notices, extended_queries, binary_values, pipelines, copies, cursors,
          function_calls, large_objects, notifications, huge_rows, transactions)


def blotted(body):
    """Errors name the schema of a temporary table, and that the server's process: the first free number, which is another
    one when autovacuum works beside it."""
    return re.sub(rb"\0spg_temp_\d+\0", rb"\0spg_temp_(number)\0", body)


def play(host, port, context, script=SCRIPT):
    """Transcript of the script by part, with the first and the last words."""
    transcript = {}
    with RawClient(host, port, context, application_name="raw", client_encoding="UTF8") as client:
        transcript["start"] = list(client.said)
        for part in script:
            begin = len(client.said)
            part(client)
            transcript[part.__name__] = [(kind, blotted(body)) for kind, body in client.said[begin:]]
        client.send(TERMINATE)
        transcript["end"] = client.rest()
    return transcript


@pytest.fixture(scope="module")
def direct_transcript():
    """Filled by the first test: what the primary says without Rolegate does not depend on the mode."""
    return {}


@pytest.fixture
def direct(cluster, direct_transcript):
    """What the primary itself says."""
    if not direct_transcript:
        leader = cluster.leader()
        direct_transcript.update(play(leader.host, leader.pg_port, None))
    return direct_transcript


def check_identity(through, direct):
    """Message for message the same, in the parts that were played through Rolegate."""
    for part, said in through.items():
        for count, (here, there) in enumerate(zip(said, direct[part])):
            assert here == there, f"{part}, message {count}"
        assert len(said) == len(direct[part]), part


@in_each_mode
def test_a_session_is_the_same_through_rolegate(cluster, make_rolegate, direct, mode):
    """Simple and extended queries, pipelines, errors, notices, NOTIFY, COPY both ways, large objects, cursors, function
    calls, binary formats and rows of 100 MB: message for message the same as from the primary itself."""
    proxy = modes.start(mode, cluster, make_rolegate)

    through = play(proxy.host, proxy.write_port, modes.tls_context(mode, cluster))

    assert list(through) == list(direct)
    check_identity(through, direct)
    kinds = {kind for part in through.values() for kind, _ in (part if isinstance(part, list) else ())}
    assert {bytes([letter]) for letter in b"RSKZTDCEN12t3nIsAGHdcV"} - kinds == set()


@pytest.mark.parametrize("size", (17, 1021))
@pytest.mark.parametrize("mode", ("clear", "terminated"))
def test_a_session_is_the_same_with_buffers_of_odd_sizes(cluster, make_rolegate, direct, mode, size):
    """Every message is cut where the relay's buffer ends, in its header too; without the rows of 100 MB."""
    proxy = modes.start(mode, cluster, make_rolegate, process={"buffer_size": size})
    script = tuple(part for part in SCRIPT if part is not huge_rows)

    through = play(proxy.host, proxy.write_port, modes.tls_context(mode, cluster), script)

    assert len(through) == len(script) + 2
    check_identity(through, direct)
