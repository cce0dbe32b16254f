"""Options of an operator: a dataclass. Its JSON Schema and the checking of values come from its fields."""

import dataclasses
import operator
import types
import typing
from typing import Any


class OptionsError(Exception):
    """Options that an operator does not take, by name; None when several do not go together."""

    def __init__(self, errors: list[tuple[str | None, str]] | str) -> None:
        self.errors = [(None, errors)] if isinstance(errors, str) else errors
        super().__init__("; ".join(message for _, message in self.errors))


_JSON: dict[Any, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        node = schema_of(arguments[0])
        for extra in arguments[1:]:
            node |= extra if isinstance(extra, dict) else {"description": str(extra)}
        return node
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (list, tuple):
        return {"type": "array", "items": schema_of(arguments[0]) if arguments else {}}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(arguments[1])}
    if origin in (typing.Union, types.UnionType):
        kinds = [{"type": "null"} if a is type(None) else schema_of(a) for a in arguments]
        return {"anyOf": kinds}
    if kind in _JSON:
        return {"type": _JSON[kind]}
    if kind in (list, tuple):
        return {"type": "array"}
    if kind is dict:
        return {"type": "object"}
    if dataclasses.is_dataclass(kind):
        return schema(typing.cast(type, kind))
    return {}


def schema(options: type | None) -> dict[str, Any]:
    """The JSON Schema of a dataclass of options. ``Annotated[float, {"minimum": 0}]`` adds to it, and
    ``Annotated[float, "what it means"]`` documents it."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    if options is not None:
        hints = typing.get_type_hints(options, include_extras=True)
        for field in dataclasses.fields(options):
            node = schema_of(hints[field.name])
            if field.default is not dataclasses.MISSING:
                node["default"] = field.default
            elif field.default_factory is not dataclasses.MISSING:
                node["default"] = field.default_factory()
            else:
                required.append(field.name)
            properties[field.name] = node
    result: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if required:
        result["required"] = required
    return result


def _problem(value: Any, node: dict[str, Any]) -> str | None:
    """What is wrong with a value by its schema, in as much of JSON Schema as is made here."""
    if "anyOf" in node:
        problems = [_problem(value, one) for one in node["anyOf"]]
        return None if None in problems else problems[0]
    if "enum" in node and value not in node["enum"]:
        return f"{value!r} is none of {', '.join(map(repr, node['enum']))}"
    expected = node.get("type")
    kinds: dict[str, Any] = {
        "boolean": bool,
        "integer": int,
        "number": (int, float),
        "string": str,
        "array": list,
        "object": dict,
        "null": type(None),
    }
    if expected is not None:
        good = isinstance(value, kinds[expected])
        if isinstance(value, bool) and expected in ("integer", "number"):
            good = False
        if not good:
            return f"{value!r} is not of type {expected}"
    for key, wrong, text in (
        ("minimum", operator.lt, "less than"),
        ("maximum", operator.gt, "more than"),
        ("exclusiveMinimum", operator.le, "not more than"),
        ("exclusiveMaximum", operator.ge, "not less than"),
    ):
        if key in node and wrong(value, node[key]):
            return f"{value!r} is {text} {node[key]}"
    if isinstance(value, list) and "items" in node:
        return next(filter(None, (_problem(item, node["items"]) for item in value)), None)
    if isinstance(value, dict) and isinstance(node.get("additionalProperties"), dict):
        inner = node["additionalProperties"]
        return next(filter(None, (_problem(item, inner) for item in value.values())), None)
    return None


def read(options: type | None, values: dict[str, Any]) -> Any:
    """Values as the dataclass; everything that is wrong is said together."""
    properties = schema(options)["properties"]
    errors: list[tuple[str | None, str]] = []
    for name, value in values.items():
        if name not in properties:
            known = ", ".join(properties) or "none"
            errors.append((name, f"there is no such option; there are {known}"))
        elif problem := _problem(value, properties[name]):
            errors.append((name, problem))
    for name in schema(options).get("required", []):
        if name not in values:
            errors.append((name, "it is needed"))
    if errors:
        raise OptionsError(errors)
    if options is None:
        return None
    try:
        # A check of its own in __post_init__ counts as well.
        return options(**values)
    except OptionsError:
        raise
    except (TypeError, ValueError) as error:
        raise OptionsError(str(error)) from error
