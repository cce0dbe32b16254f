"""What the service tells of, as frozen dataclasses. What is most asked for has a field; `raw` has everything as it came.

Seconds are for reading and printing; marks in flicks (1/705600000 s) are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from .errors import Finding

State = Literal["queued", "running", "draining", "complete", "failed", "stopped"]

OVER: frozenset[State] = frozenset(("complete", "failed", "stopped"))

Marks = tuple[float, float]
"""Start and end in seconds of event time; the end is the first moment that is not part of it."""


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _marks(pair: Any) -> Marks:
    start, end = pair
    return float(start), float(end)


@dataclass(frozen=True)
class Counts:
    """How much an event has come to."""

    segments: int
    observations: int
    replays: int
    failures: int

    @staticmethod
    def read(told: Mapping[str, Any]) -> Counts:
        """Those that the service tells."""
        return Counts(told["segments"], told["observations"], told["replays"], told["failures"])


@dataclass(frozen=True)
class Event:
    """An event, as it was when it was asked for."""

    id: str
    name: str
    """That of its pipeline."""
    state: State
    reason: str | None
    """Why it failed."""
    epoch: int | None
    """The last that stands."""
    counts: Counts
    clips: str
    """How clips are cut: `none`, `instant`, `exact`, `smart` or `render`."""
    created: datetime
    started: datetime | None
    ended: datetime | None
    warnings: tuple[Finding, ...]
    """What of its spec has no effect; told when it is created."""
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self.state in OVER

    @staticmethod
    def read(told: Mapping[str, Any]) -> Event:
        """One that the service tells."""
        return Event(
            id=told["id"],
            name=told["name"],
            state=told["state"],
            reason=told["reason"],
            epoch=told["epoch"],
            counts=Counts.read(told["counts"]),
            clips=told["clips"],
            created=datetime.fromisoformat(told["created"]),
            started=_time(told["started"]),
            ended=_time(told["ended"]),
            warnings=tuple(Finding.read(one) for one in told.get("warnings", ())),
            raw=told,
        )


@dataclass(frozen=True)
class SegmentClip:
    """A file of a segment that is over, on one audio track."""

    track: int
    cut: str
    path: str
    """What `Events.download` takes."""
    first_frame: int
    end_frame: int
    """The first frame after it."""
    max_error_frames: int | None

    @staticmethod
    def read(told: Mapping[str, Any]) -> SegmentClip:
        """One that the service tells."""
        return SegmentClip(
            told["track"],
            told["cut"],
            told["path"],
            told["first_frame"],
            told["end_frame"],
            told.get("max_error_frames"),
        )


@dataclass(frozen=True)
class Segment:
    """A segment with what optimizers and labelers say of it."""

    id: str
    """The segmenter and its mark-in in flicks."""
    operator: str
    start: float
    end: float | None
    """None while it is open."""
    start_flicks: int
    end_flicks: int | None
    opto: Mapping[int, tuple[float | None, float | None]]
    """Optimized marks by audio track."""
    label: str | None
    attributes: Mapping[str, Any]
    clips: tuple[SegmentClip, ...]
    """Empty while the event runs: see `Events.clips`."""
    raw: Mapping[str, Any] = field(repr=False)

    @staticmethod
    def read(told: Mapping[str, Any]) -> Segment:
        """One that the service tells."""
        return Segment(
            id=told["id"],
            operator=told["operator"],
            start=told["start"],
            end=told["end"],
            start_flicks=told["start_flicks"],
            end_flicks=told.get("end_flicks"),
            opto={int(track): (marks[0], marks[1]) for track, marks in told["opto"].items()},
            label=told["label"],
            attributes=told["attributes"],
            clips=tuple(SegmentClip.read(clip) for clip in told.get("clips", ())),
            raw=told,
        )


@dataclass(frozen=True)
class Clip:
    """The media file of a segment on one audio track."""

    segment: str
    """The id of the segment."""
    operator: str
    track: int
    cut: str
    path: str
    """What `Events.download` takes. The file is there soon after the clip is told."""
    start: float
    marks: Marks
    first_frame: int
    end_frame: int
    """The first frame after it."""
    content: str
    """The identity of the media that it is cut from: it changes when they do."""
    raw: Mapping[str, Any] = field(repr=False)

    @staticmethod
    def read(told: Mapping[str, Any]) -> Clip:
        """One that the service tells."""
        return Clip(
            segment=told["segment"],
            operator=told["operator"],
            track=told["track"],
            cut=told["cut"],
            path=told["path"],
            start=told["start"],
            marks=_marks(told["marks"]),
            first_frame=told["first_frame"],
            end_frame=told["end_frame"],
            content=told["content"],
            raw=told,
        )


@dataclass(frozen=True)
class Piece:
    """A part of a replay."""

    start: float
    end: float | None
    segment: str | None
    """The id of the segment; None for a range that was asked for by its times."""
    effective: Marks
    """What is played: optimized marks where there are such."""
    score: float | None
    """None where nothing was scored."""
    reason: str
    raw: Mapping[str, Any] = field(repr=False)

    @staticmethod
    def read(told: Mapping[str, Any]) -> Piece:
        """One that the service tells."""
        score = told.get("score")
        return Piece(
            start=told["start"],
            end=told["end"],
            segment=told.get("segment"),
            effective=_marks(told["effective"]),
            score=score if isinstance(score, int | float) else None,
            reason=told["reason"],
            raw=told,
        )


@dataclass(frozen=True)
class LeftOut:
    """What a replay did not take, and why."""

    start: float
    end: float | None
    score: float | None
    reason: str

    @staticmethod
    def read(told: Mapping[str, Any]) -> LeftOut:
        """One that the service tells."""
        score = told.get("score")
        score = score if isinstance(score, int | float) else None
        return LeftOut(told["start"], told["end"], score, told["reason"])


@dataclass(frozen=True)
class Replay:
    """What a replay consists of."""

    name: str
    asked: Mapping[str, Any]
    """The table that it is asked for by."""
    selected: tuple[Piece, ...]
    """In the order in which it plays."""
    processed: bool | None
    """Whether a selection was made; None while the event runs, as the next two."""
    total_score: float | None
    left_out: tuple[LeftOut, ...] | None
    raw: Mapping[str, Any] = field(repr=False)

    @staticmethod
    def read(told: Mapping[str, Any]) -> Replay:
        """One that the service tells."""
        left_out = told.get("left_out")
        return Replay(
            name=told["name"],
            asked=told["asked"],
            selected=tuple(Piece.read(piece) for piece in told.get("selected", ())),
            processed=told.get("processed"),
            total_score=told.get("total_score"),
            left_out=None if left_out is None else tuple(LeftOut.read(one) for one in left_out),
            raw=told,
        )


@dataclass(frozen=True)
class AskedReplay:
    """A replay that is asked for beside those of the spec."""

    name: str
    asked: Mapping[str, Any]
    """The table that it is asked for by."""
    warnings: tuple[Finding, ...]
    """What of it has no effect."""

    @staticmethod
    def read(told: Mapping[str, Any]) -> AskedReplay:
        """One that the service tells."""
        return AskedReplay(told["name"], told["asked"], tuple(Finding.read(one) for one in told.get("warnings", ())))


@dataclass(frozen=True)
class Change:
    """Something that came or went while an event ran."""

    epoch: int
    kind: str
    """`segment`, `replay` or `clip`."""
    diff: int
    """1: it came; -1: what came before does not hold any more."""
    value: Mapping[str, Any]
    """As it came."""

    @property
    def item(self) -> Segment | Clip | Piece | None:
        """What came or went; None for a kind that this version does not know. For a piece, `replay` says of which
        replay."""
        match self.kind:
            case "segment":
                return Segment.read(self.value)
            case "clip":
                return Clip.read(self.value)
            case "replay":
                return Piece.read(self.value)
        return None

    @property
    def replay(self) -> str | None:
        """The name of the replay that a piece belongs to."""
        return self.value.get("replay") if self.kind == "replay" else None

    @staticmethod
    def read(told: Mapping[str, Any]) -> Change:
        """One that the service tells."""
        return Change(told["epoch"], told["kind"], told["diff"], told["value"])


@dataclass(frozen=True)
class End:
    """How an event was when its changes ended."""

    state: State
    reason: str | None
    epoch: int | None

    @staticmethod
    def read(told: Mapping[str, Any]) -> End:
        """One that the service tells."""
        return End(told["state"], told["reason"], told["epoch"])
