"""What servers for tests have in common: they listen on a free port of the loopback interface, print it, end
with their standard input, and answer a request in JSON or say what is wrong with it."""

import http.server
import json
import sys
import threading


class Refused(Exception):
    """A request that is not as the interface is documented."""


def expect(holds, what):
    if not holds:
        raise Refused(what)


def serve(path, answer):
    """Answers posts to `path` with what `answer` makes of their content type and body."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = 200
            try:
                expect(self.path == path, f"the path {self.path}")
                reply = answer(self.headers["Content-Type"], body)
            except Exception as error:  # whatever a request led to is told to who sent it
                status, reply = 400, {"error": {"message": repr(error)}}
            reply = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
