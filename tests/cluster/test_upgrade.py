# SPDX-License-Identifier: PostgreSQL
"""Upgrades of the binary while clients come and stay, and life under a service manager."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading

import psycopg2
import pytest

import modes
import raw
from clients import PATIENT, RawSession, ask, session, where
from comers import Comers
from demo import ports, processes, rest
from demo.processes import is_alive, wait_until
from demo.rolegate import binary
from generations import Generations
from raw import RawClient, simple
from reloads import cli, command, numbered_changes, reload

# Nobody's session ends because of the time that a test takes.
LONG = {"shutdown_timeout": "10m"}


@pytest.fixture
def upgraded(cluster, make_rolegate):
    """Starts a proxy with a watch on the lock, ready for everything; gives it and its processes."""
    made = []

    def make(program=None, **more):
        proxy = make_rolegate([node.rest for node in cluster.nodes], cluster={"dcs": cluster.dcs()},
                              **({"write": PATIENT, "process": LONG} | more))
        if program:
            proxy.child.argv[0] = program
        proxy.start()
        modes.wait_all_routable(proxy, cluster)
        made.append(Generations(proxy))
        return proxy, made[-1]
    yield make
    for generations in made:
        generations.stop()


@contextlib.contextmanager
def short_sessions(cluster, proxy, directory, name):
    """pgbench -C: a connection for each transaction. It must not notice anything."""
    script, log = f"{directory}/{name}.sql", f"{directory}/{name}.log"
    with open(script, "w") as file:
        file.write("SELECT 1;\n")
    with open(log, "w") as out:
        bench = subprocess.Popen(
            ["pgbench", "-n", "-C", "-c", "4", "-j", "1", "-T", "3600", "--rate", "150", "-P", "1", "-f", script,
             "-h", proxy.host, "-p", str(proxy.write_port), "-U", "postgres", "postgres"], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            env={"PATH": "/usr/bin:/bin", "PGSSLMODE": "disable", "PGGSSENCMODE": "disable",
                 "PGPASSWORD": cluster.settings.password})

    def said():
        with open(log) as file:
            return file.read()
    try:
        wait_until("pgbench gets on", lambda: "progress: " in said(), 20)
        yield
        text = said()
        assert bench.poll() is None and "error" not in text and "aborted" not in text, text
    finally:
        bench.kill()
        bench.wait()


def home(client):
    """Address of the server of a session."""
    return client.ask(simple("SELECT host(inet_server_addr())"))[1][1][6:].decode()


def test_upgrades_are_not_noticed(cluster, upgraded, directory):
    """Five upgrades under clients that connect for each transaction and clients that stay, and a switchover between:
    nobody is refused; sessions go on in the process that has them; when the primary changes, those of every process end
    in words; in the end one process is left with no more descriptors than the first had."""
    proxy, generations = upgraded()
    at_rest = len(generations.descriptors())
    writers, readers = [], []

    def stay():
        writers.append(RawSession(proxy.host, proxy.write_port))
        readers.append(RawClient(proxy.host, proxy.read_port, limit=120))

    with contextlib.ExitStack() as stack:
        comers = stack.enter_context(Comers(cluster.dsn(proxy.host, proxy.write_port, connect_timeout=60), 4))
        with short_sessions(cluster, proxy, directory, "before"):
            for _ in range(3):
                stay()
                generations.upgrade()
            stay()
        assert len(set(generations.pids)) == 4 and all(is_alive(pid) for pid in generations.pids)
        before = [home(reader) for reader in readers]

        _, new = cluster.switchover()
        assert [writer.goodbye(limit=60) for writer in writers] == ["57P01"] * 4
        assert where(cluster, proxy, proxy.write_port) == (new.name, False)
        # Becoming a primary ends the sessions of a replica, wherever they are.
        wait_until("who read from the new primary is gone, and nobody else", lambda: [
            home_or_end(reader) for reader in readers] == [None if host == new.host else host for host in before], 20)

        with short_sessions(cluster, proxy, directory, "after"):
            for _ in range(2):
                stay()
                generations.upgrade()
        served = comers.served
        wait_until("they are still served", lambda: comers.served > served + 8, 30)
        for client in (*writers, *readers):
            client.socket.close()
    assert comers.refused == []
    generations.wait_alone()
    wait_until("no descriptor is left over", lambda: len(generations.descriptors()) <= at_rest, 20)
    assert not [name for name in generations.descriptors() if "memfd" in name]


def test_reloads_and_upgrades_are_not_noticed(cluster, upgraded, directory):
    """Twenty reloads and five upgrades, one after the other, under clients that connect for each transaction and clients
    that stay, and two switchovers among them: nobody is refused, no session ends but with its member's role, none
    outlives it, and in the end there are as many processes, threads and descriptors as at first."""
    proxy, generations = upgraded()
    at_rest = len(generations.descriptors()), generations.threads()
    writers, readers = [], []
    switchovers = 0
    with Comers(cluster.dsn(proxy.host, proxy.write_port, connect_timeout=60), 4) as comers:
        for turn in range(5):
            with short_sessions(cluster, proxy, directory, f"turn-{turn}"):
                for number in range(4 * turn, 4 * turn + 4):
                    writers.append(RawSession(proxy.host, proxy.write_port))
                    readers.append(RawClient(proxy.host, proxy.read_port, limit=120))
                    # A new process must wait for its sessions as long as the first.
                    reload(proxy, lambda s: (numbered_changes(number, ("write", "monitor", "members", "level"))(s),  # noqa: B023
                                             s.update(LONG)))
                generations.upgrade()
            homes = [home(reader) for reader in readers]
            if turn % 2:
                _, new = cluster.switchover()
                switchovers += 1
                assert [writer.goodbye(limit=60) for writer in writers] == ["57P01"] * len(writers)
                # Each process looks for itself: the last one ends them when it has seen the promotion.
                expected = [None if host == new.host else host for host in homes]
                wait_until("those who read from the new primary have ended, and nobody else",
                           lambda: [home_or_end(reader) for reader in readers] == expected, 20)  # noqa: B023
                assert where(cluster, proxy, proxy.write_port) == (new.name, False)
                writers.clear()
                readers = [reader for reader, host in zip(readers, homes, strict=True) if host != new.host]
                cluster.wait_healthy()
                modes.wait_all_routable(proxy, cluster)
        for writer in writers:
            writer.socket.settimeout(0.05)
            with pytest.raises(TimeoutError):
                writer.message()    # nothing has been said to them
        assert [home(reader) for reader in readers] == homes
        for client in (*writers, *readers):
            client.socket.close()
    assert comers.refused == []
    assert comers.interrupted <= 4 * switchovers
    assert len(set(generations.pids)) == 6
    generations.wait_alone()
    wait_until(f"no descriptor is left over (at first {at_rest[0]})",
               lambda: len(generations.descriptors()) <= at_rest[0], 20)
    assert generations.threads() == at_rest[1]


def test_role_changes_are_known_to_the_next_process(cluster, upgraded):
    """What `rolegate events` tells is the same after an upgrade, and numbers go on; nothing that went before is counted
    as a change once more."""
    proxy, generations = upgraded()
    cluster.switchover()
    where(cluster, proxy, proxy.write_port)

    def told():
        return proxy.get("/api/v1/events").json()["events"]
    wait_until("the first session after the switchover is told",
               lambda: told()[0]["steps"][-1]["step"] == "first_session", 20)
    before = told()
    assert before[0]["kind"] == "promoted"
    for _ in range(2):
        generations.upgrade()
        modes.wait_all_routable(proxy, cluster)
        where(cluster, proxy, proxy.write_port)
        assert told() == before
        assert proxy.metric("rolegate_role_changes_total", cluster="main") in (None, 0)

    old, new = cluster.switchover()
    wait_until("the next one is told", lambda: told()[0]["kind"] == "promoted" and told()[0]["to"] == new.name, 30)
    assert (told()[0]["id"], told()[0]["from"]) == (before[0]["id"] + 1, old.name)
    assert told()[1:] == before
    assert proxy.metric("rolegate_role_changes_total", cluster="main", kind="promoted") == 1


def home_or_end(client):
    try:
        return home(client)
    except (EOFError, ConnectionError):
        return None


def replace(path, content=None):
    """Another file of this name: a copy of the binary, or a script."""
    fresh = f"{path}.new"
    if content is None:
        shutil.copy2(binary(), fresh)
    else:
        with open(fresh, "w") as file:
            file.write(content)
        os.chmod(fresh, 0o755)
    os.replace(fresh, path)


def test_a_new_binary_that_fails_changes_nothing(cluster, upgraded, directory):
    """The file is replaced by one that ends at once, by one that hangs, and is removed; the configuration is broken: each
    time the old process goes on as before and says why. With a good file that is what runs."""
    program = f"{directory}/rolegate-to-replace"
    replace(program)
    proxy, generations = upgraded(program)

    def failures():
        return generations.said(r"event=upgrade_failed error=\"(.*?)\" ")

    def fails(why, limit=30, begins=False):
        before = len(failures())
        generations.order()
        said, = wait_until("the upgrade has failed", lambda: failures()[before:], limit)
        assert said.startswith(why) if begins else said == why, said

    with session(cluster, proxy, proxy.write_port) as connection:
        mine = ask(connection, "SELECT pg_backend_pid()")
        # It outlives the second order, which is refused while this one is under way.
        replace(program, "#!/bin/sh\nexec sleep 3600\n")
        generations.order()
        started = wait_until("it is started", lambda: generations.said(r"event=upgrade_started successor=(\d+)"), 20)
        generations.order()
        wait_until("a second one is refused", lambda: generations.said("event=upgrade_refused"), 20)
        for order in (["pause", "write"], ["set-member", f"main/{cluster.replicas()[0].name}", "drain"]):
            refused = cli(proxy, *order)
            assert (refused.returncode, refused.stdout) == (1, ""), refused
            assert "an upgrade is under way" in refused.stderr and "nothing has changed; try again" in refused.stderr
            assert "{" not in refused.stderr
        refused = command(proxy)
        assert refused.returncode == 2 and "an upgrade is under way; reload again when it is over" in refused.stderr
        where(cluster, proxy, proxy.write_port)
        wait_until("it is given up", lambda: failures() == ["it did not accept in time"], 60)
        assert not is_alive(int(started[0]))

        replace(program, "#!/bin/sh\necho cannot start >&2\nexit 3\n")
        fails("it ended with exit code 3")
        os.unlink(program)
        fails(f"{program}: No such file or directory")
        replace(program)
        with open(proxy.config) as file:
            good = file.read()
        with open(proxy.config, "w") as file:
            file.write("listeners: {write: {bnd: 1}}\n")
        fails(f"it ended with exit code 2: {proxy.config}:1:", begins=True)
        with open(proxy.config, "w") as file:
            file.write(good)

        assert ask(connection, "SELECT pg_backend_pid()") == mine
        assert where(cluster, proxy, proxy.write_port) == (cluster.leader().name, False)
        assert generations.pids == [generations.pid] and proxy.is_ready()
        generations.wait_alone()

        generations.upgrade()
        assert os.stat(f"/proc/{generations.pid}/exe").st_ino == os.stat(program).st_ino
        assert ask(connection, "SELECT pg_backend_pid()") == mine
    generations.wait_alone()
    assert where(cluster, proxy, proxy.write_port) == (cluster.leader().name, False)


def test_what_operators_and_clients_began_goes_on(cluster, upgraded):
    """A paused listener stays paused, and those it holds in either process are let in by one `resume`; a cancel reaches
    a session of the process before; the file of a unix socket stays as long as somebody needs it."""
    folder = f"/tmp/rolegate-upgrade-{os.getpid()}"     # a path of a unix socket is short
    os.makedirs(folder)
    port = ports.free_port()
    try:
        proxy, generations = upgraded(
            write=PATIENT | {"bind": [f"127.0.0.1:{port}", f"unix:{folder}:5432"]})
        proxy.write_port = port
        client = RawClient(proxy.host, port)
        assert rest.ask(proxy.admin, "/api/v1/listeners/write/pause", "POST").status == 200
        served = []

        def come():
            with contextlib.closing(psycopg2.connect(cluster.dsn(folder, 5432, connect_timeout=90))) as connection:
                served.append(ask(connection, "SELECT 1"))

        def held():
            return (proxy.status() or {"listeners": {"write": {}}})["listeners"]["write"].get("held")
        threads = [threading.Thread(target=come, daemon=True) for _ in range(2)]
        threads[0].start()
        wait_until("one is held", lambda: held() == 1, 20)
        generations.upgrade()
        threads[1].start()
        wait_until("another one is held by the new process", lambda: held() == 1, 20)
        assert served == []
        generations.upgrade()
        assert rest.ask(proxy.admin, "/api/v1/listeners/write/resume", "POST").status == 200
        for thread in threads:
            thread.join(60 * processes.TIMEOUT_SCALE)
        assert served == [[(1,)]] * 2

        client.send(simple("SELECT pg_sleep(3600)"))
        wait_until("it sleeps", lambda: cluster.query(
            cluster.leader(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == [(1,)], 30)
        raw.cancel(proxy.host, port, client.pid, client.key)
        assert b"C57014\0" in dict(client.until_ready())[b"E"]

        client.socket.close()
        generations.wait_alone()
        psycopg2.connect(cluster.dsn(folder, 5432)).close()
        generations.stop()
        assert os.listdir(folder) == []
    finally:
        shutil.rmtree(folder)


# --- a service manager --------------------------------------------------------------------------

# Descriptors as a service manager gives them.
LAUNCH = """
import fcntl, os, sys
fds, names, command = [int(fd) for fd in sys.argv[1].split(",") if fd], sys.argv[2], sys.argv[3:]
for place, fd in enumerate([fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in fds]):
    os.dup2(fd, 3 + place)
