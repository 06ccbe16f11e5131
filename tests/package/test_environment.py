# SPDX-License-Identifier: PostgreSQL
"""What the command line says holds before what the environment says. Nothing runs at either address."""

import os
import subprocess

import pytest

SAID, OTHER = "http://127.0.0.1:1", "http://127.0.0.1:2"

COMMANDS = ["status", "status --json", "explain", "events", "sessions", "kill 1", "reload", "pause read",
            "resume read", "set-member main/pg-1 drain"]


def ask(rolegate, command, **environment):
    return subprocess.run([rolegate, *command.split()], env={**os.environ, **environment}, capture_output=True,
                          text=True, timeout=20)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_address_on_the_command_line(rolegate, command):
    done = ask(rolegate, f"{command} --admin={SAID}", ROLEGATE_ADMIN=OTHER)
    assert done.returncode == 1
    assert SAID in done.stderr and OTHER not in done.stderr


def test_the_address_in_the_environment(rolegate):
    done = ask(rolegate, "status", ROLEGATE_ADMIN=OTHER)
    assert done.returncode == 1 and OTHER in done.stderr


def test_the_file_with_the_password(rolegate, tmp_path):
    password = tmp_path / "password"
    password.write_text("secret\n")
    wrong = {"ROLEGATE_ADMIN": SAID, "ROLEGATE_ADMIN_PASSWORD_FILE": "/nowhere"}
    assert "/nowhere" in ask(rolegate, "status", **wrong).stderr
    assert SAID in ask(rolegate, f"status --password-file {password}", **wrong).stderr
    assert ask(rolegate, "version", **wrong).returncode == 0
