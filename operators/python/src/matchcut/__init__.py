"""Operators for matchcut in Python.

An operator is a class with a few declarations (what it looks at, what it emits, its options) and a method
for what it gets: ``process_frame``, ``process_audio`` or ``process_observations``. ``run`` speaks the
protocol with the engine.
"""

from .media import AudioBlock, Chunk, Frame, View
from .operator import Operator
from .options import OptionsError
from .results import Label, Marks, Observation, Result, Segment
from .runner import run
from .step import Seen, SeenSegment, Step
from .time import FLICKS_PER_SECOND, seconds, to_flicks
from .attributes import Any, Attribute, Boolean, Number, Text

__all__ = [
    "FLICKS_PER_SECOND",
    "Any",
    "Attribute",
    "AudioBlock",
    "Boolean",
    "Chunk",
    "Frame",
    "Label",
    "Marks",
    "Number",
    "Observation",
    "Operator",
    "OptionsError",
    "Result",
    "Seen",
    "SeenSegment",
    "Segment",
    "Step",
    "Text",
    "View",
    "run",
    "seconds",
    "to_flicks",
]
