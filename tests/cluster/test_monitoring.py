# SPDX-License-Identifier: PostgreSQL
"""What other programs read: HAProxy's CSV by its collectors, metrics by Prometheus, its alerts and the dashboard."""

import csv
import json
import os
import re
import socket
import subprocess

import yaml

from clients import RawSession, session, where
from demo import ports, rest
from demo.haproxy import HAProxy
from demo.processes import TIMEOUT_SCALE, Child, wait_until
from demo.rolegate import REPOSITORY

RULES = f"{REPOSITORY}/deploy/prometheus-alerts.yaml"
DASHBOARD = f"{REPOSITORY}/deploy/grafana-dashboard.json"
FIELDS = 103    # of HAProxy's CSV that do not belong to a module


# HAProxy's CSV

def rows_of(text):
    """By (pxname, svname); the header's names are what a collector goes by."""
    lines = text.strip().splitlines()
    assert lines[0].startswith("# ")
    return {(row["pxname"], row["svname"]): row for row in csv.DictReader([lines[0][2:], *lines[1:]])}


def show_stat(path):
    """What HAProxy's own socket answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10 * TIMEOUT_SCALE)
        connection.connect(path)
        connection.sendall(b"show stat\n")
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def check_haproxy(text, warning=80, critical=95):
    """What Nagios' check_haproxy and its like do: every server UP that is one, no proxy near its limit of sessions."""
    worst, told = 0, []
    for (proxy, name), row in rows_of(text).items():
        if name in ("FRONTEND", "BACKEND"):
            expected = {"FRONTEND": "OPEN", "BACKEND": "UP"}[name]
            if row["status"] != expected:
                worst = 2
                told.append(f"{proxy} {name} is {row['status']}")
        elif not re.match(r"UP|no check|OPEN", row["status"]):
            worst = max(worst, 1)
            told.append(f"{proxy}/{name} is {row['status']}")
        if row["slim"] and int(row["slim"]) > 0:
            used = 100 * int(row["scur"]) / int(row["slim"])
            if used >= warning:
                worst = max(worst, 2 if used >= critical else 1)
                told.append(f"{proxy}/{name}: {used:.0f} % of {row['slim']} sessions")
    return worst, told


def kind_of(value):
    return "empty" if value == "" else "number" if re.fullmatch(r"-?\d+", value) else "text"


def test_csv_is_haproxys(cluster, rolegate, directory):
    """The header equals HAProxy's up to field 102; each kind of row has a number where HAProxy's has one, and nothing
    where it has nothing; states agree, and a session counts in the same columns."""
    haproxy = HAProxy(cluster, directory, ports.free_port(), ports.free_port(), ports.free_port(), name="csv")
    stats = f"{directory}/csv.sock"
    with open(haproxy.config) as file:
        text = file.read()
    with open(haproxy.config, "w") as file:
        file.write(text.replace("global\n", f"global\n    stats socket {stats}\n", 1))
    haproxy.start()
    try:
        def settled():
            servers = [row for row in rows_of(show_stat(stats)).values() if row["type"] == "2"]
            up = sorted(row["pxname"] for row in servers if row["status"] == "UP")
            # Until its first check is over HAProxy shows a server as UP, without a code.
            return up == ["read", "read", "write"] and all(row["check_duration"] for row in servers)
        wait_until("HAProxy knows the roles", settled, 30)
        leader = cluster.leader().name
        with session(cluster, rolegate, rolegate.write_port), session(cluster, haproxy, haproxy.write_port):
            our_text, their_text = rolegate.get("/haproxy.csv").body, show_stat(stats)
            assert our_text.splitlines()[0].split(",")[:FIELDS] == their_text.splitlines()[0].split(",")[:FIELDS]
            assert our_text.splitlines()[0].endswith(",agg_check_status,")
            ours, theirs = rows_of(our_text), rows_of(their_text)

            shared = [key for key in theirs if key[0] in ("write", "read")]
            assert sorted(shared) == sorted(ours)
            names = our_text.splitlines()[0][2:].split(",")[:FIELDS]
            differ = [(*key, name, ours[key][name], theirs[key][name]) for key in shared for name in names
                      if kind_of(ours[key][name]) != kind_of(theirs[key][name])
                      # In words, and each program has its own.
                      and name != "last_chk"]
            assert differ == []
            for key in shared:
                for name in ("status", "type", "mode", "weight", "act", "bck", "check_code", "addr", "algo"):
                    assert ours[key][name] == theirs[key][name], (key, name)
            for row in (ours["write", leader], theirs["write", leader]):
                assert [row[name] for name in ("scur", "smax", "stot", "lbtot", "econ")] == ["1", "1", "1", "1", "0"]
                assert 0 <= int(row["lastsess"]) < 60
    finally:
        haproxy.stop()


def test_a_collector_of_haproxys_reads_it(cluster, make_rolegate):
    """A check that goes by the header's names: fine at first but for members without the role, as with HAProxy; then
    near a limit of sessions; then without a primary."""
    proxy = make_rolegate([node.rest for node in cluster.nodes], write={"maxconn": 2, "queue": {"timeout": "60s"}})
    proxy.start()
    proxy.wait_routable("read", [node.name for node in cluster.replicas()])

    def check(path="/;csv"):
        answer = proxy.get(path)
        assert answer.status == 200
        return check_haproxy(answer.body)
    leader = cluster.leader().name
    others = sorted(node.name for node in cluster.replicas())
    assert check() == (1, [f"write/{name} is DOWN" for name in others] + [f"read/{leader} is DOWN"])

    clients = [RawSession(proxy.host, proxy.write_port) for _ in range(2)]
    wait_until("both count", lambda: "write/BACKEND: 100 % of 2 sessions" in check("/haproxy?stats;csv")[1], 20)
    assert check()[0] == 2
    for client in clients:
        client.socket.close()
    wait_until("they have gone", lambda: check()[0] == 1, 20)
    row = rows_of(proxy.get("/haproxy.csv").body)["write", "FRONTEND"]
    assert (row["scur"], row["smax"], row["stot"]) == ("0", "2", "2")


