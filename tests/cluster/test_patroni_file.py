# SPDX-License-Identifier: PostgreSQL
"""A Rolegate without a file of its own, on a node of Patroni's: its file is changed while both run."""

import contextlib
import os
import shutil
import signal

import pytest
import yaml

from clients import RawSession
from demo import ports, rest
from demo.processes import Child, wait_until
from demo.rolegate import binary


class OnNode:
    def __init__(self, directory, original):
        self.host = "127.0.0.1"
        self.write_port = ports.free_port()
        self.admin = f"{self.host}:{ports.free_port()}"
        self.config = f"{directory}/patroni-of-a-node.yml"
        shutil.copy(original, self.config)
        self.child = Child("rolegate", [
            binary(), "run", "--patroni-config", self.config, "--write-bind", f"{self.host}:{self.write_port}",
            "--read-bind", f"{self.host}:{ports.free_port()}", "--admin-bind", self.admin],
            f"{directory}/patroni-of-a-node.log")

    def settings(self):
        with open(self.config) as file:
            return yaml.safe_load(file)

    def write(self, text):
        with open(self.config, "w") as file:
            file.write(text)

    def status(self):
        return rest.ask(self.admin, "/api/v1/status").json()

    def logged(self):
        with open(self.child.log, errors="replace") as file:
            return file.read()

    def reload(self, text):
        """Gives what the configuration's state is then."""
        was = self.logged().count("event=reloaded ") + self.logged().count("event=reload_failed ")
        self.write(text)
        os.kill(self.child.pid, signal.SIGHUP)
        wait_until("it has tried", lambda: self.logged().count("event=reloaded ")
                   + self.logged().count("event=reload_failed ") > was, 20)
        return self.status()["config"]


@pytest.fixture
def on_node(cluster, directory):
    proxy = OnNode(directory, cluster.replicas()[0].config)
    try:
        proxy.child.start()
        wait_until("it is ready", lambda: proxy.child.require_running()
                   and getattr(rest.ask(proxy.admin, "/readyz"), "status", 0) == 200, 30)
        yield proxy
    finally:
        proxy.child.stop()


def test_changes_of_patronis_file_are_applied(cluster, on_node):
    """One member of etcd fewer: SIGHUP brings it about, the lock is still known from etcd, and sessions go on."""
    session = RawSession(on_node.host, on_node.write_port)
    settings = on_node.settings()
    hosts = settings["etcd3"]["hosts"]
    assert len(hosts) > 1
    settings["etcd3"]["hosts"] = hosts[:1]

    state = on_node.reload(yaml.safe_dump(settings))
    assert state["reload_ok"] and state["error"] is None
    assert f"cluster main: dcs.etcd3.hosts [{', '.join(hosts)}] -> [{hosts[0]}]" in on_node.logged().replace('\\"', "")

    def followed():
        main = on_node.status()["clusters"]["main"]
        return main.get("settings_waiting") is None and main["dcs"]["connected"] and (
            main["dcs"]["endpoint"], main["lock"]["holder"], main["lock"]["source"])
    assert wait_until("the new settings hold", followed, 30) == (hosts[0], cluster.leader().name, "etcd3")
    session.socket.settimeout(0.05)
    with pytest.raises(TimeoutError):
        session.message()
    session.socket.close()


def test_a_bad_file_of_patronis_changes_nothing(cluster, on_node):
    """Broken YAML, a scope that is missing, and no file at all are refused with the reason, and what ran goes on; with a
    good file all is well again."""
    settings = on_node.settings()
    good = yaml.safe_dump(settings)
    without_scope = yaml.safe_dump({key: value for key, value in settings.items() if key != "scope"})
    for text, reason in (("scope: [", on_node.config), (without_scope, "scope")):
        state = on_node.reload(text)
        assert not state["reload_ok"] and reason in state["error"], state
        assert "event=reload_failed" in on_node.logged()
        main = on_node.status()["clusters"]["main"]
        assert main["primary"] == cluster.leader().name and main.get("settings_waiting") is None
        with contextlib.closing(RawSession(on_node.host, on_node.write_port).socket):
            pass
    assert on_node.reload(good)["reload_ok"]

    os.unlink(on_node.config)
    os.kill(on_node.child.pid, signal.SIGHUP)
    wait_until("it misses the file", lambda: not on_node.status()["config"]["reload_ok"], 20)
    assert on_node.config in on_node.status()["config"]["error"]
    assert on_node.reload(good)["reload_ok"]
