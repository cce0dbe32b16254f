"""A client of matchcut's service: asks for events, follows what comes of them and fetches their files."""

from .changes import Changes
from .client import Client
from .errors import (
    ApiError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    EventOver,
    Finding,
    MatchcutError,
    NotFound,
    Refused,
    StorageFull,
    TooLarge,
    Unavailable,
    Unprocessable,
    WaitedTooLong,
)
from .events import Events
from .items import AskedReplay, Change, Clip, Counts, End, Event, LeftOut, Piece, Replay, Segment, SegmentClip, State

__all__ = [
    "ApiError",
    "AskedReplay",
    "BadRequest",
    "Change",
    "Changes",
    "Client",
    "Clip",
    "Conflict",
    "ConnectionFailed",
    "Counts",
    "End",
    "Event",
    "EventOver",
    "Events",
    "Finding",
    "LeftOut",
    "MatchcutError",
    "NotFound",
    "Piece",
    "Refused",
    "Replay",
    "Segment",
    "SegmentClip",
    "State",
    "StorageFull",
    "TooLarge",
    "Unavailable",
    "Unprocessable",
    "WaitedTooLong",
]