# Prometheus

class Prometheus:
    """A real one that scrapes one Rolegate every second, with the rules as they are shipped but for their patience."""

    def __init__(self, directory, target):
        self.port = ports.free_port()
        self.address = f"127.0.0.1:{self.port}"
        home = f"{directory}/prometheus"
        os.makedirs(home, exist_ok=True)
        with open(RULES) as file:
            shipped = file.read()
        with open(f"{home}/rules.yaml", "w") as file:
            # An outage of a test is shorter than one of life: each `for` becomes two seconds.
            file.write(re.sub(r"^( +for:) .*$", r"\1 2s", shipped, flags=re.M))
        with open(f"{home}/prometheus.yaml", "w") as file:
            yaml.safe_dump({
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": ["rules.yaml"],
                "scrape_configs": [{"job_name": "rolegate", "static_configs": [{"targets": [target]}]}]}, file)
        self.child = Child("prometheus", [
            "prometheus", f"--config.file={home}/prometheus.yaml", f"--storage.tsdb.path={home}/data",
            f"--web.listen-address={self.address}"], f"{directory}/prometheus.log")

    def __enter__(self):
        self.child.start()
        wait_until("Prometheus is ready", lambda: self.child.require_running() and getattr(
            rest.ask(self.address, "/-/ready"), "status", 0) == 200, 30)
        return self

    def __exit__(self, *_):
        self.child.stop(10)

    def api(self, path):
        answer = rest.ask(self.address, f"/api/v1/{path}", timeout=10)
        return answer.json()["data"] if answer and answer.status == 200 else None

    def alerts(self, state="firing"):
        """Names of the alerts in this state."""
        data = wait_until("Prometheus tells its alerts", lambda: self.api("alerts"), 20)
        return {alert["labels"]["alertname"] for alert in data["alerts"] if alert["state"] == state}

    def value(self, name):
        data = self.api(f"query?query={name}")
        return float(data["result"][0]["value"][1]) if data and data["result"] else None


def test_prometheus_tells_of_an_outage(cluster, rolegate, directory):
    """A real Prometheus with the rules that are shipped: nothing fires while all is well; all of etcd is stopped, so
    that the leader steps down, and it says that there is no primary; when etcd is back, that is over."""
    with Prometheus(directory, rolegate.admin) as prometheus:
        wait_until("it has scraped", lambda: prometheus.value("rolegate_cluster_has_primary") == 1, 30)
        wait_until("nothing is wrong", lambda: prometheus.alerts() == set(), 30)
        assert prometheus.value("process_resident_memory_bytes") > 1e6
        assert prometheus.value("process_open_fds") > 3

        cluster.etcd.kill()
        wait_until("it says that there is no primary", lambda: "RolegateNoPrimary" in prometheus.alerts(), 90)
        alert = next(alert for alert in prometheus.api("alerts")["alerts"]
                     if alert["labels"]["alertname"] == "RolegateNoPrimary")
        assert alert["labels"]["cluster"] == "main"
        assert f"rolegate explain -a http://{rolegate.admin} " in alert["annotations"]["action"]

        cluster.etcd.start()
        rolegate.wait_ready(limit=90)
        wait_until("it is over", lambda: "RolegateNoPrimary" not in (prometheus.alerts() | prometheus.alerts("pending")), 60)


def test_alerts_and_dashboard_use_metrics_that_exist(cluster, rolegate):
    """Every name in the rules and on the dashboard is one of a scrape; every rule says what to do; the dashboard's
    expressions are ones that Prometheus can read."""
    where(cluster, rolegate, rolegate.write_port)
    scrape = rolegate.get("/metrics").body
    exported = set()
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", scrape, re.M):
        exported |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}

    with open(RULES) as file:
        rules = [rule for group in yaml.safe_load(file)["groups"] for rule in group["rules"]]
    with open(DASHBOARD) as file:
        dashboard = json.load(file)
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    queries += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    queries += [variable["definition"] for variable in dashboard["templating"]["list"] if "definition" in variable]
    assert len(queries) > 30

    used = set(re.findall(r"\b(?:rolegate|process)_\w+", " ".join([rule["expr"] for rule in rules] + queries)))
    assert used - exported == set()
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning"), rule
        assert {"summary", "action"} <= set(rule["annotations"]), rule

    with open(f"{REPOSITORY}/tests/monitoring/alerts_test.yaml") as file:
        tested = file.read()
    assert [rule["alert"] for rule in rules if rule["alert"] not in tested] == []


def test_dashboard_is_readable(directory):
    """What Grafana would send to Prometheus is PromQL, panels have numbers of their own and do not overlap."""
    with open(DASHBOARD) as file:
        dashboard = json.load(file)
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = {}
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        for place in [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]:
            assert place not in taken, f"{panel['title']} and {taken.get(place)}"
            taken[place] = panel["title"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    rules = [{"record": f"dashboard:{i}", "expr": re.sub(r"\$__\w+", "5m", query)} for i, query in enumerate(queries)]
    path = f"{directory}/dashboard-rules.yaml"
    with open(path, "w") as file:
        yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
    done = subprocess.run(["promtool", "check", "rules", path], text=True, capture_output=True, timeout=60 * TIMEOUT_SCALE)
    assert done.returncode == 0, done.stdout + done.stderr
