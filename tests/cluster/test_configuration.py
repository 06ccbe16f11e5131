# SPDX-License-Identifier: PostgreSQL
"""Broken configurations, through the real program."""

import re
import socket
import subprocess

import pytest

from demo import ports
from demo.processes import TIMEOUT_SCALE
from demo.rolegate import binary

GOOD = """\
clusters:
  main:
    patroni:
      members: [127.0.0.1:9]
listeners:
  write: {{bind: "127.0.0.1:{write}", cluster: main, role: primary}}
  read: {{bind: "127.0.0.1:{read}", cluster: main, role: replica}}
admin: {{bind: "127.0.0.1:{admin}"}}
"""


def good():
    return GOOD.format(write=ports.free_port(), read=ports.free_port(), admin=ports.free_port())


def second_on_one_bind(text):
    write = re.search(r'write: \{bind: "([^"]+)"', text)[1]
    return re.sub(r'read: \{bind: "[^"]+"', f'read: {{bind: "{write}"', text)


# What is wrong, how it comes about, where it is (line), and a word the message must have.
BROKEN = [
    ("broken YAML", lambda text: text.replace("members: [127.0.0.1:9]", "members: [127.0.0.1:9"), None, ""),
    ("an unknown key", lambda text: text.replace("members:", "membrs:"), 4, "members"),
    ("a wrong type", lambda text: text.replace("role: primary", "role: primary, maxconn: many"), 6, "maxconn"),
    ("a missing cluster", lambda text: text.replace("cluster: main, role: replica", "cluster: mian, role: replica"), 7, "mian"),
    ("two listeners on one bind", second_on_one_bind, 7, "bind"),
]


def run(*arguments):
    return subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=20 * TIMEOUT_SCALE)


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("what, spoil, line, word", BROKEN, ids=[row[0].replace(" ", "-") for row in BROKEN])
def test_broken_configuration_is_refused_with_its_place(tmp_path, command, what, spoil, line, word):
    """The operator sees FILE:LINE:COL and the reason; the exit code is 2, and nothing was started."""
    path = tmp_path / "rolegate.yaml"
    path.write_text(spoil(good()))

    result = run(command, "-c", str(path))

    assert result.returncode == 2, result
    place = re.search(re.escape(str(path)) + r":(\d+):(\d+): \S.*", result.stdout + result.stderr)
    assert place, result
    assert line is None or int(place[1]) == line, result
    assert word in place[0], result


def test_passwords_in_clear_text_are_warned_of(tmp_path):
    """What is seldom meant has its place, too; it can be used all the same."""
    path = tmp_path / "rolegate.yaml"
    path.write_text(re.sub(r"admin: \{bind: [^,}]*", "admin: {bind: '*:7000', users: {dba: secret}", good()))

    result = run("check", "-c", str(path))

    assert result.returncode == 0, result
    assert re.fullmatch(re.escape(str(path)) + r":\d+:\d+: warning: passwords of 'users' cross the network .*\n",
                        result.stderr), result
    assert result.stdout == f"{path}: ok\n" and "secret" not in result.stderr


def test_all_problems_are_reported_at_once(tmp_path):
    """Three mistakes in one file are three messages, not three runs."""
    path = tmp_path / "rolegate.yaml"
    path.write_text(good().replace("role: primary", "role: primry").replace("cluster: main, role: replica",
                    "cluster: mian, role: replica").replace("admin: {bind", "admin: {bnd"))

    result = run("check", "-c", str(path))

    places = re.findall(re.escape(str(path)) + r":(\d+):\d+: ", result.stdout + result.stderr)
    assert {"6", "7", "8"} <= set(places), result
    assert result.returncode == 2


def test_certificates_that_cannot_be_used_are_found_by_check(tmp_path):
    """Every file that `run` would stumble over is named with its listener or cluster; nothing else is said."""
    path = tmp_path / "rolegate.yaml"
    (tmp_path / "garbage.crt").write_text("garbage")
    path.write_text(good().replace("role: primary", "role: primary, tls: {mode: terminate, cert: /nonexistent.crt, "
                                   "key: /nonexistent.key}").replace(
        "role: replica", f"role: replica, server_tls: {{sslmode: verify-full, ca: {tmp_path}/garbage.crt}}").replace(
        "members: [127.0.0.1:9]", "members: [127.0.0.1:9]\n      tls: {ca: /nonexistent-ca.crt}"))

    result = run("check", "-c", str(path))

    assert result.returncode == 2, result
    for words in ("listener 'write'", "/nonexistent.crt", "listener 'read'", "garbage.crt", "cluster 'main'",
                  "/nonexistent-ca.crt"):
        assert words in result.stderr, result
    assert result.stdout == ""


def test_good_configuration_passes(tmp_path):
    """The same file without a mistake is accepted."""
    path = tmp_path / "rolegate.yaml"
    path.write_text(good())

    result = run("check", "-c", str(path))

    assert result.returncode == 0, result


def test_bind_that_is_taken_fails_at_run_time(tmp_path):
    """Another process listens on the port: the message names the address, the exit code is 1."""
    path = tmp_path / "rolegate.yaml"
    path.write_text(good())
    address = re.search(r'write: \{bind: "([^"]+)"', path.read_text())[1]
    host, _, port = address.rpartition(":")
    with socket.create_server((host, int(port))):
        result = run("run", "-c", str(path))

    assert result.returncode == 1, result
    assert address in result.stdout + result.stderr, result
