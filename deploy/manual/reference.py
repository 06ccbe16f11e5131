# SPDX-License-Identifier: PostgreSQL
"""What config/reference.yaml says of each key: its default or example, whether it is unset by
default, and the comments around it.

The file's own rules make that possible: prose starts with "# ", a key that is unset by default with
"#" alone; a comment stands above its key, or behind it and then goes on in the same column.
"""

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATH = ROOT / "config/reference.yaml"

# The names of these maps are the operator's. Where some keys may stand below any of its names, "*"
# stands for the name.
NAMED = ("clusters", "listeners", "clusters.*.member_options")

KEY = re.compile(r"( *)(#?)([A-Za-z_][A-Za-z0-9_.]*):(?= |$)(.*)")
PROSE = re.compile(r"( *)#(?: (.*))?$")


@dataclasses.dataclass
class Entry:
    path: str      # "listeners.*.queue.timeout"
    value: str     # as it stands there; "": a map that goes on below
    is_set: bool   # False: unset by default, `value` is an example
    text: str      # the comments, as one string; paragraphs are parted by an empty line


def uncommented(text):
    """The file with every unset key set."""
    lines = (re.sub(r"^( *)#(?=[^ #\n])", r"\1", line) for line in text.splitlines())
    return "\n".join(lines) + "\n"


def split_comment(rest):
    """(value, comment, column of the comment in `rest`); a # in quotes is none."""
    quote = ""
    for i, c in enumerate(rest):
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'":
            quote = c
        elif c == "#" and (i == 0 or rest[i - 1] == " "):
            return rest[:i].strip(), rest[i + 1:].strip(), i
    return rest.strip(), "", None


def path_of(above, name):
    if not above:
        return name
    return above + "." + ("*" if above in NAMED else name)


def paragraphs(lines):
    return "\n\n".join(" ".join(p.split()) for p in "\n".join(lines).split("\n\n") if p.strip())


def entries(text=None):
    """Every key in the order of the file; of a key that occurs twice the first one with a text."""
    found = {}
    above = []      # (indent, path)
    before = []     # comment lines above the next key
    behind = None   # (column, lines of the last key's comment)
    example = None  # the map of which another example began just now
    for line in (text if text is not None else PATH.read_text()).splitlines():
        key, prose = KEY.fullmatch(line), PROSE.fullmatch(line)
        if key:
            indent = len(key.group(1))
            while above and above[-1][0] >= indent:
                above.pop()
            path = path_of(above[-1][1] if above else "", key.group(3))
            above.append((indent, path))
            value, comment, column = split_comment(key.group(4))
            lines = [comment] if comment else []
            behind = (key.start(4) + column, lines) if column is not None else None
            if path.endswith(".*") and before and path in found:
                # About what is new in this example: its first key, or else the map.
                example = path
                continue
            entry = [path, value, not key.group(2), before, lines]
            if path not in found or not (found[path][3] or found[path][4]):
                found[path] = entry
            elif example:
                found[example][3] += ["", *before]
            before, example = [], None
        elif prose and behind and len(prose.group(1)) == behind[0]:
            behind[1].append(prose.group(2) or "")
        elif prose:
            before.append(prose.group(2) or "")
            behind = None
        else:
            before, behind = [], None
    return [Entry(path, value, is_set, paragraphs(above_it + [""] + behind_it))
            for path, value, is_set, above_it, behind_it in found.values()]