os.closerange(3 + len(fds), 1000)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""


class Manager:
    """Starts a proxy as systemd would: with sockets, a place to report to, and a watchdog."""

    def __init__(self, directory, proxy):
        self.proxy = proxy
        self.said = []
        self.kept = {}
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._path = f"/tmp/rolegate-notify-{os.getpid()}"
        self._notify.bind(self._path)
        self._notify.setblocking(False)
        self._directory = directory

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._notify.close()
        os.unlink(self._path)
        for kept in self.kept.values():
            kept.close()

    def start(self, **sockets):
        fds = [each.fileno() for each in sockets.values()]
        child = self.proxy.child
        with open(child.log, "ab") as log:
            child.process = subprocess.Popen(
                ["/usr/bin/python3", "-c", LAUNCH, ",".join(map(str, fds)), ":".join(sockets), *child.argv],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=fds, start_new_session=True, cwd="/",
                env={"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": self._path, "WATCHDOG_USEC": "500000"})

    def hear(self):
        """Everything that was said."""
        with contextlib.suppress(BlockingIOError):
            while True:
                text, fds, _, _ = socket.recv_fds(self._notify, 4096, 4)
                self.said.append(text.decode())
                for fd in fds:
                    name = text.decode().rpartition("FDNAME=")[2]
                    self.kept[name] = socket.socket(fileno=fd)
        return self.said

    def wait_for(self, word, limit=30):
        wait_until(f"it says {word}", lambda: any(text.startswith(word) for text in self.hear()), limit)


