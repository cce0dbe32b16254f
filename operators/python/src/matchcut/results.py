"""What an operator says. Times are flicks on the timeline of the event."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from .attributes import Attribute, check


def _attributes(values: dict[str, Any], declared: dict[str, Attribute]) -> dict[str, Any]:
    values = {name: v.item() if isinstance(v, np.generic) else v for name, v in values.items()}
    check(values, declared)
    return values


@dataclass
class Observation:
    """By featurers: a point (``end`` left out) or a range, with attributes."""

    start: int
    end: int | None = None
    attributes: dict[str, Any] = field(default_factory=dict)

    def wire(self, declared: dict[str, Attribute]) -> dict[str, Any]:
        end = self.start if self.end is None else self.end
        return {
            "start": int(self.start),
            "end": int(end),
            "attributes": _attributes(self.attributes, declared),
        }


@dataclass
class Segment:
    """By segmenters: a clip. One without ``end`` is open: what would be said if nothing followed."""

    start: int
    end: int | None = None
    attributes: dict[str, Any] = field(default_factory=dict)

    def wire(self, declared: dict[str, Attribute]) -> dict[str, Any]:
        return {
            "start": int(self.start),
            "end": None if self.end is None else int(self.end),
            "attributes": _attributes(self.attributes, declared),
        }


@dataclass
class Marks:
    """By optimizers: better marks of the segment that begins at ``segment``, on an audio track."""

    segment: int
    start: int
    end: int
    track: int = 1
    attributes: dict[str, Any] = field(default_factory=dict)

    def wire(self, declared: dict[str, Attribute]) -> dict[str, Any]:
        return {
            "segment": int(self.segment),
            "track": int(self.track),
            "start": int(self.start),
            "end": int(self.end),
            "attributes": _attributes(self.attributes, declared),
        }


@dataclass
class Label:
    """By labelers: what the segment that begins at ``segment`` is called."""

    segment: int
    label: str | None
    attributes: dict[str, Any] = field(default_factory=dict)

    def wire(self, declared: dict[str, Attribute]) -> dict[str, Any]:
        return {
            "segment": int(self.segment),
            "label": self.label,
            "attributes": _attributes(self.attributes, declared),
        }


Result: TypeAlias = Observation | Segment | Marks | Label

KEYS: dict[type, str] = {
    Observation: "observations",
    Segment: "segments",
    Marks: "optimized",
    Label: "labels",
}


def each(said: Any) -> Iterator[Any]:
    """What a method returned, one by one: nothing, one result, or any number of them."""
    if said is None:
        return
    if isinstance(said, Iterable) and not isinstance(said, str | bytes | dict):
        yield from said
    else:
        yield said


def sorted_by_key(said: Any, declared: dict[str, Attribute]) -> dict[str, list[Any]]:
    """Results as a message has them."""
    message: dict[str, list[Any]] = {}
    for result in each(said):
        key = KEYS.get(type(result))
        if key is None:
            names = ", ".join(kind.__name__ for kind in KEYS)
            raise TypeError(f"{result!r} is no result; one of {names} expected")
        wire: Callable[[dict[str, Attribute]], dict[str, Any]] = result.wire
        message.setdefault(key, []).append(wire(declared))
    return message
