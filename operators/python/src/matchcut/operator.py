"""The class that operators are made from."""

from typing import Any, ClassVar, Literal

from . import options as option_values
from .attributes import Attribute
from .media import AudioBlock, Chunk, Frame, View
from .step import Step

Class = Literal["featurer", "segmenter", "optimizer", "labeler"]


class Operator:
    """An operator. Declare what it needs and emits, and write the methods for what it gets.

    An operator with ``process_frame`` or ``process_audio`` alone looks at each chunk by itself, and may
    run several times at once: keep nothing from one chunk to the next. One with ``process_observations``
    decides in order; what it must remember goes through ``snapshot`` and ``restore``.
    """

    #: featurer, segmenter, optimizer or labeler.
    operator_class: ClassVar[Class] = "featurer"
    #: The frames that it wants.
    view: ClassVar[View | None] = None
    #: Whether it listens.
    audio: ClassVar[bool] = False
    #: What it emits.
    attributes: ClassVar[dict[str, Attribute]] = {}
    #: What it can be wired to, where its class does not say it all: ``{"observations": (1, None)}``.
    inputs: ClassVar[dict[str, tuple[int, int | None]] | None] = None
    #: A dataclass of options.
    Options: ClassVar[type | None] = None
    #: What it is called in logs; the name of the class when left out.
    name: ClassVar[str | None] = None
    version: ClassVar[str] = ""

    #: The options of this run, an ``Options``.
    options: Any
    #: The longest segment that the pipeline allows, in flicks.
    max_segment: int

    def on_start(self) -> None:
        """Loads what is costly (a model). Called once, before the first chunk."""

    def start_chunk(self, chunk: Chunk) -> None:
        """A chunk (or one track of it) begins: what was kept of the last one must go."""

    def process_frame(self, frame: Frame) -> Any:
        """Looks at a frame. Returns or yields observations; where there is ``process_observations``,
        rows for it: any JSON values."""
        raise NotImplementedError

    def process_audio(self, block: AudioBlock) -> Any:
        """Listens to samples; returns as ``process_frame`` does."""
        raise NotImplementedError

    def end_chunk(self, chunk: Chunk) -> Any:
        """The chunk is over; returns as ``process_frame`` does."""
        return None

    def process_observations(self, step: Step) -> Any:
        """Decides, in order. Returns or yields results of its class; they are final."""
        raise NotImplementedError

    def tail(self) -> Any:
        """What would be said if nothing followed, such as an open segment."""
        return None

    def snapshot(self) -> bytes:
        """What is carried to the next step."""
        return b""

    def restore(self, state: bytes) -> None:
        """Goes back to a snapshot; ``b""`` is before the first step."""

    @classmethod
    def ordered(cls) -> bool:
        """Whether it decides in order."""
        return cls.process_observations is not Operator.process_observations

    @classmethod
    def describe(cls) -> dict[str, Any]:
        """What it says of itself to the engine."""
        lines = (cls.__doc__ or "").strip().splitlines()
        ready: dict[str, Any] = {
            "type": "ready",
            "protocol": 1,
            "name": cls.name or cls.__name__,
            "version": cls.version,
            "class": cls.operator_class,
            "summary": lines[0] if lines else "",
            "audio": cls.audio,
            "order": "ordered" if cls.ordered() else "stateless",
            "attributes": [
                {"name": name, "kind": attribute.kind, "description": attribute.description}
                for name, attribute in cls.attributes.items()
            ],
            "options": option_values.schema(cls.Options),
        }
        if cls.view is not None:
            ready["view"] = cls.view.wire()
        if cls.inputs is not None:
            ready["inputs"] = [
                {"kind": kind, "min": least, "max": most} for kind, (least, most) in cls.inputs.items()
            ]
        return ready
