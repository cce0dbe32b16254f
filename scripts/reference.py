#!/usr/bin/env python3
"""Writes the parts of the book's reference that come from the code.

    scripts/reference.py MATCHCUT

Runs `MATCHCUT operators --format json` and `MATCHCUT schema` and writes
docs/src/reference/operators.md and docs/src/reference/spec.md. `make reference` calls it.
"""

import json
import subprocess
import sys
from pathlib import Path

REFERENCE = Path(__file__).parent.parent / "docs" / "src" / "reference"


def ask(program, *arguments):
    return json.loads(subprocess.run([program, *arguments], check=True, capture_output=True).stdout)


def cell(value):
    return str(value).replace("|", "\\|").replace("\n", " ").replace("{", "&#123;").replace("<", "&lt;")


def default(value):
    return "not set" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def number(rule):
    least, most = rule["min"], rule["max"]
    if most is None:
        return f"at least {least} of {rule['kind']}" if least else f"any number of {rule['kind']}"
    if least == most:
        return f"{least} of {rule['kind']}"
    return f"{least} to {most} of {rule['kind']}"


def options_table(options):
    if not options:
        return ["It has no options.", ""]
    lines = ["| option | default | means |", "|---|---|---|"]
    for name, description, value in options:
        lines.append(f"| `{name}` | {default(value)} | {cell(description)} |")
    return [*lines, ""]


def operators(types):
    lines = [
        "# Operators", "",
        "Written by `make reference` from what the operators say of themselves;",
        "`matchcut operators TYPE` prints the same.", "",
    ]
    last = None
    for kind in types:
        if kind["class"] != last:
            last = kind["class"]
            lines += [f"## {last.capitalize()}s", ""]
        lines += [f"### {kind['name']}", "", kind["summary"], ""]
        inputs = ", ".join(number(rule) for rule in kind["inputs"]) or "nothing"
        lines += [f"Inputs: {inputs}.", ""]
        if kind["attributes"]:
            lines += ["| attribute | type | means |", "|---|---|---|"]
            lines += [
                f"| `{a['name']}` | {a['kind']} | {cell(a['description'])} |" for a in kind["attributes"]
            ]
            lines.append("")
        lines += options_table([(o["name"], o["description"], o["default"]) for o in kind["options"]])
    return "\n".join(lines).rstrip() + "\n"


def spec_page(schema):
    """The tables of `[pipeline]` and `[replays.X]`, put into the hand-written page at its marks."""
    path = REFERENCE / "spec.md"
    text = path.read_text()
    for part in ("pipeline", "replays"):
        node = schema["properties"][part]
        node = node.get("additionalProperties", node) if part == "replays" else node
        node = resolve(schema, node)
        rows = [
            (name, resolve(schema, p).get("description", p.get("description", "")), p.get("default"))
            for name, p in node["properties"].items()
            if name not in ("inputs", "name")
        ]
        begin, end = f"<!-- {part} -->", f"<!-- /{part} -->"
        before, rest = text.split(begin)
        _, after = rest.split(end)
        text = before + begin + "\n" + "\n".join(options_table(rows)).rstrip() + "\n" + end + after
    for part, kind in (("sinks", "kafka"), ("feeds", "kafka")):
        rows = [
            (name, resolve(schema, p).get("description", p.get("description", "")), p.get("default"))
            for name, p in options_of(schema["properties"][part], kind).items()
            if name not in ("inputs", "type")
        ]
        begin, end = f"<!-- {part}.{kind} -->", f"<!-- /{part}.{kind} -->"
        before, rest = text.split(begin)
        _, after = rest.split(end)
        text = before + begin + "\n" + "\n".join(options_table(rows)).rstrip() + "\n" + end + after
    path.write_text(text)


def options_of(section, kind):
    """The keys of a part of one type: they hang on an `if` of it."""
    for rule in section["additionalProperties"]["allOf"]:
        if rule["if"]["properties"]["type"].get("const") == kind:
            return rule["then"]["properties"]
    raise KeyError(kind)


def resolve(schema, node):
    while "$ref" in node:
        target = schema
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = sys.argv[1]
    (REFERENCE / "operators.md").write_text(operators(ask(program, "operators", "--format", "json")))
    spec_page(ask(program, "schema"))


if __name__ == "__main__":
    main()
