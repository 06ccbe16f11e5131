// SPDX-License-Identifier: PostgreSQL
// node-pg as a client; see common.py.
"use strict";

const fs = require("fs");
const readline = require("readline");
const { Client } = require("pg");

const say = (...words) => console.log(words.map(word => String(word).replace(/\s+/g, " ").trim()).join("\t"));
const sleep = ms => new Promise(done => setTimeout(done, ms));
const env = process.env;

function client() {
    // Without `host` an address is not compared with the certificate, but "localhost" is.
    const ssl = env.PGSSLMODE === "disable" ? false : { ca: fs.readFileSync(env.PGSSLROOTCERT), host: env.PGHOST };
    const made = new Client({ host: env.PGHOST, port: Number(env.PGPORT), user: env.PGUSER, password: env.PGPASSWORD,
                              database: env.PGDATABASE, ssl, connectionTimeoutMillis: 1000 * env.PGCONNECT_TIMEOUT });
    made.errors = [];
    made.on("error", error => made.errors.push(error));     // without it an ended session ends the program
    return made;
}

async function connect() {
    const made = client();
    await made.connect();
    return made;
}

const ask = async (session, text, values) => Object.values((await session.query(text, values)).rows[0] || {})[0];

async function basics() {
    const session = await connect();
    say("select", await ask(session, "SELECT 42"));
    say("tls", await ask(session, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") ? "True" : "False");

    await session.query("CREATE TEMPORARY TABLE t (x int)");
    await session.query("BEGIN");
    await session.query("INSERT INTO t VALUES (1)");
    await session.query("ROLLBACK");
    await session.query("BEGIN");
    await session.query("INSERT INTO t VALUES (2)");
    await session.query("COMMIT");
    say("transaction", await ask(session, "SELECT count(*) FROM t"));

    await session.query("SELECT * FROM nowhere").catch(error => say("error", error.code));
    say("after the error", await ask(session, "SELECT 7"));

    const sums = [];
    for (const n of [1, 2, 3])
        sums.push((await session.query({ name: "sum", text: "SELECT $1::int + $2::int AS sum",
                                         values: [n, n + 1] })).rows[0].sum);
    say("prepared", sums.join(" "));

    const bytes = Buffer.from(Array.from({ length: 2048 }, (_, n) => n % 256));
    const got = (await session.query(
        "SELECT $1::int8 AS i, $2::numeric AS n, $3::bool AS b, $4::text AS t, $5::int[] AS a, $6::bytea AS y",
        ["-9223372036854775808", "12345678901234567890.0123456789", true, null, [1, 2, 3], bytes])).rows[0];
    const binary = (await session.query({
        text: `SELECT -2147483648 AS i, 0.1::float8 AS f, '\\x${bytes.toString("hex")}'::bytea AS y`,
        binary: true })).rows[0];
    const same = got.i === "-9223372036854775808" && got.n === "12345678901234567890.0123456789" && got.b === true
        && got.t === null && got.a.join() === "1,2,3" && got.y.equals(bytes)
        && binary.i === -2147483648 && binary.f === 0.1 && binary.y.equals(bytes);
    say("values", same ? "True" : "False");

    const heard = new Promise(done => session.on("notification", message => done(message.payload)));
    await session.query("LISTEN drivers");
    const other = await connect();
    await other.query("NOTIFY drivers, 'hello'");
    say("notify", await heard);
    process.exit(0);
}

const orders = {};
const order = name => orders[name] || (orders[name] = Object.assign({}, { given: false }));

async function given(name) {
    while (!order(name).given)
        await sleep(5);
}

const situations = {
    async idle() {
        const session = await connect();
        say("ready", "idle");
        await given("idle");
        if (session.errors.length)      // what a program is told of a session it does not use
            throw session.errors[0];
        return ask(session, "SELECT 1");
    },
    async query() {
        const session = await connect();
        const asked = session.query("SELECT pg_sleep(600)");
        say("ready", "query");
        return asked;
    },
    async connecting() {
        let count = 0;
        while (!order("connecting").given) {
            const session = await connect();
            await session.end();
            if (++count === 1)
                say("ready", "connecting");
            await sleep(20);
        }
        return `${count} sessions`;
    },
    async waiting() {
        say("ready", "waiting");
        await given("waiting");
        return ask(await connect(), "SELECT pg_is_in_recovery()");
    },
};

async function live() {
    readline.createInterface({ input: process.stdin }).on("line", line => { order(line.trim()).given = true; });
    await Promise.all(Object.entries(situations).map(([name, run]) => run().then(
        text => say("report", name, "fine", "-", text),
        error => say("report", name, "error", error.code || "-", `${error.name}: ${error.message}`))));
    process.exit(0);
}

process.argv[2] === "basics" ? basics() : live();
