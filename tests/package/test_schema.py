# SPDX-License-Identifier: PostgreSQL
"""The schema that editors check a configuration with: it takes what the program takes, and it
refuses unknown keys and wrong types."""

import copy
import json
import re
import subprocess
import textwrap

import jsonschema
import pytest

import reference
import schema
from conftest import ROOT

REFERENCE = reference.PATH.read_text()
LISTENERS = {"write": {"bind": "*:5432", "cluster": "main", "role": "primary"}}
CLUSTERS = {"main": {"patroni": {"members": ["10.0.0.1:8008"]}}}


@pytest.fixture(scope="module")
def validator():
    checked_in = json.loads(schema.SCHEMA.read_text())
    jsonschema.Draft7Validator.check_schema(checked_in)
    return jsonschema.Draft7Validator(checked_in)


def problems(validator, document):
    return [f"{'.'.join(map(str, e.absolute_path))}: {e.message}"
            for e in validator.iter_errors(document)]


def readme_blocks():
    """Each YAML block of the README as a whole configuration, filled up where it is a part."""
    for block in re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S):
        document = schema.load(textwrap.dedent(block))
        if document is None:  # a comment alone
            continue
        if "dcs" in document:
            document = {"clusters": {"main": document}}
        elif all(isinstance(v, dict) and "bind" in v for v in document.values()) and \
                not {"clusters", "listeners", "admin"} & set(document):
            document = {"listeners": document}
        yield {"clusters": CLUSTERS, "listeners": LISTENERS} | document


def test_the_files_are_what_the_script_makes():
    stale = [str(path.relative_to(ROOT)) for path in schema.stale_files()]
    assert not stale, f"{stale}: run deploy/manual/schema.py --write and commit what it writes"


@pytest.mark.parametrize("text", [REFERENCE, reference.uncommented(REFERENCE)],
                         ids=["as it stands", "every key set"])
def test_the_reference_is_valid(validator, text):
    assert problems(validator, schema.load(text)) == []


def test_the_examples_are_valid(validator):
    blocks = list(readme_blocks())
    assert len(blocks) >= 5
    for block in blocks:
        assert problems(validator, block) == [], block
    for path in sorted(ROOT.glob("deploy/**/rolegate*.yaml")):
        assert problems(validator, schema.load(path.read_text())) == [], path


def places(document, path=()):
    """Every map and every value of a document, as paths."""
    yield path
    items = document.items() if isinstance(document, dict) else \
        enumerate(document) if isinstance(document, list) else ()
    for key, below in items:
        yield from places(below, (*path, key))


def changed(document, path, change):
    document = copy.deepcopy(document)
    if not path:
        return change(document)
    inside = document
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = change(inside[path[-1]])
    return document


def is_free(path):
    """Where names are the operator's."""
    return path and (path[-1] in ("clusters", "listeners", "member_options", "tags", "match",
                                  "address_map", "users"))


def test_an_unknown_key_is_refused_everywhere(validator):
    full = schema.load(reference.uncommented(REFERENCE))
    for path in places(full):
        inside = full
        for key in path:
            inside = inside[key]
        if isinstance(inside, dict) and not is_free(path):
            wrong = changed(full, path, lambda m: m | {"no_such_key": 1})
            assert problems(validator, wrong), path


def test_a_wrong_type_is_refused_everywhere(validator):
    full = schema.load(reference.uncommented(REFERENCE))
    for path in places(full):
        wrongs = [None, [[1]], {"no_such_key": {"no_such_key": [1]}}]
        for wrong in wrongs:
            assert problems(validator, changed(full, path, lambda _, w=wrong: w)), (path, wrong)


@pytest.mark.parametrize("text, expected", [
    ("workers: many", "workers"),
    ("workers: 0", "workers"),
    ("shutdown_timeout: 30", "shutdown_timeout"),
    ("buffer_size: 64KB", "buffer_size"),
    ("log: {level: loud}", "log.level"),
    ("listeners: {write: {bind: '*:1', cluster: main, role: writer}}", "listeners.write.role"),
    ("listeners: {write: {cluster: main, role: primary}}", "listeners.write"),
    ("listeners: {'a b': {bind: '*:1', cluster: main, role: primary}}", "listeners"),
])
def test_a_mistake_is_found_where_it_is(validator, text, expected):
    document = {"clusters": CLUSTERS, "listeners": LISTENERS} | schema.load(text)
    assert [p.split(":")[0] for p in problems(validator, document)] == [expected]


CANDIDATES = ["10s", "10MB", "7", "true", "off", "'${NO_SUCH_VARIABLE:-5s}'"]


def refused_lines(rolegate, file, text):
    file.write_text(text)
    done = subprocess.run([rolegate, "check", "-c", file], capture_output=True, text=True)
    assert done.returncode == (2 if done.stderr else 0), done
    return {int(number) for number in re.findall(rf"^{file}:(\d+):", done.stderr, re.M)}


@pytest.mark.parametrize("value", CANDIDATES)
def test_what_the_program_takes_the_schema_takes(validator, rolegate, tmp_path, value):
    """Every key that is set in the reference gets the value, but for those where it is refused."""
    original = REFERENCE.splitlines()
    lines = [re.sub(r"^( *[a-z_]+: )[^#{\[ ][^#]*", lambda m: m.group(1) + value + " ", line)
             for line in original]
    file = tmp_path / "rolegate.yaml"
    # What one change hides of another comes up in the next round.
    for _ in range(20):
        text = "\n".join(lines) + "\n"
        if not (refused := refused_lines(rolegate, file, text)):
            break
        for number in refused:
            # A contradiction may be told of the other key.
            changed_lines = [i for i, line in enumerate(lines) if line != original[i]]
            if changed_lines:
                nearest = min(changed_lines, key=lambda i: abs(i - (number - 1)))
                lines[nearest] = original[nearest]
    assert not refused
    assert lines != original
    assert problems(validator, schema.load(text)) == []
