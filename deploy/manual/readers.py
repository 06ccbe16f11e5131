# SPDX-License-Identifier: PostgreSQL
"""The functions that read the configuration (config/*_schema.cpp), taken apart by their form alone:
name, parameters, body, lambdas; and the tables of words and ranges that they use.
"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]



def blank_comments(text):
    keep = r'"(?:\\.|[^"\\\n])*"'
    return re.sub(rf"({keep})|//[^\n]*|/\*.*?\*/", lambda m: m.group(1) or " ", text, flags=re.S)


def closing(text, at):
    """The position of the bracket that closes the one at `at`; strings are passed over."""
    depth = 0
    tokens = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'|[(){}\[\]]')
    for m in tokens.finditer(text, at):
        if m.group() in "({[":
            depth += 1
        elif m.group() in ")}]":
            depth -= 1
            if depth == 0:
                return m.start()
    raise ValueError("unbalanced: " + text[at:at + 60])


def split_top(text, separator=","):
    """`text` at its separators outside of brackets and strings; <> count where they hug words."""
    parts, depth, begin = [], 0, 0
    for m in re.finditer(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'|[(){}\[\]]|\w<|>|' + separator, text):
        c = m.group()
        if c in ("(", "{", "[") or c.endswith("<"):
            depth += 1
        elif c in (")", "}", "]") or (c == ">" and depth > 0):
            depth -= 1
        elif c == separator and depth == 0:
            parts.append(text[begin:m.start()].strip())
            begin = m.end()
    parts.append(text[begin:].strip())
    return [p for p in parts if p]


def strings(text):
    return re.findall(r'"((?:\\.|[^"\\])*)"', text)


class Function:
    """A function or lambda: its parameters as (type, name), its body with lambdas taken out."""

    def __init__(self, name, parameters, body, file, outer=None):
        self.name, self.file, self.outer = name, file, outer
        self.parameters = [self.parameter(p) for p in split_top(parameters)]
        self.lambdas = {}  # placeholder -> Function
        self.body = self.take_lambdas_out(body)
        # const auto NAME = LAMBDA;
        self.locals = {m.group(1): self.lambdas[m.group(2)]
                       for m in re.finditer(r"auto (\w+) = (LAMBDA_\d+)\b", self.body)}

    @staticmethod
    def parameter(text):
        m = re.fullmatch(r"(.*?)[\s&*]*\b(\w+)(?:\s*=.*)?", text, re.S)
        return (" ".join(m.group(1).split()), m.group(2))

    def take_lambdas_out(self, body):
        lambda_head = re.compile(r"(?<![\w\])])\[[&=\w, ]*\]\s*\(")
        while m := lambda_head.search(body):
            end = closing(body, m.end() - 1)
            brace = body.index("{", end)
            last = closing(body, brace)
            name = f"LAMBDA_{len(self.lambdas)}"
            self.lambdas[name] = Function(
                name, body[m.end():end], body[brace + 1:last], self.file, self)
            body = body[:m.start()] + name + body[last + 1:]
        return body

    def node(self):
        """The name of the parameter that is a node of the YAML tree."""
        return next((name for kind, name in self.parameters if "yaml_node" in kind), None)

    def callable(self, name):
        scope = self
        while scope:
            if name in scope.lambdas or name in scope.locals:
                return scope.lambdas.get(name) or scope.locals[name]
            scope = scope.outer
        return None


class Sources:
    """All functions, tables of words, ranges and fields of settings in config/."""

    def __init__(self, folder=ROOT / "config"):
        self.functions = {}   # name -> [Function], overloads
        self.nodes = {}       # class -> its member that is a node
        self.words = {}       # table -> words
        self.ranges = {}      # (file, name) -> (type, min, max), as written
        self.fields = {}      # field of a settings struct -> its types
        files = [folder / "schema.cpp", *sorted(folder.glob("*_schema.cpp")),
                 folder / "secret_keys.cpp"]
        for path in files:
            self.read_source(path.name, blank_comments(path.read_text()))
        for path in sorted(folder.glob("*.hpp")):
            self.read_header(blank_comments(path.read_text()))

    def read_source(self, file, text):
        head = re.compile(r"^(?:[\w:<>,&* \[\]]+[\s&*])?([\w:]+)\(([^;{}]*?)\)\s*(?:const\s*)?\n?\{",
                          re.M)
        # At the beginning of a line, or after the line with the type; keywords are none of ours.
        for m in head.finditer(text):
            name = m.group(1).split("::")[-1]
            end = closing(text, m.end() - 1)
            if m.group().startswith((" ", "\t")) or name in ("if", "for", "while", "switch"):
                continue
            self.functions.setdefault(name, []).append(
                Function(m.group(1), m.group(2), text[m.end():end], file))
        for m in re.finditer(r"^class (\w+)\s*\{(.*?)\n\};", text, re.S | re.M):
            node = re.search(r"const yaml_node& (\w+);", m.group(2))
            if node:
                self.nodes[m.group(1)] = node.group(1)
        for m in re.finditer(r"constexpr (\w+_range) (\w+)\{(.*)\};", text):
            values = split_top(m.group(3))
            self.ranges[file, m.group(2)] = (m.group(1), *values)

    def read_header(self, text):
        for m in re.finditer(r"constexpr std::array (\w+)\{(.*?)\n\};", text, re.S):
            self.words[m.group(1)] = strings(m.group(2))
        for m in re.finditer(r"^    ([\w:<>]+) (\w+)(?:\{[^}]*\}| = [^;]*)?;", text, re.M):
            self.fields.setdefault(m.group(2), set()).add(m.group(1))


def number(text):
    """The value of a C++ integer as it stands in a range; None: more than this understands."""
    text = text.replace("'", "")
    text = re.sub(r"std::int64_t\{(\d+)\}", r"\1", text)
    limits = {"std::numeric_limits<int>::max()": 2**31 - 1}
    if text in limits:
        return limits[text]
    m = re.fullmatch(r"(-?\d+)(?: << (\d+))?", text)
    return int(m.group(1)) << int(m.group(2) or 0) if m else None
