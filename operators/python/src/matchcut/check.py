"""Tries an operator without the engine: ``python -m matchcut.check my_operator.py [OPTIONS as JSON]``.

It is started as the engine starts it and gets two chunks of made-up frames or samples, or steps. Each is
asked for twice, the first one once more at the end, and the answers must be equal.
"""

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from .attributes import Any as AnyKind
from .attributes import Attribute, Boolean, Number, Text, check
from .media import CHANNELS
from .time import FLICKS_PER_SECOND
from .wire import Wire

CHUNK = 2 * FLICKS_PER_SECOND
KINDS: dict[str, type[Attribute]] = {"boolean": Boolean, "number": Number, "text": Text, "any": AnyKind}


class Wrong(Exception):
    """What is wrong with the operator."""


def chunk(position: int) -> dict[str, Any]:
    start, end = position * CHUNK, (position + 1) * CHUNK
    return {
        "position": position,
        "start": start,
        "end": end,
        "start_seconds": start / FLICKS_PER_SECOND,
        "end_seconds": end / FLICKS_PER_SECOND,
        "stretch": 0,
        "audio_tracks": [1],
        "frame_rate": [25, 1],
    }


def frames(view: dict[str, Any], position: int) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Fifty frames: a slope that moves, and another picture from the middle of each chunk."""
    width, height, channels = view["width"], view["height"], CHANNELS[view["format"]]
    slope = np.add.outer(np.arange(height), np.arange(width))
    for index in range(50):
        shift = index + 128 * (index // 25) + 50 * position
        pixels = ((slope + shift) % 256).astype(np.uint8)
        body = np.repeat(pixels[..., None], channels, axis=2).tobytes()
        time = position * CHUNK + index * FLICKS_PER_SECOND // 25
        header = {
            "type": "frame",
            "time": time,
            "seconds": time / FLICKS_PER_SECOND,
            "index": index,
            "width": width,
            "height": height,
            "format": view["format"],
        }
        yield header, body


def blocks(position: int) -> Iterator[tuple[dict[str, Any], bytes]]:
    """A tone that becomes loud in the middle of each chunk."""
    for number in range(94):
        first = position * 96_000 + number * 1024
        at = np.arange(first, min(first + 1024, (position + 1) * 96_000))
        tone = np.sin(at * 2 * math.pi * 440 / 48_000) * (0.5 if number > 46 else 0.01)
        time = first * FLICKS_PER_SECOND // 48_000
        header = {
            "type": "audio",
            "time": time,
            "seconds": time / FLICKS_PER_SECOND,
            "sample_rate": 48_000,
            "channels": 1,
        }
        yield header, tone.astype("<f4").tobytes()


class Trial:
    """An operator as a child process."""

    def __init__(self, file: str, options: dict[str, Any]) -> None:
        self.child = subprocess.Popen(
            [sys.executable, os.path.basename(file)],
            cwd=os.path.dirname(os.path.abspath(file)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.child.stdin is not None and self.child.stdout is not None
        self.wire = Wire(self.child.stdout, self.child.stdin)
        self.number = 0
        hello = {"type": "hello", "protocol": 1, "host": "check", "options": options}
        self.ready, _ = self.ask(hello | {"max_segment": 300 * FLICKS_PER_SECOND})
        if self.ready["type"] == "refused":
            raise Wrong("; ".join(f"{e['option']}: {e['message']}" for e in self.ready["errors"]))
        started, _ = self.ask({"type": "start"})
        if started["type"] != "started":
            raise Wrong(f"on_start: {started['message']}")

    def send(self, message: dict[str, Any], body: bytes = b"") -> None:
        try:
            self.wire.send(message, body)
        except BrokenPipeError:
            raise self.ended() from None

    def ask(self, message: dict[str, Any], body: bytes = b"") -> tuple[dict[str, Any], bytes]:
        self.send(message, body)
        answer = self.wire.receive()
        if answer is None:
            raise self.ended()
        return answer

    def ended(self) -> Wrong:
        return Wrong(f"it ended with exit code {self.child.wait()}")

    def scan(self, position: int) -> dict[str, Any]:
        self.number += 1
        self.send({"type": "chunk", "id": self.number, "track": None, **chunk(position)})
        media = frames(self.ready["view"], position) if "view" in self.ready else blocks(position)
        for header, body in media:
            self.send(header, body)
        answer, _ = self.ask({"type": "end_chunk", "id": self.number})
        return self.checked(answer)

    def step(self, position: int | None, rows: Any, state: bytes) -> tuple[dict[str, Any], bytes]:
        self.number += 1
        at = 2 if position is None else position
        segments = [{"segmenter": "s", "start": at * CHUNK - CHUNK, "end": at * CHUNK, "attributes": {}}]
        observation = {"operator": "o", "track": None, "start": at * CHUNK, "end": at * CHUNK}
        answer, state = self.ask(
            {
                "type": "step",
                "id": self.number,
                "position": position,
                "chunk": None if position is None else chunk(position),
                "watermark": min(at + 1, 2) * CHUNK,
                "end_of_event": position is None,
                "track": None,
                "rows": rows,
                "observations": [observation | {"attributes": {}}] if position is not None else [],
                "segments": segments if at > 0 else [],
            },
            state,
        )
        return self.checked(answer), state

    def checked(self, answer: dict[str, Any]) -> dict[str, Any]:
        if answer["type"] != "result":
            raise Wrong(str(answer.get("message", answer)))
        declared = {a["name"]: KINDS[a["kind"]](a["description"]) for a in self.ready["attributes"]}
        for key in ("observations", "segments", "optimized", "labels"):
            for result in answer.get(key, []) + answer.get("tail", {}).get(key, []):
                check(result["attributes"], declared)
        return {key: value for key, value in answer.items() if key != "id"}


def equal(what: str, one: Any, other: Any) -> None:
    if one != other:
        raise Wrong(f"{what} gives another answer the second time: {one} and {other}")


def try_out(file: str, options: dict[str, Any]) -> str:
    """What was found in order; raises ``Wrong`` where something is not."""
    trial = Trial(file, options)
    scans: list[dict[str, Any]] = []
    if "view" in trial.ready or trial.ready["audio"]:
        scans = [trial.scan(0), trial.scan(1)]
        equal("chunk 1", scans[1], trial.scan(1))
        equal("chunk 0, after others,", scans[0], trial.scan(0))
    if trial.ready["order"] == "ordered":
        state, positions = b"", [0, 1, None]
        snapshots = []
        for position in positions:
            rows = scans[position].get("rows") if scans and position is not None else None
            before = state
            answer, state = trial.step(position, rows, before)
            snapshots.append((position, rows, before, answer, state))
        # What is remembered must be in the state alone.
        for position, rows, before, answer, after in reversed(snapshots):
            equal(f"step {position}, from its snapshot,", (answer, after), trial.step(position, rows, before))
    assert trial.child.stdin is not None
    trial.child.stdin.close()
    if code := trial.child.wait(10):
        raise Wrong(f"it ends with exit code {code} when its stdin closes")
    said = sum(len(scan.get(key, [])) for scan in scans for key in ("observations", "rows"))
    name = trial.ready["name"]
    return f"{name} ({trial.ready['class']}): good; it said {said} things of two chunks of 2 s"


def main() -> int:
    parser = argparse.ArgumentParser("matchcut.check", description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("options", nargs="?", default="{}")
    arguments = parser.parse_args()
    try:
        print(try_out(arguments.file, json.loads(arguments.options)))
    except (Wrong, TypeError) as error:
        print(f"{arguments.file}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
