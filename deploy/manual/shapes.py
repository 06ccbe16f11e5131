# SPDX-License-Identifier: PostgreSQL
"""What each key of the configuration may be, as JSON Schema, read out of config/*_schema.cpp.

The readers there are tables of keys, each with a lambda that calls one of yaml_reader's functions or
another reader. A call that is given the node says something of it; everything else is passed over.
What is not understood is left open, so that a new kind of reader makes the schema laxer, not wrong.
"""

import re

import readers

# The shapes of scalars. All of them may hold ${VAR}, and YAML's own idea of their type is of no
# account to the program: `password: 123` is a text there.
VARIABLE = {"type": "string", "pattern": r"\$\{"}
TEXT = {"type": ["string", "number", "boolean"]}
PRIMITIVES = {
    "text": TEXT,
    "boolean": {"anyOf": [{"type": "boolean"}, {"enum": ["true", "false"]}, VARIABLE]},
    "duration": {"anyOf": [{"const": 0},
                           {"type": "string", "pattern": r"^(0|[0-9]+(ms|s|m|min|h|d))$"},
                           VARIABLE]},
    "size": {"anyOf": [{"type": "integer", "minimum": 0},
                       {"type": "string", "pattern": "^[0-9]+(B|kB|MB|GB|TB)?$"}, VARIABLE]},
}
NAMES = {"pattern": "^[A-Za-z0-9_.-]{1,63}$"}  # yaml_reader::named()
REFUSED = {"not": {}}

CALL = re.compile(r"(?:\b(\w+)\.)?\b(\w+)\(")
KEY = re.compile(r'\{"(\w+)",\s+(\w+)\}')


def enumeration(words):
    return {"anyOf": [{"enum": words}, VARIABLE]}


def integer(bounds):
    low, high = (readers.number(b) for b in bounds[1:3]) if bounds else (None, None)
    whole = {"type": "integer"}
    if low is not None:
        whole["minimum"] = low
    if high is not None:
        whole["maximum"] = high
    return {"anyOf": [whole, {"type": "string", "pattern": r"^-?[0-9]+$|\$\{"}]}


def flat(shapes):
    """Alternatives without repetitions, and without those that refuse everything."""
    out = []
    for shape in shapes:
        for one in shape["anyOf"] if list(shape) == ["anyOf"] else [shape]:
            if one not in out and one != REFUSED:
                out.append(one)
    return out


def merged(objects, alternatives):
    """One object of several: they hold all at once, or are alternatives that an editor completes
    best as one."""
    out = dict(objects[0])
    for other in objects[1:]:
        properties = dict(out.get("properties", {}))
        for key, shape in other.get("properties", {}).items():
            properties[key] = united([properties[key], shape]) if key in properties else shape
        required = [set(o.get("required", [])) for o in (out, other)]
        both = required[0] & required[1] if alternatives else required[0] | required[1]
        out = {**out, "properties": properties}
        out.pop("required", None)
        if both:
            out["required"] = sorted(both)
    return out


def united(shapes, alternatives=True):
    if not shapes:
        return {}
    parts = flat(shapes)
    if not parts:
        return REFUSED
    objects = [p for p in parts if "properties" in p]
    rest = [p for p in parts if "properties" not in p]
    if objects:
        rest.append(merged(objects, alternatives))
    return rest[0] if len(rest) == 1 else {"anyOf": rest}


