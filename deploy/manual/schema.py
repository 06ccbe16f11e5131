#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Writes what is made out of the configuration's own sources: the JSON Schema for editors
(deploy/rolegate.schema.json) and the manual page rolegate.yaml(5).

usage: schema.py            prints the schema
       schema.py --write    writes both files; run it after a change of a key or of reference.yaml
       schema.py --check    status 1 when a file is not what would be written

Which keys there are, and of what type, stands in config/*_schema.cpp; what they mean and their
defaults in config/reference.yaml.
"""

import json
import sys

import yaml

import manual_page
import reference
import shapes

SCHEMA = reference.ROOT / "deploy/rolegate.schema.json"
PAGE = reference.ROOT / "deploy/manual/rolegate.yaml.5"

HEAD = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "$comment": "Written by deploy/manual/schema.py; do not edit.",
    "title": "Rolegate's configuration (rolegate.yaml)",
    "description": "Keys and types. Contradictions between keys, and everything else, are found by "
                   "`rolegate check -c FILE`.",
}


class Loader(yaml.SafeLoader):
    """YAML as the program reads it: `off` and `yes` are words."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", manual_page.BOOLEAN, list("tf"))


def load(text):
    return yaml.load(text, Loader)


def described(shape, path, entries):
    """`shape` and what is below it, with the texts of the reference."""
    out = dict(shape)
    if entry := entries.get(path):
        if entry.text:
            out["description"] = entry.text
        if entry.value:
            value = load(entry.value)
            out |= {"default": value} if manual_page.is_default(entry) else {"examples": [value]}
    for part in (out, *out.get("anyOf", ())):
        if "properties" in part:
            part["properties"] = {key: described(below, reference.path_of(path, key), entries)
                                  for key, below in part["properties"].items()}
        if isinstance(part.get("additionalProperties"), dict):
            part["additionalProperties"] = described(
                part["additionalProperties"], path + ".*", entries)
    return out


def make_schema():
    entries = {entry.path: entry for entry in reference.entries()}
    # A copy: parts are shared between places that are described differently.
    root = json.loads(json.dumps(shapes.Interpreter().root()))
    return HEAD | described(root, "", entries)


def outputs():
    schema = make_schema()
    return {SCHEMA: json.dumps(schema, indent=2, ensure_ascii=False) + "\n",
            PAGE: manual_page.make(reference.entries(), schema)}


def stale_files():
    return [path for path, text in outputs().items()
            if not path.exists() or path.read_text() != text]


def main():
    if sys.argv[1:] == ["--write"]:
        for path, text in outputs().items():
            path.write_text(text)
    elif sys.argv[1:] == ["--check"]:
        for path in (stale := stale_files()):
            print(f"{path.relative_to(reference.ROOT)} is not up to date: "
                  "run deploy/manual/schema.py --write", file=sys.stderr)
        return 1 if stale else 0
    elif not sys.argv[1:]:
        print(outputs()[SCHEMA], end="")
    else:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
