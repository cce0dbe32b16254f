"""A provider for Terraform that has the schemas of aws_schema.json and nothing behind them: enough to validate a
configuration, and to run `terraform test` with `mock_provider`, where the provider itself cannot be had.

It speaks version 6 of Terraform's plugin protocol (docs/plugin-protocol/tfplugin6.proto of Terraform), of which so little
is needed that messages are written by hand. Terraform connects to one that runs by TF_REATTACH_PROVIDERS."""

import json
import os
import pathlib
from concurrent import futures

import grpc

SCHEMA = pathlib.Path(__file__).with_name("aws_schema.json")

# Of data sources, and of the provider itself, what the module asks for.
SOURCES = {
    "aws_caller_identity": ["account_id", "arn", "id", "user_id"],
    "aws_partition": ["dns_suffix", "id", "partition", "reverse_dns_prefix"],
    "aws_region": ["description", "endpoint", "id", "region"],
}
PROVIDER = {"attributes": {"region": "string"}, "blocks": {}, "required": []}

# What a resource may say and else is told.
EITHER = {"id", "tags_all"}
LIST = 2


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    """A field of a message: a number, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def attribute(name, kind, required, computed):
    out = field(1, name.encode()) + field(2, json.dumps(kind).encode())
    if required:
        return out + field(4, 1)
    if name in EITHER:
        return out + field(5, 1) + field(6, 1)
    return out + field(6 if computed else 5, 1)


def block(schema):
    required, computed = schema["required"], schema.get("computed", [])
    out = b""
    for name, kind in schema["attributes"].items():
        out += field(2, attribute(name, kind, name in required, name in computed))
    for name, inner in schema["blocks"].items():
        if inner is not None:
            nested = field(1, name.encode()) + field(2, block(inner)) + field(3, LIST)
            out += field(3, nested + (field(4, 1) if name in required else b""))
    return out


def schema(body):
    return field(2, block(body))


def provider_schema():
    """GetProviderSchema.Response."""
    out = field(1, schema(PROVIDER))
    for name, body in json.loads(SCHEMA.read_text()).items():
        out += field(2, field(1, name.encode()) + field(2, schema(body)))
    for name, attributes in SOURCES.items():
        body = {"attributes": dict.fromkeys(attributes, "string"), "blocks": {}, "required": [], "computed": attributes}
        out += field(3, field(1, name.encode()) + field(2, schema(body)))
    return out


class Calls(grpc.GenericRpcHandler):
    """Answers what the schema is; all other calls are fine."""

    def __init__(self):
        self.known = provider_schema()

    def service(self, details):
        service, name = details.method.rsplit("/", 1)
        if service != "/tfplugin6.Provider":
            return None
        answer = self.known if name == "GetProviderSchema" else b""
        return grpc.unary_unary_rpc_method_handler(lambda request, context: answer)


class Provider:
    """One that runs while it is in use."""

    def __enter__(self):
        self.server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Calls()])
        port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        self.reattach = json.dumps(
            {
                "hashicorp/aws": {
                    "Protocol": "grpc",
                    "ProtocolVersion": 6,
                    "Pid": os.getpid(),
                    "Test": True,
                    "Addr": {"Network": "tcp", "String": f"127.0.0.1:{port}"},
                }
            }
        )
        return self

    def __exit__(self, *_):
        self.server.stop(None)
