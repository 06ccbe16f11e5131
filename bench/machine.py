# SPDX-License-Identifier: PostgreSQL
"""The machine and the programs that were measured on it."""

import os
import platform
import re
import subprocess

import stage  # noqa: F401  (the path to demo)
from demo import rolegate

VERSIONS = {"Rolegate": [rolegate.binary(), "--version"], "HAProxy": ["haproxy", "-v"],
            "PgBouncer": ["pgbouncer", "--version"], "nginx": ["nginx", "-v"], "PostgreSQL": ["psql", "--version"]}


def version(argv):
    """The first number with a dot that the program says; nginx says it to standard error."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10)
    found = re.search(r"\d+\.\d+[\w.-]*", done.stdout + done.stderr)
    return found[0] if found else "unknown"


def describe():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    return {"cpu": model[1] if model else platform.machine(), "cpus": os.cpu_count(), "kernel": platform.release(),
            "load before": os.getloadavg()[0], **{name: version(argv) for name, argv in VERSIONS.items()}}


def text(found):
    programs = ", ".join(f"{name} {found[name]}" for name in VERSIONS)
    return (f"{found['cpus']} x {found['cpu']}, Linux {found['kernel']}; {programs}; "
            f"load before: {found['load before']:.2f}")