class Interpreter:
    def __init__(self, sources=None):
        self.sources = sources or readers.Sources()
        self.busy = []

    def root(self):
        return self.shape(self.sources.functions["read_settings"][0], None, {})

    def shape(self, function, node, given):
        """What `function` takes for its node, called with what `given` says of its parameters."""
        node = node or function.node() or self.sources.nodes.get(function.name.split("::")[0])
        if node is None or (function, node) in self.busy:
            return {}
        self.busy.append((function, node))
        try:
            return self.shape_of_body(function, node, given)
        finally:
            self.busy.pop()

    def shape_of_body(self, function, node, given):
        shapes, scalar = [], False
        for receiver, name, arguments, after in self.calls(function.body):
            at = next((i for i, a in enumerate(arguments) if a in (node, "*" + node)), None)
            if at is None:
                continue
            if receiver in ("in", "in_"):
                scalar = scalar or name == "scalar"
                shapes += self.primitive(function, name, arguments, given)
            else:
                shapes += self.other_reader(function, name, arguments, after, given)
        if keys := self.keys(function, given):
            shapes.append(self.object(function, node, keys))
        for pointer in re.findall(rf"(\w+) = &{node}\b", function.body):
            shapes += self.read_later(function, pointer, given)
        shapes = [s for s in shapes if s]
        if scalar:
            # `auto`, `off`: words beside something else; alone nobody knows what is done to the text.
            words = re.findall(r'[!=]= "(\w+)"', function.body)
            shapes.insert(0, {"enum": words} if words and shapes else TEXT)
        if not shapes and self.always_refuses(function, node):
            return REFUSED
        return united(shapes, alternatives=False)

    def calls(self, body):
        for m in CALL.finditer(body):
            end = readers.closing(body, m.end() - 1)
            yield m.group(1), m.group(2), readers.split_top(body[m.end():end]), body[end + 1:]

    def primitive(self, function, name, arguments, given):
        if name in PRIMITIVES:
            return [PRIMITIVES[name]]
        if name == "integer":
            return [integer(self.range(function, arguments[1] if len(arguments) > 1 else "", given))]
        if name == "choice":
            return [enumeration(readers.strings(arguments[1]))]
        if name in ("list", "entries", "named"):
            reader = function.callable(arguments[2])
            inside = self.shape(reader, None, given) if reader else {}
            if name == "list":
                return [{"type": "array", "items": inside}]
            map_of = {"type": "object", "additionalProperties": inside}
            return [map_of | ({"propertyNames": NAMES} if name == "named" else {})]
        return []

    def other_reader(self, function, name, arguments, after, given):
        table = self.sources.words.get(arguments[2]) if len(arguments) > 2 else None
        if name == "read_word" and table:
            return [enumeration(table)]
        if local := function.callable(name):
            return [self.shape(local, None, self.passed(function, local, arguments, given))]
        if name in self.sources.nodes:  # an object of a class that reads: NAME(...).method()
            method = re.match(r"\.(\w+)\(", after)
            name = method.group(1) if method else name
        out = []
        for candidate in self.overloads(function, name, arguments, given):
            out.append(self.shape(candidate, None, self.passed(function, candidate, arguments, given)))
        return [united([s for s in out if s])]

    def overloads(self, function, name, arguments, given):
        found = self.sources.functions.get(name, [])
        found = [f for f in found if f.file == function.file] or found
        fitting = [f for f in found if self.fits(function, f, arguments, given)]
        return fitting or found

    def fits(self, caller, function, arguments, given):
        for (kind, _), argument in zip(function.parameters, arguments):
            bounds = self.range(caller, argument, given)
            if bounds and kind.endswith("_range") and kind != bounds[0]:
                return False
            types = self.sources.fields.get(argument.split(".")[-1]) if "." in argument else None
            if types and kind.startswith("std::optional") and "<T>" not in kind and kind not in types:
                return False
        return True

    def passed(self, caller, function, arguments, given):
        out = dict(given)
        for (_, name), argument in zip(function.parameters, arguments):
            if bounds := self.range(caller, argument, given):
                out[name] = bounds
        return out

    def range(self, function, name, given):
        return given.get(name) or self.sources.ranges.get((function.file, name))

    def keys(self, function, given):
        """Of the map that the function reads: its own, and those of a list of keys it asks for."""
        out = {}
        for _, name, _, _ in self.calls(function.body):
            for other in self.sources.functions.get(name, []):
                if other.node() is None and "::" not in other.name and KEY.search(other.body):
                    out |= self.keys(other, given)
        for key, reader in KEY.findall(function.body):
            called = function.callable(reader)
            out[key] = self.shape(called, None, given) if called else {}
        return out

    def object(self, function, node, keys):
        properties = {k: s for k, s in keys.items() if s != REFUSED}
        out = {"type": "object", "properties": properties, "additionalProperties": False}
        required = []
        for m in re.finditer(rf"\bin_?\.require\({node}, \{{([^}}]*)\}}\)", function.body):
            if self.always_done(function.body, m.start()):
                required += readers.strings(m.group(1))
        return out | ({"required": sorted(required)} if required else {})

    @staticmethod
    def always_done(body, at):
        before = body[:at].rstrip()
        return before.count("{") == before.count("}") and before[-1:] in ("", ";", "}")

    def always_refuses(self, function, node):
        return any(self.always_done(function.body, m.start())
                   for m in re.finditer(rf"\bin_?\.fail\({node},", function.body))

    def read_later(self, function, pointer, given):
        """The lambda only keeps the node; the function around it reads it."""
        out, scope = [], function.outer
        while scope:
            for _, name, arguments, after in self.calls(scope.body):
                if "*" + pointer in arguments:
                    out += self.other_reader(scope, name, arguments, after, given)
            scope = scope.outer
        return [united(out)] if out else []
