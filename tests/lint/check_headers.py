#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Every header compiles alone: whoever includes it first needs to know nothing else.

usage: check_headers.py [--compiler CXX] [--include DIR]... [--commands compile_commands.json] [--jobs N] [ROOT]

With --commands a header is passed over when the build shows it: a source file includes it before anything else, and
no precompiled header before it.
"""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
# As in CMakeLists.txt: without these each Asio header drags in its whole implementation.
FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-x", "c++",
         "-DBOOST_ASIO_SEPARATE_COMPILATION", "-DBOOST_BEAST_SEPARATE_COMPILATION",
         "-DBOOST_ASIO_NO_DEPRECATED"]


def headers(root):
    for top in ("config", "health", "proxy", "tests", "bench"):
        for folder, _, files in os.walk(os.path.join(root, top)):
            for name in sorted(files):
                if name.endswith(".hpp"):
                    yield os.path.relpath(os.path.join(folder, name), root)


def shown_by_build(root, commands):
    shown = set()
    with open(commands, encoding="utf-8") as file:
        entries = json.load(file)
    for entry in entries:
        if "cmake_pch" in entry["command"]:
            continue
        with open(entry["file"], encoding="utf-8") as source:
            first = re.search(r'^#include\s+(\S+)', source.read(), re.MULTILINE)
        if first and first[1].startswith('"'):
            shown.add(first[1].strip('"'))
    return shown


def compile_alone(compiler, includes, root, header):
    # From standard input, so that "#pragma once in main file" is no warning.
    command = [compiler, *FLAGS, "-I", root, *(f"-I{d}" for d in includes), "-"]
    done = subprocess.run(command, input=f'#include "{header}"\n', text=True, capture_output=True)
    return header, done.returncode == 0, done.stderr


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--include", action="append", default=[])
    parser.add_argument("--commands")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("root", nargs="?", default=ROOT)
    args = parser.parse_args()

    failed = checked = 0
    shown = shown_by_build(args.root, args.commands) if args.commands else set()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = [pool.submit(compile_alone, args.compiler, args.include, args.root, h)
                for h in headers(args.root) if h not in shown]
        for job in concurrent.futures.as_completed(jobs):
            header, ok, output = job.result()
            checked += 1
            if not ok:
                failed += 1
                print(f"{header} does not compile alone:\n{output}")
    print(f"{checked} headers beside {len(shown)} in the build, {failed} do not compile alone")
    return 1 if failed or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
