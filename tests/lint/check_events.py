#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Every event of the log stands in deploy/events.md with its level and its fields, and no other does.

usage: check_events.py [ROOT]
Prints a sentence for each difference; status 1 when there is any.
"""

import glob
import os
import re
import sys

# log::line(...), log::line name(...), and line(...) in the log's own room.
LINE = re.compile(r"(?:\blog::line|(?<![:\w.])line)(?:\s+\w+)?\((?=[^()]*\blog_level::|level,|\s*\w+ \?)")
FIELD = re.compile(r'(?:\.(?:add|name|text|number)\(|\badd_age\(\w+, )"(\w+)"')
COMMENT = re.compile(r"//[^\n]*")
ROW = re.compile(r"^\| `(\w+)` \| ([\w, ]+) \|([^|]*)\|", re.MULTILINE)


def arguments(text, start):
    """From behind the opening parenthesis to its closing one."""
    depth = 1
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return text[start:at]
    return text[start:]


def events_in_code(root):
    """Levels by event, fields, and the places where an event has no name that can be read."""
    events, fields, nameless = {}, {"repeated"}, []
    for path in sorted(glob.glob(f"{root}/proxy/**/*.cpp", recursive=True)):
        with open(path, encoding="utf-8") as file:
            text = COMMENT.sub("", file.read())
        if '#include "proxy/log.hpp"' not in text or path.endswith("proxy/log_record.cpp"):
            continue
        fields |= set(FIELD.findall(text))
        for match in LINE.finditer(text):
            told = arguments(text, match.end())
            names = re.findall(r'"(\w+)"', told)
            levels = re.findall(r"log_level::(\w+)", told)
            if not levels:
                continue  # a declaration
            if not names:
                nameless.append(f"{os.path.relpath(path, root)}:{text.count(chr(10), 0, match.start()) + 1}")
            for index, name in enumerate(names):
                each = [levels[index]] if len(levels) == len(names) else levels
                events.setdefault(name, set()).update(each)
    return events, fields, nameless


def events_in_document(root):
    with open(f"{root}/deploy/events.md", encoding="utf-8") as file:
        text = file.read()
    rows = ROW.findall(text)
    return ({name: set(levels.split(", ")) for name, levels, _ in rows},
            {field for _, _, cell in rows for field in re.findall(r"`(\w+)`", cell)} | {"repeated"})


def differences(root):
    events, fields, nameless = events_in_code(root)
    told, told_fields = events_in_document(root)
    found = [f"{place}: the event's name must be a literal" for place in nameless]
    found += [f"event '{name}' does not stand in deploy/events.md" for name in sorted(events.keys() - told.keys())]
    found += [f"deploy/events.md: no code tells '{name}'" for name in sorted(told.keys() - events.keys())]
    found += [f"deploy/events.md: '{name}' is {', '.join(sorted(events[name]))}"
              for name in sorted(events.keys() & told.keys()) if events[name] != told[name]]
    found += [f"field '{name}' does not stand in deploy/events.md" for name in sorted(fields - told_fields)]
    found += [f"deploy/events.md: no event has the field '{name}'" for name in sorted(told_fields - fields)]
    return found


def main(argv):
    here = os.path.dirname(os.path.abspath(__file__))
    found = differences(argv[1] if len(argv) > 1 else os.path.join(here, "../.."))
    for sentence in found:
        print(sentence)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
