# SPDX-License-Identifier: PostgreSQL
import re
import subprocess

import pytest

import reference
from conftest import ROOT

PAGES = [ROOT / "deploy/manual/rolegate.1", ROOT / "deploy/manual/rolegate.yaml.5"]


def shown(page):
    """As a reader sees it, without line breaks and hyphenation."""
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-P-cbou", "-rLL=2000n", "-rHY=0", page],
        capture_output=True, text=True, check=True)
    return done.stdout.replace("\u2010", "-").replace("\u2212", "-")


def help_of(rolegate, *command):
    return subprocess.run([rolegate, *command, "--help"], capture_output=True, text=True,
                          check=True).stdout


def commands(rolegate):
    listed = help_of(rolegate).split("Subcommands:\n")[1]
    return re.findall(r"^  (\S+)", listed, re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_a_page_formats_without_warnings(page):
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", page], capture_output=True,
                          text=True)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", page], capture_output=True,
                          text=True, env={"LC_ALL": "C.UTF-8", "MANWIDTH": "80",
                                          "PATH": "/usr/bin:/bin", "MANROFFSEQ": ""})
    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_and_option_is_in_the_manual_and_no_other(rolegate):
    page = shown(PAGES[0])
    section = page.split("\nCOMMANDS\n")[1].split("\nOPTIONS\n")[0]
    documented = re.findall(r"^   (\S+)", section, re.M)
    assert sorted(documented) == sorted(commands(rolegate)), "mend deploy/manual/rolegate.1"
    texts = help_of(rolegate) + "".join(help_of(rolegate, c) for c in documented)
    options = set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", texts, re.M))
    assert options, texts
    missing = {o for o in options if not re.search(rf"(?<![\w-]){o}(?![\w-])", page)}
    assert not missing, "mend deploy/manual/rolegate.1"
    gone = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page)) - options
    assert not gone, "deploy/manual/rolegate.1 tells of options that there are not"


def test_every_key_is_in_the_manual():
    page = shown(PAGES[1])
    for entry in reference.entries():
        name = entry.path
        for prefix in ("clusters.*.", "listeners.*.", "admin.", "log."):
            name = name.removeprefix(prefix)
        if name.endswith("*") or entry.path in ("clusters", "listeners", "admin", "log"):
            continue
        assert f"\n       {name.replace('*', 'NAME')}:" in page, entry.path
