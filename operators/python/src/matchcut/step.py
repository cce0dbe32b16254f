"""What an operator that decides in order sees at one position."""

from dataclasses import dataclass
from typing import Any

from .media import Chunk
from .time import seconds


@dataclass(frozen=True)
class Seen:
    """An observation of an input."""

    operator: str
    start: int
    end: int
    track: int | None
    attributes: dict[str, Any]

    @property
    def seconds(self) -> float:
        return seconds(self.start)


@dataclass(frozen=True)
class SeenSegment:
    """A complete segment of the input segmenter."""

    segmenter: str
    start: int
    end: int
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One position: a chunk, a gap (``chunk`` is None), or the end of the event.

    Nothing before ``watermark`` can still come. ``rows`` is what ``process_frame`` or ``process_audio``
    returned for this chunk; None where that failed.
    """

    position: int | None
    chunk: Chunk | None
    watermark: int
    end_of_event: bool
    track: int | None
    rows: list[Any] | None
    observations: list[Seen]
    segments: list[SeenSegment]

    @classmethod
    def read(cls, message: dict[str, Any]) -> "Step":
        chunk = message.get("chunk")
        return cls(
            message.get("position"),
            None if chunk is None else Chunk.read(chunk),
            message["watermark"],
            message["end_of_event"],
            message.get("track"),
            message.get("rows"),
            [
                Seen(o["operator"], o["start"], o["end"], o.get("track"), o["attributes"])
                for o in message["observations"]
            ],
            [
                SeenSegment(s["segmenter"], s["start"], s["end"], s["attributes"])
                for s in message["segments"]
            ],
        )
