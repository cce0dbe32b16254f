"""Messages on a pair of streams: a line of JSON, and as many raw bytes as its ``bytes`` says."""

import json
from typing import IO, Any

import numpy as np


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy as JSON has them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} is no JSON")


class Wire:
    def __init__(self, reader: IO[bytes], writer: IO[bytes]) -> None:
        self.reader = reader
        self.writer = writer

    def receive(self) -> tuple[dict[str, Any], bytes] | None:
        """The next message; None when there is none any more."""
        line = self.reader.readline()
        if not line:
            return None
        message = json.loads(line)
        size = message.get("bytes", 0)
        body = self.reader.read(size) if size else b""
        if len(body) < size:
            return None
        return message, body

    def send(self, message: dict[str, Any], body: bytes = b"") -> None:
        # NaN and infinities are no JSON; the error says so here rather than at the other end.
        message = message | {"bytes": len(body)}
        line = json.dumps(message, separators=(",", ":"), default=_plain, allow_nan=False)
        self.writer.write(line.encode() + b"\n" + body)
        self.writer.flush()
