"""What changes of an event, out of server-sent events. When the connection breaks they are asked for again from behind
the last epoch that came whole, so that each change is told once."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

import httpx

from .errors import ConnectionFailed, Unavailable, of_response
from .items import Change, End

if TYPE_CHECKING:
    from .client import Client

SILENCE = 45.0
"""The service says every 15 s that there is nothing; one that does not is not there any more."""

LASTING = 1.0
"""So many seconds of a connection, or a message, and it was worth something."""


@dataclass(frozen=True)
class Message:
    """A server-sent event."""

    id: str | None
    event: str
    data: str


class Changes(Iterator[Change]):
    """Iterates over changes until the event is over.

    `after` is the last epoch whose changes have all been given out: what to ask with another time. `end` says how the
    event was when there was nothing more; None before, and where everything had been told before.
    """

    def __init__(self, client: Client, path: str, after: int | None, patience: float) -> None:
        self.after = after
        self.end: End | None = None
        self._waiting: deque[Change] = deque()
        self._epoch = after
        self._client = client
        self._path = path
        self._patience = patience
        self._messages = self._follow()

    def __next__(self) -> Change:
        while not self._waiting:
            self.after = self._epoch
            message = next(self._messages)
            if message.event == "end":
                self.end = End.read(json.loads(message.data))
            elif message.event == "changes":
                # One line each. An id is a number, and every message of changes has one.
                self._waiting.extend(Change.read(json.loads(line)) for line in message.data.split("\n") if line)
            if message.id is not None:
                self._epoch = int(message.id)
        return self._waiting.popleft()

    def close(self) -> None:
        """Hangs up before the end."""
        self._messages.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _follow(self) -> Generator[Message]:
        """Messages of as many connections as it takes."""
        last: str | None = None if self.after is None else str(self.after)
        # When it last went well, and how long to wait before it is tried again.
        well, wait = time.monotonic(), 0.0
        while True:
            connected: float | None = None
            try:
                headers = {"accept": "text/event-stream"}
                if last is not None:
                    headers["last-event-id"] = last
                timeout = httpx.Timeout(self._patience, read=SILENCE)
                with self._client.stream(self._path, headers, timeout) as response:
                    if response.status_code == 204:
                        return
                    if response.status_code != 200:
                        response.read()
                        raise of_response(response)
                    connected = time.monotonic()
                    for message in messages(response.iter_bytes()):
                        connected = min(connected, time.monotonic() - LASTING)
                        last = message.id or last
                        yield message
                        if message.event == "end":
                            return
                # It has hung up: the service is stopping.
                failed: Exception = ConnectionFailed("the service has hung up before the event was over")
            except (ConnectionFailed, Unavailable) as error:
                failed = error
            if connected is not None and time.monotonic() - connected >= LASTING:
                well, wait = time.monotonic(), 0.0
            if time.monotonic() - well + wait > self._patience:
                raise failed
            time.sleep(wait)
            wait = min(wait * 2 + 0.1, 5.0)


def messages(pieces: Iterable[bytes]) -> Iterator[Message]:
    """Reads server-sent events as WHATWG's standard says. Lines end with \\n, \\r\\n or \\r and nothing else: text in
    JSON may have what Python takes for the end of a line. What is not whole at the end does not count."""
    id: str | None = None
    event, data = "", list[str]()
    for line in lines(pieces):
        if not line:
            if data:
                yield Message(id, event or "message", "\n".join(data))
            id, event, data = None, "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "id":
                id = value
            case "event":
                event = value
            case "data":
                data.append(value)


def lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Whole lines without their ends."""
    rest = b""
    for piece in pieces:
        rest += piece
        # A \\r at the end may be half of an end.
        held = rest[-1:] if rest.endswith(b"\r") else b""
        text = rest[: len(rest) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *whole, rest = text.split(b"\n")
        rest += held
        for line in whole:
            yield line.decode("utf-8", "replace")
