# SPDX-License-Identifier: PostgreSQL
"""What operators do to a running proxy: members out of service and back, sessions listed and ended, listeners paused;
and who may."""

import json
import os
import subprocess
import threading

import yaml

import modes
from clients import PATIENT, RawSession, ask, session, where
from demo import processes
from demo.processes import wait_until
from demo.rolegate import binary


def command(rolegate, *arguments, url=None, **environment):
    """(exit code, stdout, stderr) of the program with these arguments, asking this proxy."""
    done = subprocess.run([binary(), *arguments, "-a", url or f"http://{rolegate.admin}"], text=True,
                          capture_output=True, env={**os.environ, **environment},
                          timeout=30 * processes.TIMEOUT_SCALE)
    return done.returncode, done.stdout, done.stderr


def sessions(rolegate, *arguments):
    code, out, err = command(rolegate, "sessions", "--json", *arguments)
    assert code == 0, err
    return json.loads(out)


def test_drain_a_replica_and_take_it_back(cluster, rolegate):
    """A drained replica gets no new reader, keeps those it has, and says in `explain` who drained it."""
    drained, other = (node.name for node in cluster.replicas())
    with session(cluster, rolegate, rolegate.read_port) as first, session(cluster, rolegate, rolegate.read_port) as second:
        code, out, err = command(rolegate, "set-member", f"main/{drained}", "drain")
        assert (code, out) == (0, f"member main/{drained}: drain\n"), err

        assert {where(cluster, rolegate, rolegate.read_port)[0] for _ in range(6)} == {other}
        assert rolegate.rules("read")[drained] == "operator"
        assert rolegate.member(drained)["operator_state"] == "drain"
        assert rolegate.member(drained)["reason"].startswith("drained at ")
        assert ask(first, "SELECT 1") == ask(second, "SELECT 1") == [(1,)]

        assert command(rolegate, "set-member", f"main/{drained}", "ready")[0] == 0
        assert {where(cluster, rolegate, rolegate.read_port)[0] for _ in range(6)} == {drained, other}


def test_drain_the_primary(cluster, rolegate):
    """New writers wait while the primary is drained, sessions go on, and the answer says that nobody is left."""
    leader = cluster.leader().name
    with session(cluster, rolegate, rolegate.write_port) as there:
        code, out, _ = command(rolegate, "set-member", f"main/{leader}", "drain")
        assert code == 0
        assert "warning: listener write has no member now\n" in out
        assert rolegate.main()["primary"] == leader
        ask(there, "CREATE TEMP TABLE t AS SELECT 1")

        results = []
        writer = threading.Thread(target=lambda: results.append(where(cluster, rolegate, rolegate.write_port)))
        writer.start()
        wait_until("the writer is held", lambda: (rolegate.metric("rolegate_held_clients", listener="write") or 0) == 1, 20)
        assert command(rolegate, "set-member", f"main/{leader}", "ready")[0] == 0
        writer.join(30 * processes.TIMEOUT_SCALE)
        assert results == [(leader, False)]


def test_maintenance_ends_sessions_with_their_transactions(cluster, rolegate):
    """An idle reader goes at once with 57P01, one in a transaction when that has ended."""
    member, other = (node.name for node in cluster.replicas())
    # Round robin: each replica has one of both.
    with session(cluster, rolegate, rolegate.read_port) as a, session(cluster, rolegate, rolegate.read_port) as b:
        busy = next(c for c in (a, b) if member == next(
            node.name for node in cluster.nodes if node.host == ask(c, "SELECT host(inet_server_addr())")[0][0]))
        busy.autocommit = False
        ask(busy, "SELECT 1")
        idle = [RawSession(rolegate.host, rolegate.read_port) for _ in range(2)]
        before = sessions(rolegate, "--member", member)
        assert before["total"] == 2

        assert command(rolegate, "set-member", f"main/{member}", "maint")[0] == 0

        wait_until("the idle session has gone", lambda: sessions(rolegate, "--member", member)["total"] == 1, 20)
        (left,) = sessions(rolegate, "--member", member)["sessions"]
        assert left["state"] == "in transaction"
        assert ask(busy, "SELECT 2") == [(2,)]
        busy.commit()
        wait_until("the other one, too", lambda: sessions(rolegate, "--member", member)["total"] == 0, 20)
        assert sessions(rolegate, "--member", other)["total"] == 2
        assert rolegate.metric("rolegate_sessions_shutdown_total", member=member, reason="maintenance") == 2
        goodbyes = []
        for raw in idle:
            raw.socket.settimeout(0.5)
            try:
                goodbyes.append(raw.goodbye(0.5))
            except TimeoutError:
                pass
        assert goodbyes == ["57P01"]


