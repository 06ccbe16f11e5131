# SPDX-License-Identifier: PostgreSQL
import subprocess

import pytest

from conftest import ROOT
from test_manual import commands

SCRIPT = ROOT / "deploy/completion/rolegate.bash"

# As bash itself sets the variables; a colon is a word of its own.
ASK = r"""
source "$1"
COMP_LINE=$2
set -f
read -ra COMP_WORDS <<< "$(sed 's/:/ : /g' <<< "$COMP_LINE")"
[[ $COMP_LINE == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_WORDS[0]=$3
_rolegate
printf '%s\n' "${COMPREPLY[@]}"
"""


def complete(rolegate, line, **options):
    done = subprocess.run(["bash", "-c", ASK, "bash", SCRIPT, line, rolegate], capture_output=True,
                          text=True, check=True, **options)
    assert done.stderr == ""
    return done.stdout.split()


def test_commands(rolegate):
    assert complete(rolegate, "rolegate ") == commands(rolegate)
    assert complete(rolegate, "rolegate sta") == ["status"]


def test_options_of_each_command(rolegate):
    assert complete(rolegate, "rolegate run --pat") == ["--patroni", "--patroni-config"]
    options = ["--help", "--admin", "--ca", "--insecure", "--password-file", "--json", "--watch"]
    assert complete(rolegate, "rolegate status --") == options
    assert "--version" in complete(rolegate, "rolegate -")


def test_files_and_what_nobody_knows(rolegate, tmp_path):
    (tmp_path / "some.yaml").touch()
    assert complete(rolegate, "rolegate check -c so", cwd=tmp_path) == ["some.yaml"]
    assert complete(rolegate, "rolegate import-haproxy so", cwd=tmp_path) == ["some.yaml"]
    assert complete(rolegate, "rolegate status --admin ", cwd=tmp_path) == []


FAKE = """#!/bin/sh
case "$*" in
"pause --help"|"explain --help") exec %(real)s "$@" ;;
"set-member --help") printf 'Usage\\n\\nPositionals:\\n  member CLUSTER/MEMBER  Which\\n' ;;
"sessions --help") printf 'Usage\\n\\nOptions:\\n  --listener LISTENER\\n  --member MEMBER   One\\n' ;;
"explain") printf 'listener write (role primary, cluster main): ready\\n  pg-1  routable\\n'
           printf '                rule\\nlistener read (role replica, cluster main): ready\\n'
           printf '  pg-2  routable\\ncluster main: primary pg-1\\n  lock: free\\n' ;;
"explain --admin http://127.0.0.1:7001") echo "listener other (role any, cluster etcd): ready" ;;
*) exit 1 ;;
esac
"""


@pytest.fixture
def running(rolegate, tmp_path):
    """The program, as if a proxy answered it."""
    fake = tmp_path / "rolegate"
    fake.write_text(FAKE % {"real": rolegate})
    fake.chmod(0o755)
    return fake


def test_listeners_and_members_of_a_running_proxy(running):
    assert complete(running, "rolegate pause ") == ["read", "write"]
    assert complete(running, "rolegate explain wr") == ["write"]
    assert complete(running, "rolegate pause -a http://127.0.0.1:7001 ") == ["other"]
    assert complete(running, "rolegate set-member main/") == ["main/pg-1", "main/pg-2"]
    assert complete(running, "rolegate set-member main/pg-1 d") == ["drain"]
    assert complete(running, "rolegate sessions --listener ") == ["read", "write"]
    assert complete(running, "rolegate sessions --member pg") == ["pg-1", "pg-2"]


def test_nothing_is_said_when_no_proxy_answers(rolegate):
    assert complete(rolegate, "rolegate pause -a http://127.0.0.1:1 ") == []
