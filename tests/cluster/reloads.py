# SPDX-License-Identifier: PostgreSQL
"""Changes of a proxy's configuration while it runs."""

import subprocess

import yaml

from demo.processes import TIMEOUT_SCALE
from demo.rolegate import binary


def change(proxy, edit):
    with open(proxy.config) as file:
        settings = yaml.safe_load(file)
    edit(settings)
    with open(proxy.config, "w") as file:
        yaml.safe_dump(settings, file, sort_keys=False, default_flow_style=None)


def cli(proxy, *arguments):
    return subprocess.run([binary(), *arguments, "-a", f"http://{proxy.admin}"], capture_output=True, text=True,
                          timeout=30 * TIMEOUT_SCALE)


def command(proxy):
    return cli(proxy, "reload")


def reload(proxy, edit):
    change(proxy, edit)
    result = command(proxy)
    assert result.returncode == 0, result
    return result.stdout


KINDS = ("write", "role", "monitor", "members", "level")


def numbered_changes(number, kinds=KINDS):
    """One after the other, each of another kind, round and round."""
    def write(settings):
        settings["listeners"]["write"]["queue"] = {"timeout": "60s", "max": 1001 + number}

    def role(settings):
        settings["listeners"]["read"]["role"] = "any" if number % 2 else "replica"

    def monitor(settings):
        settings["clusters"]["main"]["patroni"]["interval"] = f"{1000 + number}ms"

    def members(settings):
        settings["clusters"]["main"]["default_member"] = {"weight": 1 + number}

    def level(settings):
        settings["log"] = {"level": "debug" if number % 2 else "info"}
        settings["shutdown_timeout"] = f"{5 + number}s"
    return locals()[kinds[number % len(kinds)]]