def test_sessions_are_listed_and_killed(cluster, rolegate):
    """The table names each session; the one that is killed learns so in PostgreSQL's own words, the other goes on."""
    victim = RawSession(rolegate.host, rolegate.write_port)
    (row,) = sessions(rolegate, "--listener", "write")["sessions"]
    assert (row["member"], row["user"], row["database"], row["state"]) == (
        cluster.leader().name, "postgres", "postgres", "idle")
    with session(cluster, rolegate, rolegate.write_port) as other:
        code, out, err = command(rolegate, "kill", str(row["id"]))
        assert (code, out) == (0, f"session {row['id']}: ended\n"), err
        assert victim.goodbye(20) == "57P01"
        assert ask(other, "SELECT 1") == [(1,)]
        table = command(rolegate, "sessions")[1]
        assert table.splitlines()[0].split() == ["ID", "CLIENT", "LISTENER", "MEMBER", "USER", "DATABASE", "STATE",
                                                 "AGE", "IN", "OUT"]
    wait_until("its record says so", lambda: "term=KD why=killed" in rolegate.log_text(), 20)
    code, _, err = command(rolegate, "kill", str(row["id"]))
    assert code == 1
    assert "no session has the number" in err


def test_mistakes_are_told(cluster, rolegate):
    """A name that is not there is answered with the one that was probably meant."""
    name = cluster.leader().name
    assert f"did you mean '{name}'?" in command(rolegate, "set-member", f"main/{name}x", "drain")[2]
    assert "did you mean 'main'?" in command(rolegate, "set-member", f"mian/{name}", "drain")[2]
    assert "did you mean 'write'?" in command(rolegate, "pause", "wriet")[2]
    assert command(rolegate, "set-member", name, "drain")[0] == 2
    assert command(rolegate, "set-member", f"main/{name}", "down")[0] == 2
    assert {member["operator_state"] for member in rolegate.main()["members"]} == {"ready"}


def test_pause_needs_the_right_password(cluster, make_rolegate):
    """With users an order needs one and his password; looking does not. The log says who gave the order."""
    rolegate = make_rolegate([node.rest for node in cluster.nodes], write=PATIENT)
    with open(rolegate.config) as file:
        configuration = yaml.safe_load(file)
    hashed = subprocess.run(["openssl", "passwd", "-6", "secret"], text=True, capture_output=True, check=True).stdout
    configuration["admin"]["users"] = {"dba": hashed.strip()}
    with open(rolegate.config, "w") as file:
        yaml.safe_dump(configuration, file)
    rolegate.start()
    modes.wait_all_routable(rolegate, cluster)

    assert command(rolegate, "status")[0] == 0
    code, _, err = command(rolegate, "pause", "write")
    assert (code, "operations need a user" in err) == (1, True), err
    wrong = f"http://dba:guess@{rolegate.admin}"
    code, _, err = command(rolegate, "pause", "write", url=wrong)
    assert (code, "wrong user or password" in err, "guess" in err) == (1, True, False), err

    right = f"http://dba:secret@{rolegate.admin}"
    assert command(rolegate, "pause", "write", url=right)[0] == 0
    assert rolegate.status()["listeners"]["write"]["paused"] is True
    assert command(rolegate, "resume", "write", url=right)[0] == 0
    with session(cluster, rolegate, rolegate.write_port) as connection:
        assert ask(connection, "SELECT 1") == [(1,)]
    assert command(rolegate, "set-member", f"main/{cluster.leader().name}", "drain", url=right)[0] == 0
    assert rolegate.member(cluster.leader().name)["reason"].startswith("drained by dba at ")
    rolegate.wait_logged("event=paused listener=write by=dba")
    assert "secret" not in rolegate.log_text()
    shown = rolegate.get("/api/v1/config").json()["yaml"]
    assert hashed.strip() not in shown
    assert yaml.safe_load(shown)["admin"]["users"] == {"dba": "*****"}
