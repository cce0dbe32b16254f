"""Speaks the protocol for an operator: ``run`` at the end of its file is all that is needed."""

import os
import sys
import threading
import time
import traceback
from typing import Any

from . import options as option_values
from .media import AudioBlock, Chunk, Frame
from .operator import Operator
from .results import each, sorted_by_key
from .step import Step
from .wire import Wire


class Server:
    """One operator on one pair of streams."""

    def __init__(self, kind: type[Operator], wire: Wire) -> None:
        self.kind = kind
        self.wire = wire
        self.operator = kind()
        self.chunk: Chunk | None = None
        self.said: list[Any] = []
        #: What went wrong in the chunk under way.
        self.error: str | None = None

    def serve(self) -> None:
        """Answers until nobody asks any more."""
        while (received := self.wire.receive()) is not None:
            message, body = received
            answer = getattr(self, "on_" + message["type"], None)
            # A message of a later version that needs no answer.
            if answer is not None:
                answer(message, body)

    def on_hello(self, message: dict[str, Any], _: bytes) -> None:
        ready = self.kind.describe()
        try:
            self.operator.options = option_values.read(self.kind.Options, message["options"])
        except option_values.OptionsError as error:
            errors = [{"option": option, "message": text} for option, text in error.errors]
            self.wire.send({"type": "refused", "errors": errors, "options": ready["options"]})
            return
        self.operator.max_segment = message["max_segment"]
        self.wire.send(ready)

    def on_start(self, _: dict[str, Any], __: bytes) -> None:
        try:
            self.operator.on_start()
        except Exception as error:
            self.wire.send({"type": "error", "id": 0, "message": told(error)})
        else:
            self.wire.send({"type": "started"})

    def on_chunk(self, message: dict[str, Any], _: bytes) -> None:
        self.chunk, self.said, self.error = Chunk.read(message), [], None
        self.keep(self.operator.start_chunk, self.chunk)

    def on_frame(self, message: dict[str, Any], body: bytes) -> None:
        if self.error is None and self.chunk is not None:
            self.keep(self.operator.process_frame, Frame.read(message, body, self.chunk))

    def on_audio(self, message: dict[str, Any], body: bytes) -> None:
        if self.error is None and self.chunk is not None:
            self.keep(self.operator.process_audio, AudioBlock.read(message, body, self.chunk))

    def on_end_chunk(self, message: dict[str, Any], _: bytes) -> None:
        if self.error is None:
            self.keep(self.operator.end_chunk, self.chunk)
        if self.error is None:
            try:
                self.answer_chunk(message["id"])
                return
            except Exception as error:
                self.error = told(error)
        self.wire.send({"type": "error", "id": message["id"], "message": self.error})

    def answer_chunk(self, number: int) -> None:
        answer: dict[str, Any] = {"type": "result", "id": number}
        if self.kind.ordered():
            answer["rows"] = self.said
        else:
            answer |= sorted_by_key(self.said, self.kind.attributes)
        self.wire.send(answer)

    def on_step(self, message: dict[str, Any], state: bytes) -> None:
        try:
            self.operator.restore(state)
            said = sorted_by_key(self.operator.process_observations(Step.read(message)), self.kind.attributes)
            tail = sorted_by_key(self.operator.tail(), self.kind.attributes)
            answer = {"type": "result", "id": message["id"], "tail": tail, **said}
            self.wire.send(answer, self.operator.snapshot())
        except Exception as error:
            self.wire.send({"type": "error", "id": message["id"], "message": told(error)})

    def keep(self, method: Any, argument: Any) -> None:
        """Calls a method of the operator and keeps what it says. Its failure costs the chunk, no more."""
        try:
            self.said.extend(each(method(argument)))
        except Exception as error:
            self.error = told(error)


def told(error: Exception) -> str:
    """An error in one line, with the place in the operator where it arose; all of it goes to stderr."""
    traceback.print_exception(error, file=sys.stderr)
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    frames = [f for f in traceback.extract_tb(error.__traceback__) if os.path.dirname(__file__) not in f.filename]
    if frames:
        text += f" ({os.path.basename(frames[-1].filename)}, line {frames[-1].lineno})"
    return text


def _die_with(parent: int) -> None:
    """Ends this process when the engine is gone, whatever the operator is doing."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _own_streams() -> Wire:
    """The streams of the protocol, out of reach of everything else: what the operator or a library prints
    goes to stderr, and nothing can be read from the engine by mistake."""
    reader, writer = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return Wire(os.fdopen(reader, "rb", buffering=1 << 16), os.fdopen(writer, "wb"))


def run(kind: type[Operator]) -> None:
    """Serves the engine with an operator, until it asks no more."""
    wire = _own_streams()
    threading.Thread(target=_die_with, args=(os.getppid(),), daemon=True).start()
    try:
        Server(kind, wire).serve()
    except BrokenPipeError:
        # The engine is gone, and so is everybody who would read an error.
        os._exit(1)
