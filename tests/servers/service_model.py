"""Whether JSON on the wire is what a service of AWS says it takes and gives: members, types, enumerations, limits and
patterns of the service model that botocore carries."""

import re

import botocore.session


class Model:
    def __init__(self, service):
        self.model = botocore.session.get_session().get_service_model(service)

    def operation(self, name):
        return self.model.operation_model(name)

    def request(self, operation, body):
        """What is wrong with the body of a request."""
        return list(wrong(self.operation(operation).input_shape, body, operation))

    def answer(self, operation, body):
        """What is wrong with the body of an answer."""
        return list(wrong(self.operation(operation).output_shape, body, operation))


def wrong(shape, value, at):
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            yield f"{at}: an object expected"
            return
        members = {m.serialization.get("name", name): (name, m) for name, m in shape.members.items()}
        required = {shape.members[name].serialization.get("name", name) for name in shape.required_members}
        for missing in sorted(required - value.keys()):
            yield f"{at}: {missing} is missing"
        for name, inner in value.items():
            if name not in members:
                yield f"{at}: there is no {name}"
            else:
                yield from wrong(members[name][1], inner, f"{at}.{name}")
    elif kind == "list":
        if not isinstance(value, list):
            yield f"{at}: a list expected"
            return
        for number, inner in enumerate(value):
            yield from wrong(shape.member, inner, f"{at}[{number}]")
    elif kind == "map":
        if not isinstance(value, dict):
            yield f"{at}: an object expected"
            return
        for name, inner in value.items():
            yield from wrong(shape.value, inner, f"{at}.{name}")
    elif kind == "string":
        if not isinstance(value, str):
            yield f"{at}: a text expected, not {value!r}"
            return
        if getattr(shape, "enum", None) and value not in shape.enum:
            yield f"{at}: {value!r} is none of {shape.enum}"
        pattern = shape.metadata.get("pattern")
        if pattern and not re.search(pattern, value):
            yield f"{at}: {value!r} does not match {pattern}"
        yield from limits(shape, len(value), at)
    elif kind in ("integer", "long"):
        if not isinstance(value, int) or isinstance(value, bool):
            yield f"{at}: a whole number expected, not {value!r}"
        else:
            yield from limits(shape, value, at)
    elif kind in ("double", "float", "timestamp"):
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            yield f"{at}: a number expected, not {value!r}"
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield f"{at}: true or false expected, not {value!r}"
    else:
        yield f"{at}: nothing is known of {kind}"


def limits(shape, size, at):
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield f"{at}: less than {least}"
    if most is not None and size > most:
        yield f"{at}: more than {most}"
