# SPDX-License-Identifier: PostgreSQL
"""COPY through each contender: MB/s, and what a GB costs the proxy."""

import os

from measure import Measure, at_least, at_most
from transactions import figure, run

WIDTH = 4000    # bytes of a row
GOALS = {"MB/s": at_least(1.0), "CPU s/GB": at_most(1.0)}


def per_gigabyte(way, size, act):
    """`size` is in MB; `act` returns what psql printed."""
    before = way.cpu()
    seconds = figure(act(), r"Time: ([\d.]+) ms") / 1000
    return {"MB/s": size / seconds, "CPU s/GB": (way.cpu() - before) / (size / 1000)}


def copy_out(ways, size, rounds):
    rows = size * 1_000_000 // (WIDTH + 1)
    query = f"COPY (SELECT repeat('x', {WIDTH}) FROM generate_series(1, {rows})) TO STDOUT"

    def play(way):
        argv = ["psql", "-qAtXc", "\\timing on", "-c", query, "-o", "/dev/null"]
        return per_gigabyte(way, size, lambda: run(way, argv))
    return Measure("COPY out", ways, play, rounds, GOALS, ("MB/s",))


def copy_in(ways, size, rounds, directory):
    """The server reads all rows and keeps none, so that its disk is not what is measured."""
    path = f"{directory}/rows"
    if not os.path.exists(path):
        with open(path, "w") as file:
            for _ in range(size * 1_000_000 // (WIDTH + 1)):
                file.write("x" * WIDTH + "\n")

    def play(way):
        def act():
            with open(path) as rows:
                return run(way, ["psql", "-qAtXc", "CREATE TEMPORARY TABLE t (v text)", "-c", "\\timing on",
                                 "-c", "COPY t FROM STDIN WHERE false"], stdin=rows)
        return per_gigabyte(way, size, act)
    return Measure("COPY in", ways, play, rounds, GOALS, ("MB/s",))
