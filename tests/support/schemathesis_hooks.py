"""What Schemathesis must know of the service: how its bodies are written, that requests of this machine go without
credentials, and which answers above 499 MRE's API is meant to give."""

import json

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    # Presented credentials are checked; what is drawn for them is never right.
    if case.headers:
        case.headers.pop("Authorization", None)


@schemathesis.serializer("application/toml", "application/jsonl")
def text(context, value):
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.check
def no_surprise(context, response, case):
    """A server error, but for those that clients of MRE look for: of a body that is no JSON, and with the words of a
    view of MRE."""
    if response.status_code < 500:
        return
    told = response.json()
    try:
        json.loads(response.request.body or b"")
    except (ValueError, TypeError):
        return
    if told.get("Code") != "ChaliceViewError":
        raise AssertionError(f"{response.status_code}: {told}")