def listening(port):
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.listen(16)
    return made


def test_under_a_service_manager(cluster, make_rolegate, directory):
    """Sockets that were given are used, and who came before the start is served; what is given for nothing is closed.
    The manager is told of the start, of a reload, of an upgrade, of the end, that the process lives, and what it does;
    the sockets that it keeps lose nobody while the process is restarted."""
    proxy = make_rolegate([node.rest for node in cluster.nodes], write=PATIENT)
    with Manager(directory, proxy) as manager, contextlib.ExitStack() as stack:
        write, other = (stack.enter_context(contextlib.closing(listening(port)))
                        for port in (proxy.write_port, ports.free_port()))
        early = []

        def come():
            with session(cluster, proxy, proxy.write_port, connect_timeout=90) as connection:
                early.append(ask(connection, "SELECT 1"))
        thread = threading.Thread(target=come, daemon=True)
        thread.start()
        manager.start(write=write, other=other)
        closed = other.getsockname()[1]
        write.close()
        other.close()
        manager.wait_for("READY=1")
        thread.join(60 * processes.TIMEOUT_SCALE)
        assert early == [[(1,)]]
        manager.wait_for(f"STATUS=1 cluster, primary {cluster.leader().name}, ")
        manager.wait_for("WATCHDOG=1")
        proxy.wait_logged("event=inherited_unused name=other")
        assert not ports.is_taken("127.0.0.1", closed)
        manager.hear()
        assert sorted(manager.kept) == ["admin", "read"], "the manager has `write` already"

        generations = Generations(proxy)
        stack.callback(generations.stop)
        generations.order(signal.SIGHUP)
        manager.wait_for("RELOADING=1\nMONOTONIC_USEC=")
        generations.upgrade()
        manager.wait_for(f"MAINPID={generations.pid}")
        generations.wait_alone()
        del manager.said[:]
        manager.wait_for("WATCHDOG=1")      # by the new one
        generations.order(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        generations.wait_ended([generations.pid])

        # A restart: the sockets outlive the process, and so do those who wait there.
        kept = dict(manager.kept)
        assert proxy.child.wait(20) == 0
        reader = threading.Thread(target=lambda: early.append(where(cluster, proxy, proxy.read_port)), daemon=True)
        reader.start()
        wait_until("a client waits in the queue of a process that is not there", lambda: waits_at(proxy.read_port), 20)
        del manager.said[:]
        manager.start(**kept)
        generations.pids[:] = [proxy.child.pid]
        reader.join(60 * processes.TIMEOUT_SCALE)
        assert early[1][1] is True
        manager.wait_for("READY=1")
        for each in kept.values():
            each.close()


def test_a_successor_that_crashes(cluster, make_rolegate, directory):
    """While the old process drains it is the manager's again, and fails, so that the service is started afresh."""
    proxy = make_rolegate([node.rest for node in cluster.nodes], write=PATIENT, process=LONG)
    with Manager(directory, proxy) as manager:
        manager.start()
        manager.wait_for("READY=1")
        generations = Generations(proxy)
        first = RawClient(proxy.host, proxy.write_port)
        generations.upgrade()
        manager.wait_for(f"MAINPID={generations.pid}")
        generations.order(signal.SIGKILL)
        manager.wait_for(f"MAINPID={generations.pids[0]}")
        assert proxy.child.wait(20) == 1
        assert generations.said(r"event=successor_died successor=(\d+)") == [str(generations.pid)]
        first.socket.close()


def waits_at(port):
    """Somebody has connected whom nobody has accepted."""
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" and int(row[4].partition(":")[2], 16) > 0 for row in rows)
