"""A collector of traces: takes OTLP by http/protobuf as its specification says, and writes each span as a line of JSON
into the file that it is told. It says where it listens, and ends with its standard input."""

import http.server
import json
import sys
import threading

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as wire
from opentelemetry.proto.trace.v1 import trace_pb2

OUT = open(sys.argv[1], "a", encoding="utf-8")
LOCK = threading.Lock()


def attributes(pairs):
    """Values by their keys; each has one kind of value."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def spans(request):
    for of_resource in request.resource_spans:
        resource = attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield {
                    "name": span.name,
                    "kind": trace_pb2.Span.SpanKind.Name(span.kind),
                    "status": trace_pb2.Status.StatusCode.Name(span.status.code),
                    "trace": span.trace_id.hex(),
                    "id": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "attributes": attributes(span.attributes),
                    "resource": resource,
                    "scope": of_scope.scope.name,
                }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        reply, status = b"", 400
        if self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf":
            request = wire.ExportTraceServiceRequest.FromString(body)
            with LOCK:
                for span in spans(request):
                    span["sent_with"] = self.headers.get("x-tenant")
                    OUT.write(json.dumps(span) + "\n")
                OUT.flush()
            reply, status = wire.ExportTraceServiceResponse().SerializeToString(), 200
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
