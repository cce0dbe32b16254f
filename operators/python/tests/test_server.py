"""The server on streams in memory: what the engine would say, and what is answered."""

import io
import json
from dataclasses import dataclass

import numpy as np
import pytest

import matchcut
from matchcut.runner import Server
from matchcut.wire import Wire

HELLO = {"type": "hello", "protocol": 1, "options": {}, "max_segment": 1000}
CHUNK = {"type": "chunk", "id": 1, "position": 0, "start": 0, "end": 100, "stretch": 0,
         "audio_tracks": [], "frame_rate": [25, 1], "track": None}
FRAME = {"type": "frame", "time": 40, "index": 1, "width": 4, "height": 2, "format": "gray8"}


def converse(kind, *messages):
    asked = io.BytesIO()
    to = Wire(io.BytesIO(), asked)
    for message in messages:
        to.send(*message) if isinstance(message, tuple) else to.send(message)
    answered = io.BytesIO()
    Server(kind, Wire(io.BytesIO(asked.getvalue()), answered)).serve()
    wire = Wire(io.BytesIO(answered.getvalue()), io.BytesIO())
    answers = []
    while (answer := wire.receive()) is not None:
        answers.append(answer)
    return answers


class Luma(matchcut.Operator):
    """Mean luma.

    Of every frame.
    """

    view = matchcut.View(4, 2, rate="30000/1001")
    attributes = {"luma": matchcut.Number("mean")}

    def process_frame(self, frame):
        return frame.observation(luma=frame.pixels.mean())


def test_it_says_what_it_is():
    [(ready, _)] = converse(Luma, HELLO)
    assert ready["name"] == "Luma" and ready["class"] == "featurer" and ready["order"] == "stateless"
    assert ready["summary"] == "Mean luma."
    assert ready["view"] == {"width": 4, "height": 2, "format": "gray8", "rate": "30000/1001"}
    assert ready["attributes"] == [{"name": "luma", "kind": "number", "description": "mean"}]


def test_frames_give_observations():
    body = bytes(range(8))
    _, (answer, _) = converse(Luma, HELLO, CHUNK, (FRAME, body), {"type": "end_chunk", "id": 1})
    assert answer["id"] == 1
    assert answer["observations"] == [{"start": 40, "end": 40, "attributes": {"luma": 3.5}}]


def test_pixels_are_a_view_of_the_bytes():
    chunk = matchcut.Chunk.read(CHUNK)
    body = bytes(range(24))
    frame = matchcut.Frame.read(FRAME | {"format": "rgb24"}, body, chunk)
    assert frame.pixels.shape == (2, 4, 3) and frame.pixels[1, 0].tolist() == [12, 13, 14]
    assert not frame.pixels.flags.owndata and not frame.pixels.flags.writeable
    samples = np.array([0.5, -0.5, 0.25, 1.0], "<f4").tobytes()
    header = {"time": 0, "sample_rate": 48_000, "channels": 2}
    block = matchcut.AudioBlock.read(header, samples, chunk)
    assert block.samples.tolist() == [[0.5, -0.5], [0.25, 1.0]] and not block.samples.flags.owndata
    assert block.time_of(480) == 7_056_000


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        ({"x": 1}, "is no result"),
        (matchcut.Observation(0, None, {"light": 1}), "'light' is not declared"),
        (matchcut.Observation(0, None, {"luma": "high"}), "declared as number"),
        (matchcut.Observation(0, None, {"luma": float("nan")}), "declared as number"),
    ],
)
def test_wrong_results_cost_the_chunk_and_no_more(returned, text):
    class Wrong(Luma):
        def process_frame(self, frame):
            return [returned] if frame.index == 1 else None

    good = (CHUNK | {"id": 2}, b"")
    answers = converse(
        Wrong, HELLO, CHUNK, (FRAME, bytes(8)), {"type": "end_chunk", "id": 1}, good,
        (FRAME | {"index": 2}, bytes(8)), {"type": "end_chunk", "id": 2},
    )
    assert answers[1][0]["type"] == "error" and text in answers[1][0]["message"]
    assert answers[2][0] == {"type": "result", "id": 2, "bytes": 0}


def test_an_exception_names_its_place(capsys):
    class Broken(Luma):
        def process_frame(self, frame):
            return 1 // 0

    _, (answer, _) = converse(
        Broken, HELLO, CHUNK, (FRAME, bytes(8)), (FRAME, bytes(8)), {"type": "end_chunk", "id": 1}
    )
    assert answer["message"].startswith("ZeroDivisionError: ") and "test_server.py, line" in answer["message"]
    assert capsys.readouterr().err.count("ZeroDivisionError") == 1


class Pairs(matchcut.Operator):
    """Every second mark ends a segment that the first began."""

    operator_class = "segmenter"

    def restore(self, state):
        self.start = json.loads(state) if state else None

    def snapshot(self):
        return json.dumps(self.start).encode()

    def process_observations(self, step):
        for mark in step.observations:
            if self.start is None:
                self.start = mark.start
            else:
                yield matchcut.Segment(self.start, mark.start)
                self.start = None

    def tail(self):
        return None if self.start is None else matchcut.Segment(self.start)


def step(number, *times):
    observations = [
        {"operator": "o", "track": None, "start": t, "end": t, "attributes": {}} for t in times
    ]
    return {"type": "step", "id": number, "position": number, "chunk": None, "watermark": 0,
            "end_of_event": False, "track": None, "rows": None, "observations": observations, "segments": []}


def test_a_state_goes_to_the_engine_and_back():
    _, first = converse(Pairs, HELLO, step(1, 10))
    assert first[0]["tail"] == {"segments": [{"start": 10, "end": None, "attributes": {}}]}
    assert first[1] == b"10"
    _, second = converse(Pairs, HELLO, (step(2, 30, 50), first[1]))
    assert second[0]["segments"] == [{"start": 10, "end": 30, "attributes": {}}]
    assert second[1] == b"50"


def test_options_that_are_refused():
    class Picky(Luma):
        @dataclass
        class Options:
            threshold: float = 1.0

    [(refused, _)] = converse(Picky, HELLO | {"options": {"threshold": "x", "other": 1}})
    assert refused["type"] == "refused"
    assert [error["option"] for error in refused["errors"]] == ["threshold", "other"]
    [(ready, _)] = converse(Picky, HELLO | {"options": {"threshold": 2}})
    assert ready["type"] == "ready"


def test_rows_for_the_ordered_part():
    class Both(Luma):
        def process_frame(self, frame):
            return [[frame.index, np.int64(7)]]

        def process_observations(self, step):
            return None

    ready, (answer, _) = converse(Both, HELLO, CHUNK, (FRAME, bytes(8)), {"type": "end_chunk", "id": 1})
    assert ready[0]["order"] == "ordered"
    assert answer["rows"] == [[1, 7]]
