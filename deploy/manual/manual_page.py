# SPDX-License-Identifier: PostgreSQL
"""rolegate.yaml(5), out of the entries of the reference and the types of the schema."""

import re

BOOLEAN = re.compile(r"true|false")

HEAD = r""".\" SPDX-License-Identifier: PostgreSQL
.\" Written by deploy/manual/schema.py; do not edit.
.TH ROLEGATE.YAML 5 "" "Rolegate" "File formats"
.ad l
.SH NAME
rolegate.yaml \- configuration of the PostgreSQL proxy rolegate
.SH DESCRIPTION
The file that
.B rolegate run \-c
.I FILE
reads, in YAML.
.B rolegate check \-c
.I FILE
names every mistake in it with its place;
.B \-\-print
shows it with every default filled in.
A key that is unknown is refused, never ignored.
.PP
Durations are written
.BR 250ms ", " 2s ", " 30m ", " 1h ", " 1d ;
sizes
.BR 512B ", " 64kB ", " 10MB ", " 1GB .
.BI ${ VAR }
and
.BI ${ VAR :\- default }
in a value are replaced from the environment;
.B $$
is a dollar.
.PP
Each key is shown with its default.
What is marked
.I (example)
is required or unset by default, as the text says, and shows what it may look like.
"""

SECTIONS = (
    ("clusters.*", "CLUSTERS", "Below\n.BI clusters. NAME :"),
    ("listeners.*", "LISTENERS", "Below\n.BI listeners. NAME :"),
    ("admin", "ADMIN", "Below\n.BR admin :"),
    ("log", "LOG", "Below\n.BR log :"),
)

TAIL = r""".SH EXAMPLE
A three-node Patroni cluster with etcd:
.PP
.EX
clusters:
  main:
    patroni:
      members: [10.0.3.141:8008, 10.0.3.201:8008, 10.0.3.68:8008]
    dcs:
      scope: my\-ha\-cluster
      etcd3: {hosts: [10.0.3.64:2379, 10.0.3.78:2379, 10.0.3.32:2379]}
listeners:
  write: {bind: "*:5432", cluster: main, role: primary}
  read: {bind: "*:5433", cluster: main, role: replica}
admin: {bind: 127.0.0.1:7000}
.EE
.SH FILES
.TP
.I /etc/rolegate/rolegate.yaml
What the service of the Debian package reads.
.TP
.I /usr/share/rolegate/rolegate.schema.json
These keys as JSON Schema, for editors.
.SH SEE ALSO
.BR rolegate (1)
"""


def is_default(entry):
    return entry.is_set and not re.search(r"\brequired\b", entry.text, re.I)


def escaped(text):
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("~", r"\(ti").replace("^", r"\(ha")
    text = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text).replace("`", r"\(ga")
    return "\n".join(r"\&" + line if line[:1] in ".'" else line for line in text.split("\n"))


def filled(text):
    """A sentence a line, as manual pages are written."""
    return "\n.IP\n".join(escaped(re.sub(r"(?<=\w[.;:]) (?=[A-Za-z])", "\n", p))
                          for p in text.split("\n\n"))


def find(schema, path):
    """What the schema says of a path of the reference; None for an example of a free name."""
    for key in path.split("."):
        parts = [schema, *schema.get("anyOf", ())]
        below = next((p["properties"][key] for p in parts if key in p.get("properties", {})), None)
        if below is None:
            below = next((p["additionalProperties"] for p in parts
                          if isinstance(p.get("additionalProperties"), dict)), None)
        if below is None:
            return None
        schema = below
    return schema


def words(schema):
    """Of an enumeration."""
    for part in (schema or {}).get("anyOf", ()):
        if "enum" in part and not BOOLEAN.fullmatch(part["enum"][0]):
            return part["enum"]
    return []


def item(entry, name, schema):
    mark = "" if is_default(entry) or not entry.value else " \\fI(example)\\fR"
    value = " " + escaped(entry.value) if entry.value else ""
    out = f".TP\n.B {escaped(name)}:\n" if not value else f".TP\n\\fB{escaped(name)}:\\fR{value}{mark}\n"
    text = filled(entry.text)
    unnamed = [w for w in words(find(schema, entry.path)) if not re.search(rf"\b{w}\b", entry.text)]
    if unnamed:
        choice = "One of " + ", ".join(words(find(schema, entry.path))) + "."
        text = (text + "\n" if text else "") + escaped(choice)
    return out + (text + "\n" if text else "\\&\n")


def make(entries, schema):
    out = HEAD
    rest = list(entries)
    for prefix, title, intro in SECTIONS:
        mine = [e for e in rest if e.path.startswith(prefix + ".")]
        above = [e for e in rest if prefix in (e.path, e.path + ".*")]
        rest = [e for e in rest if e not in mine and e not in above]
        out += f".SH {title}\n{intro}\n"
        out += "".join(filled(e.text) + "\n" for e in above if e.text)
        for e in mine:
            name = e.path[len(prefix) + 1:].replace("*", "NAME")
            out += item(e, name, schema)
    out += ".SH TOP LEVEL\n"
    out += "".join(item(e, e.path.replace("*", "NAME"), schema) for e in rest)
    return out + TAIL
