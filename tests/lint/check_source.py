#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Holds the source tree to the rules of the house: who may include whom, what is banned, how long
a file may be, which folders there are.  The tables below are the rules.

usage: check_source.py [ROOT]
Prints FILE:LINE: [rule] sentence for each offence; status 1 when there is any.
"""

import fnmatch
import os
import re
import sys

TOP_FOLDERS = {"config", "health", "proxy", "deploy", "tests", "bench", ".ci"}
PROGRAM = ("config/*", "health/*", "proxy/*")
IGNORED_FOLDERS = {".git", ".cache", ".pytest_cache", "__pycache__", "build"}
# Such folders collect what nobody found a place for.
BANNED_FOLDER_NAMES = {"common", "util", "utils"}

# What the operator wrote, as values: the one part of config/ that every room may see.
SETTINGS = ("config/settings.hpp", "config/*_settings.hpp", "config/places.hpp")

# No I/O, no clock, no threads: tested in milliseconds and fuzzed.
PURE = (
    *SETTINGS, "config/units.*", "config/utf8.*", "config/address.*", "config/network.*", "config/quote.*",
    "config/yaml_writer.*", "config/words.hpp", "config/haproxy/*",
    "health/address.*", "health/address_trials.*", "health/check_count.*", "health/check_report.*", "health/decide.*", "health/demands.*", "health/doubt.*", "health/facts.*", "health/lag.*", "health/progress.*",
    "health/heard.*", "health/lock.*", "health/dcs/guard.*", "health/schedule.*", "health/topology.*",
    "health/member.*", "health/evidence.*", "health/scene.*", "health/writer.*", "health/reader.*",
    "health/bursts.*", "health/inherit.*", "health/restrain.*", "health/operator_order.*",
    "health/patroni/*_body.*", "health/patroni/json_fields.*", "health/patroni/timestamp.*",
    "health/postgres/decide.*", "health/postgres/evidence.*", "health/postgres/writer.*",
    "health/dcs/base64.*", "health/dcs/cluster_keys.*", "health/dcs/conn_url.*",
    "health/dcs/*_messages.*", "health/dcs/object_splitter.*",
    "proxy/admin/login_attempts.*", "proxy/door_changes.*", "proxy/log_queue.*", "proxy/log_record.*", "proxy/log_text.*", "proxy/repeats.*",
    "proxy/client_names.*", "proxy/handshake.*", "proxy/match.*", "proxy/operator_state.*", "proxy/role_history.*", "proxy/route.*", "proxy/termination.*", "proxy/errc.*", "proxy/pgwire/*",
    "proxy/address_range.*", "proxy/availability.*", "proxy/balance.*", "proxy/rate.*", "proxy/rebalance.*", "proxy/recent.*", "proxy/seating.*", "proxy/slowstart.*",
    "proxy/session_list.*", "proxy/token_bucket.*", "proxy/waiting_line.*", "proxy/listen_fds.*", "proxy/service_status.*", "proxy/handed_over.*", "proxy/handed_history.*",
    "proxy/member_places.*", "proxy/settings_wait.*",
)

# The first row whose pattern matches the including file decides which of our headers it may see.
OURS = (
    *((settings, SETTINGS) for settings in SETTINGS),
    ("config/*", ("config/*",)),
    ("health/*", ("health/*", *SETTINGS, "config/units.hpp", "config/utf8.hpp")),
    ("proxy/pgwire/*", ("proxy/pgwire/*",)),
    ("proxy/admin/basic_auth.*", ("proxy/*", "health/dcs/base64.hpp")),
    ("proxy/cli/client.*", ("proxy/*", "health/http_connection.hpp", "config/*")),
    ("proxy/cluster_record.*", ("proxy/*", "health/topology.hpp", "health/member.hpp",
                                "health/observer.hpp", "config/*")),
    ("proxy/unusable_files.*", ("proxy/*", "health/http_connection.hpp", "config/*")),
    # Follows clusters for server, and knows nothing of sessions.
    ("proxy/clusters.*", ("proxy/*", "health/topology.hpp", "health/member.hpp",
                          "health/observer.hpp", "health/succession.hpp", "config/*")),
    # The one file that knows both sides.
    ("proxy/server.*", ("proxy/*", "health/*", "config/*")),
    ("proxy/*", ("proxy/*", "health/topology.hpp", "health/member.hpp", "config/*")),
)

# Third-party headers: where they are at home, and whether a pure file may see them. More than one
# row may match a header (Asio's TLS is Asio as well); all of them hold.
ANYWHERE = PROGRAM
VERSION = "proxy/cli/version.cpp"  # names the libraries it was built with
THIRD_PARTY = (
    ("libpq", ("libpq-fe.h", "libpq/*", "postgresql/*"), ("health/sql_probe.cpp", VERSION)),
    ("yaml-cpp", ("yaml-cpp/*",), ("config/*.cpp",)),
    ("prometheus", ("prometheus/*",), ("proxy/metrics.*", "proxy/metric_family.hpp", "proxy/process_metrics.*")),
    ("Beast", ("boost/beast.hpp", "boost/beast/*"),
     ("health/http_connection.*", "health/asio_impl.cpp", "proxy/admin/http_exchange.*",
      "proxy/admin/http_server.*", "proxy/cli/version.cpp")),
    ("OpenSSL", ("openssl/*", "boost/asio/ssl.hpp", "boost/asio/ssl/*", "boost/beast/ssl.hpp",
                 "boost/beast/ssl/*"),
     ("health/http_connection.*", "health/patroni/rest_poller.*", "health/dcs/follower.*",
      "health/asio_impl.cpp", "proxy/tls_context.*", "proxy/tls_stream.*", "proxy/certificate_ends.*",
       "proxy/admin/authenticator.cpp", "proxy/admin/doorway.*", "proxy/admin/http_server.*",
      VERSION)),
    ("CLI11", ("CLI/*",), ("proxy/cli/*",)),
    ("systemd", ("systemd/*",), ("proxy/service_notify.*",)),
    ("Asio", ("boost/asio.hpp", "boost/asio/*"), ANYWHERE),
)

HEADERS = ("*.hpp",)
CODE = ("*.hpp", "*.cpp")
# (pattern, files it is banned in, exceptions, what to do instead). Comments and strings are blanked
# before the search.
BANNED = (
    (r"\w::detached\b", CODE, (),
     "a coroutine's exception must be seen: give co_spawn a handler instead of detached"),
    (r"\batomic\s*<\s*(std::)?shared_ptr\b", CODE, (),
     "post the snapshot to each worker: g++ 12 races in atomic<shared_ptr>"),
    (r"\basync_resolve\b|\bgetaddrinfo\b", CODE, ("health/lookup.cpp",),
     "names are looked up through health/lookup_pool.hpp only: getaddrinfo cannot be cancelled"),
    (r"\busing\s+namespace\b", HEADERS, (),
     "a header must not open a namespace for everyone who includes it"),
    (r"\bstd::w?(regex|smatch|cmatch)\b|#\s*include\s*<regex>", CODE, (),
     "std::regex is slow and recursive: write a small parser"),
    (r"(?<!operator )\bnew\b(?!\s*\[)\s*[\w:(]", CODE, (),
     "own by value, container or make_unique instead of new"),
    (r"(?<!operator )\bdelete\b\s*(\[\s*\])?\s*[\w:(*]", CODE, (),
     "own by value, container or unique_ptr instead of delete"),
    (r"\bsleep_(for|until)\b|\bu?sleep\s*\(", ("tests/unit/*", "tests/loopback/*"), (),
     "a test never sleeps to be right: pass the time in, or wait for a condition"),
)

# The first row that matches decides.
MAX_LINES = (
    ("tests/*.cpp", 600), ("tests/*.hpp", 600), ("tests/*.py", 600),
    ("*.hpp", 200), ("*.cpp", 400),
)


def matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, p) for p in patterns)


STRIPPED = re.compile(
    r'//[^\n]*|/\*.*?\*/'                            # comments
    r'|R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"'   # raw strings
    r'|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'',  # strings; not the ' of 10'000
    re.DOTALL)


def code_only(text):
    """Comments and literals become blanks; lines stay where they are."""
    return STRIPPED.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def check_includes(path, text):
    for m in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', text, re.MULTILINE):
        line, header = line_of(text, m.start()), m.group(2)
        ours = m.group(1) == '"' or matches(header, PROGRAM)
        if ours and matches(path, PROGRAM):
            allowed = next(row[1] for row in OURS if fnmatch.fnmatchcase(path, row[0]))
            if header.startswith(("tests/", "bench/")):
                yield line, "include", f"the program must not include {header}"
            elif matches(header, PROGRAM) and not matches(header, allowed):
                yield line, "include", f"{path} may not include {header}"
            elif matches(header, PROGRAM) and matches(path, PURE) and not matches(header, PURE):
                yield line, "pure", f"{path} is pure, {header} is not"
        for name, headers, homes in THIRD_PARTY:
            if not matches(header, headers):
                continue
            if matches(path, PURE):
                yield line, "pure", f"{path} is pure and may not include {name}"
            elif matches(path, PROGRAM) and not matches(path, homes):
                yield line, "home", f"{name} is at home in {', '.join(homes)}"


def check_banned(path, text):
    code = code_only(text)
    for pattern, files, exceptions, advice in BANNED:
        if matches(path, files) and not matches(path, exceptions):
            for m in re.finditer(pattern, code):
                yield line_of(code, m.start()), "banned", advice


def check_form(path, text):
    lines = text.count("\n")
    limit = next((n for pattern, n in MAX_LINES if fnmatch.fnmatchcase(path, pattern)), None)
    if limit is not None and lines > limit:
        yield lines, "length", f"{lines} lines, {limit} are allowed: find the second subject in it"
    if not matches(path, CODE):
        return
    if not text.startswith("// SPDX-License-Identifier: PostgreSQL\n"):
        yield 1, "spdx", "the first line must be '// SPDX-License-Identifier: PostgreSQL'"
    if matches(path, HEADERS) and not re.search(r"^#pragma once$", text, re.MULTILINE):
        yield 1, "pragma", "a header needs '#pragma once'"


def check_folder(path):
    name = os.path.basename(path)
    if "/" not in path and name not in TOP_FOLDERS:
        yield 0, "folder", f"'{name}' is no room of the house ({', '.join(sorted(TOP_FOLDERS))})"
    if name in BANNED_FOLDER_NAMES:
        yield 0, "folder", f"'{name}' says nothing: name the folder after its subject"


def is_ignored(root, path):
    is_build = os.path.exists(os.path.join(root, path, "CMakeCache.txt"))
    return is_build or os.path.basename(path) in IGNORED_FOLDERS


def check_tree(root):
    """All offences below root, as (path, line, rule, sentence)."""
    found = []
    for folder, subfolders, files in os.walk(root):
        here = os.path.relpath(folder, root)
        inside = (lambda name: name) if here == "." else (lambda name: f"{here}/{name}")
        subfolders[:] = sorted(s for s in subfolders if not is_ignored(root, inside(s)))
        for s in subfolders:
            found += [(inside(s), *offence) for offence in check_folder(inside(s))]
        for path in (inside(f) for f in sorted(files)):
            if not matches(path, CODE + ("tests/*.py",)):
                continue
            with open(os.path.join(root, path), encoding="utf-8") as f:
                text = f.read()
            checks = [check_form] + ([check_includes, check_banned] if matches(path, CODE) else [])
            for check in checks:
                found += [(path, *offence) for offence in check(path, text)]
    return found


def main(argv):
    here = os.path.dirname(os.path.abspath(__file__))
    root = argv[1] if len(argv) > 1 else os.path.join(here, "../..")
    # A mistyped root must not look like a clean tree.
    if not os.path.isdir(os.path.join(root, "config")):
        print(f"{root}: not the source tree", file=sys.stderr)
        return 2
    found = check_tree(root)
    for path, line, rule, sentence in found:
        print(f"{path}:{line}: [{rule}] {sentence}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
