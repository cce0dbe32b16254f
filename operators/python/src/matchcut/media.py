"""What an operator looks at and listens to."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .results import Observation
from .time import seconds

Format = Literal["gray8", "yuv444", "rgb24"]
CHANNELS: dict[str, int] = {"gray8": 1, "yuv444": 3, "rgb24": 3}


@dataclass(frozen=True)
class View:
    """The frames that an operator wants: scaled to exactly this size, in this format, and at most this
    many a second (``5`` or ``"30000/1001"``; every frame when left out)."""

    width: int
    height: int
    format: Format = "gray8"
    rate: int | str | None = None

    def wire(self) -> dict[str, Any]:
        view: dict[str, Any] = {"width": self.width, "height": self.height, "format": self.format}
        if self.rate is not None:
            view["rate"] = self.rate
        return view


@dataclass(frozen=True)
class Chunk:
    """A piece of the stream, on the timeline of the event."""

    position: int
    start: int
    end: int
    stretch: int
    audio_tracks: list[int]
    frame_rate: tuple[int, int] | None
    track: int | None = None

    @classmethod
    def read(cls, message: dict[str, Any]) -> "Chunk":
        rate = message.get("frame_rate")
        return cls(
            message["position"],
            message["start"],
            message["end"],
            message.get("stretch", 0),
            message.get("audio_tracks", []),
            None if rate is None else (rate[0], rate[1]),
            message.get("track"),
        )


@dataclass(frozen=True)
class Frame:
    """A frame. ``pixels`` is height x width, or height x width x 3; it cannot be written to."""

    time: int
    index: int
    chunk: Chunk
    pixels: npt.NDArray[np.uint8]

    @property
    def seconds(self) -> float:
        return seconds(self.time)

    def observation(self, **attributes: Any) -> Observation:
        """Something observed at this frame."""
        return Observation(self.time, None, attributes)

    @classmethod
    def read(cls, message: dict[str, Any], body: bytes, chunk: Chunk) -> "Frame":
        channels = CHANNELS[message["format"]]
        shape: tuple[int, ...] = (message["height"], message["width"])
        if channels > 1:
            shape = (*shape, channels)
        # A view of the bytes as they came, not a copy.
        pixels = np.frombuffer(body, np.uint8).reshape(shape)
        return cls(message["time"], message["index"], chunk, pixels)


@dataclass(frozen=True)
class AudioBlock:
    """Samples of one track: one row for each time, one column for each channel, full scale is 1.0."""

    time: int
    sample_rate: int
    chunk: Chunk
    samples: npt.NDArray[np.float32]

    @property
    def track(self) -> int:
        return self.chunk.track or 1

    @property
    def seconds(self) -> float:
        return seconds(self.time)

    def time_of(self, index: int) -> int:
        """When a sample of it is heard."""
        from .time import FLICKS_PER_SECOND

        return self.time + index * FLICKS_PER_SECOND // self.sample_rate

    def observation(self, **attributes: Any) -> Observation:
        """Something observed where the block begins."""
        return Observation(self.time, None, attributes)

    @classmethod
    def read(cls, message: dict[str, Any], body: bytes, chunk: Chunk) -> "AudioBlock":
        samples = np.frombuffer(body, "<f4").reshape(-1, message["channels"])
        return cls(message["time"], message["sample_rate"], chunk, samples)
