"""Chat completions for tests: refuses every request that is not as the interface is documented, looks at
the pictures, and answers with what it computes of them.

    python3 chat.py

Listens on a free port of the loopback interface, prints it, and ends with its standard input. What comes
first in the path says how it behaves: `ok`, `limited` (429 first, to be tried again after a second), `flaky`
(500 twice, then well), `broken` (500), `malformed` (no JSON), `outside` (not as the schema says), `slow`, and
`closed` (hangs up). `GET /requests` tells how many requests each of them got.
"""

import base64
import collections
import http.server
import io
import json
import sys
import threading
import time

from PIL import Image

KEY = "a-key-of-the-tests"
requests = collections.Counter()
lock = threading.Lock()


class Refused(Exception):
    pass


def expect(holds, what):
    if not holds:
        raise Refused(what)


def luma_of(url):
    head, data = url.split(",", 1)
    expect(head in ("data:image/png;base64", "data:image/jpeg;base64"), f"an image of {head}")
    image = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
    expect(image.format.lower() == head[11:].split(";")[0], "an image of another form than it says")
    expect(image.mode == "RGB", f"pixels of {image.mode}")
    values = image.tobytes()
    return image.size, sum(values) / len(values)


def answer(body):
    """The text that the model says."""
    expect(isinstance(body, dict), "no object")
    known = {"model", "messages", "temperature", "max_tokens", "response_format"}
    expect(set(body) <= known, f"unknown keys {set(body) - known}")
    expect(body["model"] == "luma-of-tests", "another model")
    expect(body["temperature"] == 0 and isinstance(body["max_tokens"], int), "no limits")
    messages = body["messages"]
    roles = [message["role"] for message in messages]
    expect(roles in (["user"], ["system", "user"]), f"roles {roles}")
    expect(all(set(message) == {"role", "content"} for message in messages), "keys of messages")
    text, *images = messages[-1]["content"]
    expect(set(text) == {"type", "text"} and text["type"] == "text" and text["text"], "no text first")
    expect(images, "no images")
    schema = body["response_format"]
    expect(schema["type"] == "json_schema", "no schema")
    expect(schema["json_schema"]["strict"] is True and schema["json_schema"]["name"], "no strict schema")
    expect(schema["json_schema"]["schema"]["type"] == "object", "a schema of something else")
    lumas = []
    for image in images:
        expect(set(image) == {"type", "image_url"} and image["type"] == "image_url", "no image")
        size, luma = luma_of(image["image_url"]["url"])
        expect(size == (64, 36), f"a size of {size}")
        lumas.append(luma)
    mean = sum(lumas) / len(lumas)
    return json.dumps({"luma": round(mean, 2), "dark": mean < 40, "images": len(lumas)})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body, **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with lock:
            self.reply(200, dict(requests))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        mode, _, path = self.path.lstrip("/").partition("/")
        with lock:
            requests[mode] += 1
            number = requests[mode]
        try:
            expect(path == "v1/chat/completions", f"the path {self.path}")
            expect(self.headers["Content-Type"] == "application/json", "another type")
            expect(self.headers["Authorization"] == f"Bearer {KEY}", "no key, or another")
            text = answer(json.loads(body))
        except (Refused, ValueError, KeyError, TypeError) as error:
            return self.reply(400, {"error": {"message": repr(error)}})
        if mode == "limited" and number == 1:
            return self.reply(429, {"error": {"message": "slow down"}}, Retry_After="1")
        if mode == "broken" or mode == "flaky" and number <= 2:
            return self.reply(500, {"error": {"message": "something broke"}})
        if mode == "closed":
            self.close_connection = True
            return None
        if mode == "slow":
            time.sleep(3)
        if mode == "malformed":
            text = "The picture is rather dark, I think."
        if mode == "outside":
            text = json.dumps({"luma": "dark"})
        self.reply(200, {
            "id": "chat-1", "object": "chat.completion", "model": "luma-of-tests",
            "choices": [{
                "index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": text, "refusal": None},
            }],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020},
        })


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
