"""What tests run against: a real service, a source that is live, and a network that breaks."""

from __future__ import annotations

import functools
import http.server
import os
import pathlib
import re
import selectors
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAMME = ROOT / "demo/programme"

KEY = "MCUTADMIN"
SECRET = "a/secret+of=the%tests"


def program() -> pathlib.Path | None:
    """matchcut as it was built."""
    if named := os.environ.get("MATCHCUT_BIN"):
        return pathlib.Path(named)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    for profile in ("debug", "release"):
        if (path := target / profile / "matchcut").is_file():
            return path
    return None


def spec(uri: str) -> str:
    """Shots of a programme, and a replay of them."""
    return f"""
[pipeline]
name = "shots"

[sources.tv]
type = "hls"
uri = "{uri}"
reload = "50ms"

[operators.cuts]
type = "scene_change"
inputs = ["tv.video"]

[operators.shot]
type = "segment_by_shot"
inputs = ["cuts"]
attribute = "hard_cut"

[replays.best]
inputs = ["shot"]
duration = "6s"
tolerance = "2s"
weights = {{ "cuts.hard_cut" = 10 }}
"""


def until(what: Callable[[], bool]) -> None:
    """Waits, and not for ever."""
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end, "that has not come"
        time.sleep(0.02)


class Service:
    """`matchcut serve`, which may be killed and started again at the same address."""

    def __init__(self, program: pathlib.Path, dir: pathlib.Path) -> None:
        self.program = program
        self.data = dir / "data"
        self.log = dir / "log"
        self.port = 0
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {
            **os.environ,
            "MATCHCUT_ADMIN_ACCESS_KEY_ID": KEY,
            "MATCHCUT_ADMIN_SECRET_ACCESS_KEY": SECRET,
        }
        command = [self.program, "serve", "--listen", f"127.0.0.1:{self.port}", "--data", self.data]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*map(str, command), "--max-events", "4"], stdout=subprocess.PIPE, stderr=log, text=True, env=environment
            )
        assert self.process.stdout
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, line + self.log.read_text()
        self.port = int(found[1])

    def key(self, role: str) -> tuple[str, str]:
        """A new key."""
        command = [str(self.program), "access", "add", "--data", str(self.data), "--role", role]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        said = dict(line.split("=", 1) for line in told.splitlines())
        return said["AWS_ACCESS_KEY_ID"], said["AWS_SECRET_ACCESS_KEY"]

    def end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(40)
            assert self.process.stdout
            self.process.stdout.close()
            self.process = None

    def file(self, id: str, path: str) -> pathlib.Path:
        """Where a file of an event lies."""
        return self.data / "events" / id / path


class Source:
    """The first chunks of the demo's programme over HTTP, as many as are said to be there."""

    def __init__(self) -> None:
        self.chunks = 2
        self.ended = True
        source = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != "/index.m3u8":
                    super().do_GET()
                    return
                body = source.playlist().encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        handler = functools.partial(Handler, directory=str(PROGRAMME))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/index.m3u8"

    def playlist(self) -> str:
        text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:0\n"
        for number in range(self.chunks):
            text += f"#EXT-X-PROGRAM-DATE-TIME:2026-06-06T14:00:{number * 6:02}.000Z\n#EXTINF:6.0,\n"
            text += f"programme_{number:05}.ts\n"
        return text + ("#EXT-X-ENDLIST\n" if self.ended else "")

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Network:
    """A way to a service on which connections break after so many bytes of answers; None: never."""

    def __init__(self, port: int) -> None:
        self.to = port
        self.most: int | None = None
        self.connections = 0
        self.told = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        try:
            service = socket.create_connection(("127.0.0.1", self.to))
        except OSError:
            client.close()
            return
        told = 0
        with client, service, selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, service)
            ready.register(service, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    assert isinstance(key.fileobj, socket.socket)
                    try:
                        piece = key.fileobj.recv(4096)
                        if key.fileobj is service:
                            left = None if self.most is None else self.most - told
                            piece = piece[:left]
                            told += len(piece)
                            self.told += len(piece)
                        if not piece:
                            return
                        key.data.sendall(piece)
                        if told == self.most:
                            return
                    except OSError:
                        return

    def close(self) -> None:
        self.listener.close()
