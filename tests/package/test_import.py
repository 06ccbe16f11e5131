# SPDX-License-Identifier: PostgreSQL
"""`rolegate import-haproxy` as people run it: files, exit codes, and what `rolegate check` says of the result."""

import shutil
import subprocess

import pytest

from conftest import ROOT

FILES = sorted((ROOT / "tests/fuzz/corpus/haproxy_cfg").iterdir())
# As they are in the field: nothing of them may be refused.
WHOLE = ("patroni_template.cfg", "patroni_citus.cfg", "playbook_four_ports.cfg", "etcd_beside.cfg", "frontends.cfg")
# They name certificates that there are not.
WITH_FILES = ("patroni_citus.cfg", "checks.cfg")

PRIMARY = """\
listen primary
    bind 127.0.0.1:15432
    option httpchk OPTIONS /primary
    server a 127.0.0.1:5432 check port 8008
"""


def run(rolegate, *arguments):
    return subprocess.run([rolegate, "import-haproxy", *map(str, arguments)], capture_output=True, timeout=60)


def check(rolegate, tmp_path, yaml):
    file = tmp_path / "result.yaml"
    file.write_bytes(yaml)
    done = subprocess.run([rolegate, "check", "-c", file], capture_output=True, text=True, timeout=60)
    # What is wrong with the text has a line; files that are missing have none. A warning is no mistake.
    return done.returncode, [line for line in done.stderr.splitlines()
                             if "cannot use" not in line and ": warning: " not in line]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_is_written_is_a_configuration(rolegate, tmp_path, file):
    done = run(rolegate, "--allow-unsupported", file)
    assert done.returncode in (0, 2, 3), done.stderr
    assert b"\nthe result:" not in done.stderr, done.stderr
    if done.returncode == 0:
        code, problems = check(rolegate, tmp_path, done.stdout)
        assert not problems and (code == 0 or file.name in WITH_FILES), problems
    else:
        assert done.stdout == b""
    assert run(rolegate, "--allow-unsupported", file).stdout == done.stdout


@pytest.mark.parametrize("name", WHOLE)
def test_files_of_the_field_are_taken_over_whole(rolegate, name):
    done = run(rolegate, ROOT / "tests/fuzz/corpus/haproxy_cfg" / name)
    assert done.returncode == 0, done.stderr
    assert b": refused: " not in done.stderr
    assert done.stderr.splitlines()[-1].endswith(b" 0 refused")


@pytest.mark.parametrize("name", [name for name in WHOLE if name not in WITH_FILES])
def test_they_are_files_that_haproxy_takes(name):
    haproxy = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
    if haproxy is None:
        pytest.fail("install haproxy, see deploy/packages.sh")
    done = subprocess.run([haproxy, "-c", "-f", ROOT / "tests/fuzz/corpus/haproxy_cfg" / name], capture_output=True,
                          text=True, timeout=60)
    # Names of hosts that there are not are found missing only after everything else was read.
    alerts = [line for line in done.stderr.splitlines() if "[ALERT]" in line]
    assert not [line for line in alerts if "parsing [" in line], alerts


def test_a_refused_line_stops_it_unless_that_is_allowed(rolegate, tmp_path):
    file = tmp_path / "haproxy.cfg"
    file.write_text(PRIMARY + "    stick on src\n")
    done = run(rolegate, file)
    assert (done.returncode, done.stdout) == (3, b"")
    assert f"{file}:5: refused: 'stick on src': ".encode() in done.stderr
    done = run(rolegate, file, "--allow-unsupported")
    assert done.returncode == 0
    assert b"role: primary" in done.stdout
    assert b":5: refused: " in done.stderr


def test_what_cannot_be_used(rolegate, tmp_path):
    file = tmp_path / "haproxy.cfg"
    assert run(rolegate, file).returncode == 2
    assert run(rolegate).returncode == 2
    assert run(rolegate, tmp_path).returncode == 2
    file.write_text("global\n    maxconn 10\n")
    assert run(rolegate, file).returncode == 2
    file.write_text("#" * (1 << 20) + "\n" + PRIMARY)
    done = run(rolegate, file)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"larger than 1MB" in done.stderr


def test_two_things_in_one_place_are_found_before_anybody_runs_it(rolegate, tmp_path):
    file = tmp_path / "haproxy.cfg"
    file.write_text(PRIMARY + PRIMARY.replace("listen primary", "listen other"))
    done = run(rolegate, file)
    assert done.returncode == 3
    assert b"\nthe result:" in done.stderr


def test_terminals_are_safe_from_it(rolegate, tmp_path):
    file = tmp_path / "haproxy.cfg"
    file.write_bytes(PRIMARY.encode() + b"    \x1b[2J\xff \x9b1m\n")
    done = run(rolegate, file)
    assert done.returncode == 3
    assert b"\x1b" not in done.stderr
    done.stderr.decode()


def test_passwords_are_not_repeated(rolegate, tmp_path):
    file = tmp_path / "haproxy.cfg"
    page = "listen stats\n    mode http\n    bind 127.0.0.1:7000\n    stats enable\n"
    file.write_text(PRIMARY + page + "    stats auth dba:geheim\n")
    done = run(rolegate, file)
    assert (done.returncode, b"geheim" in done.stdout, b"geheim" in done.stderr) == (0, True, False)
