"""Events of a real service: what is told of them is what lies in their directories."""

import json
import signal
import threading
from typing import Any

import pytest
from matchcut_client import (
    ApiError,
    BadRequest,
    Client,
    Conflict,
    ConnectionFailed,
    Event,
    EventOver,
    NotFound,
    Refused,
    Segment,
    Unprocessable,
    WaitedTooLong,
)
from support import KEY, SECRET, Service, Source, spec, until


def lines(service: Service, id: str, path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in service.file(id, path).read_text().splitlines()]


def test_what_an_event_comes_to(service: Service, source: Source, client: Client) -> None:
    assert client.is_ready()
    created = client.events.create(spec(source.uri), id="whole", clips="exact")
    assert (created.id, created.name, created.clips, created.warnings) == ("whole", "shots", "exact", ())
    event = client.events.wait_until("whole", timeout=30)
    assert (event.state, event.is_over, event.reason) == ("complete", True, None)
    assert event.started and event.ended and created.created <= event.started <= event.ended

    segments = client.events.segments("whole")
    written = lines(service, "whole", "segments.jsonl")
    assert [segment.raw for segment in segments] == written
    assert event.counts.segments == len(segments) > 5
    first, second = segments[:2]
    assert (first.id, first.start, first.operator, first.label) == ("shot:0", 0.0, "shot", None)
    # Exactly: 14 frames of 1/25 s.
    assert (second.start_flicks, first.end_flicks) == (14 * 705_600_000 // 25,) * 2
    assert first.clips[0].path == written[0]["clips"][0]["path"]
    assert first.clips[0].max_error_frames == 0

    clips = client.events.clips("whole")
    assert [clip.path for clip in clips] == [segment.clips[0].path for segment in segments]
    assert [clip.segment for clip in clips] == [segment.id for segment in segments]
    assert clips[1].marks == (second.start, second.end)

    [replay] = client.events.replays("whole")
    document = json.loads(service.file("whole", "replays/best/replay.json").read_text())
    assert replay == client.events.replay("whole", "best")
    assert replay.raw == {"name": "best", "asked": replay.asked, **document}
    assert (replay.asked["duration"], replay.asked["inputs"]) == ("6s", ["shot"])
    assert replay.processed is True and replay.total_score == document["total_score"]
    assert [piece.segment for piece in replay.selected] == [piece["segment"] for piece in document["selected"]]
    assert {piece.score for piece in replay.selected} == {10}
    assert replay.left_out and "no wanted feature" in {one.reason for one in replay.left_out}

    for refused in (
        lambda: client.events.get("none"),
        lambda: client.events.replay("whole", "worst"),
        lambda: client.events.get("../whole"),
    ):
        with pytest.raises(NotFound):
            refused()
    with pytest.raises(Conflict, match="whole"):
        client.events.create(spec(source.uri), id="whole")
    with pytest.raises(Conflict, match="is complete"):
        client.events.resume("whole")
    client.events.delete("whole")
    with pytest.raises(NotFound) as raised:
        client.events.get("whole")
    problem = raised.value
    assert (problem.status, problem.title, problem.type) == (404, "Not Found", "about:blank")
    assert "whole" in problem.detail


def test_what_is_wrong_with_a_spec_is_told_by_its_place(source: Source, client: Client) -> None:
    wrong = spec(source.uri).replace('"scene_change"', '"scene_chance"').replace('["cuts"]', '["cut"]')
    with pytest.raises(Unprocessable) as raised:
        client.events.create(wrong)
    problem = raised.value
    places = [(finding.line, finding.message) for finding in problem.findings]
    texts = wrong.splitlines()
    assert len(places) == 2
    for (line, message), part in zip(places, ["scene_chance", "cut"], strict=True):
        assert line is not None and part in texts[line - 1] and part in message
    assert problem.findings[0].hint and "scene_change" in problem.findings[0].hint
    assert f"line {places[0][0]}, " in str(problem)
    with pytest.raises(BadRequest, match="cannot be an id"):
        client.events.create(spec(source.uri), id="../etc")


def test_the_same_request_is_one_event(source: Source, client: Client) -> None:
    one = client.events.create(spec(source.uri), idempotency_key="once")
    assert client.events.create(spec(source.uri), idempotency_key="once").id == one.id
    with pytest.raises(Unprocessable):
        client.events.create(spec(source.uri), clips="none", idempotency_key="once")
    client.events.delete(one.id)


def test_all_pages_are_listed_newest_first(source: Source, client: Client) -> None:
    before = [event.id for event in client.events.list()]
    ids = [client.events.create(spec(source.uri), clips="none").id for _ in range(5)]
    for page in (1, 2, 100):
        assert [event.id for event in client.events.list(page=page)] == ids[::-1] + before
    assert next(client.events.list(page=1)).id == ids[-1]
    with pytest.raises(BadRequest, match="from 1 to 1000"):
        next(client.events.list(page=0))
    for id in ids:
        client.events.delete(id)


def test_an_event_is_stopped_gone_on_with_and_ended(source: Source, client: Client) -> None:
    source.ended = False
    client.events.create(spec(source.uri), id="live")
    event = client.events.wait_until("live", ("running", "draining"), timeout=30)
    assert event.state == "running" and event.ended is None

    def closed() -> list[Segment]:
        return [segment for segment in client.events.segments("live") if segment.end is not None]

    until(lambda: bool(closed()))
    assert closed()[0].clips == ()
    running = client.events.replay("live", "best")
    assert running.processed is None and running.left_out is None
    with pytest.raises(WaitedTooLong, match="is running and not complete"):
        client.events.wait_until("live", timeout=0.2, poll=0.1)

    assert client.events.stop("live").state in ("draining", "stopped")
    with pytest.raises(EventOver) as raised:
        client.events.wait_until("live", timeout=30)
    assert raised.value.event.state == "stopped"
    assert client.events.resume("live").state in ("queued", "running")
    client.events.wait_until("live", "running", timeout=30)
    assert client.events.end("live").state in ("draining", "complete")
    assert client.events.wait_until("live", timeout=30).counts.segments == len(client.events.segments("live"))
    client.events.delete("live")


def test_an_event_that_fails_says_why(source: Source, client: Client) -> None:
    client.events.create(spec(source.uri.replace("index", "none")), id="failing")
    with pytest.raises(EventOver, match='"failing" is failed: .*404'):
        client.events.wait_until("failing", timeout=30)
    assert "404" in (client.events.wait_until("failing", "failed").reason or "")
    client.events.delete("failing")


def test_what_is_said_of_an_event_counts(service: Service, source: Source, client: Client) -> None:
    source.ended = False
    client.events.create(spec(source.uri), id="said")
    until(lambda: len(client.events.segments("said")) > 3)
    label = {"class": "segmenter", "operator": "shot", "start": 0.56, "label": "Match point ä"}
    assert client.events.feedback("said", [label, {"start": 1.2, "feedback": "like"}]) == 2
    with pytest.raises(Unprocessable) as raised:
        client.events.feedback("said", [label, {"start": 1}])
    assert [finding.line for finding in raised.value.findings] == [2]
    until(lambda: "Match point" in service.file("said", "changes.jsonl").read_text())
    client.events.end("said")
    client.events.wait_until("said", timeout=30)
    labels = {segment.start: segment.label for segment in client.events.segments("said")}
    assert labels[0.56] == "Match point ä" and labels[1.12] is None
    client.events.delete("said")


def test_replays_are_asked_for_when_an_event_is_over(service: Service, source: Source, client: Client) -> None:
    client.events.create(spec(source.uri), id="asked", clips="none")
    client.events.wait_until("asked", timeout=30)
    table = {"inputs": ["shot"], "duration": "2s", "tolerance": "0s", "weights": {"cuts.hard_cut": 10}}
    asked = client.events.ask_replay("asked", "short", table)
    assert (asked.name, asked.asked, asked.warnings) == ("short", table, ())
    client.events.wait_until("asked", timeout=30)
    replay = client.events.replay("asked", "short")
    assert replay.asked == table and 0 < sum(piece.effective[1] - piece.effective[0] for piece in replay.selected) <= 2
    assert [one.name for one in client.events.replays("asked")] == ["best", "short"]
    with pytest.raises(Unprocessable) as raised:
        client.events.ask_replay("asked", "short", 'inputs = ["shot"]\nduratoin = "2s"\n')
    assert (raised.value.findings[0].line, raised.value.findings[0].column) == (2, 1)
    client.events.withdraw_replay("asked", "short")
    client.events.wait_until("asked", timeout=30)
    with pytest.raises(NotFound, match="short"):
        client.events.replay("asked", "short")
    client.events.delete("asked")


def test_who_may_not_is_refused(service: Service, source: Source) -> None:
    with Client(service.url, *service.key("viewer")) as viewer:
        assert all(isinstance(event, Event) for event in viewer.events.list())
        with pytest.raises(Refused, match="has the role viewer"):
            viewer.events.create(spec(source.uri))
    with Client(service.url, KEY, SECRET + "x") as wrong, pytest.raises(Refused, match="does not match"):
        wrong.events.get("any")
    with Client(service.url) as nobody, pytest.raises(Refused, match="Missing Authentication Token"):
        nobody.events.get("any")
    # The service itself takes signatures alone.
    with Client(service.url, token="t") as bearer, pytest.raises(Refused, match="AWS4-HMAC-SHA256"):
        bearer.events.get("any")


def test_waiting_goes_on_when_the_service_comes_back(own_service: Service, source: Source) -> None:
    source.ended = False
    with Client(own_service.url, KEY, SECRET) as client:
        client.events.create(spec(source.uri), id="cup")
        until(lambda: bool(client.events.segments("cup")))
        own_service.end(signal.SIGKILL)
        assert not client.is_ready()
        with pytest.raises(ConnectionFailed):
            client.events.get("cup")
        source.ended = True
        again = threading.Timer(0.5, own_service.start)
        again.start()
        event = client.events.wait_until("cup", timeout=30, poll=0.1)
        again.join()
        assert event.state == "complete"


def test_what_is_no_problem_is_told_as_it_is(source: Source) -> None:
    # As a proxy would answer.
    with Client(source.uri.removesuffix("/index.m3u8")) as client, pytest.raises(ApiError) as raised:
        client.events.get("any")
    assert raised.value.status == 404 and "File not found" in raised.value.detail
