"""Changes of an event: whole, in order and each once, whatever becomes of connections and of the service."""

import json
import signal
from collections.abc import Iterator

import pytest
from matchcut_client import Change, Client, Clip, ConnectionFailed, NotFound, Piece, Segment
from matchcut_client.changes import Message, messages
from support import KEY, SECRET, Network, Service, Source, spec, until


def written(service: Service, id: str) -> list[Change]:
    text = service.file(id, "changes.jsonl").read_text()
    return [Change(**json.loads(line)) for line in text.splitlines()]


def test_they_come_while_the_event_runs(service: Service, source: Source, client: Client) -> None:
    source.ended = False
    client.events.create(spec(source.uri), id="followed")
    told = []
    with client.events.changes("followed") as changes:
        for change in changes:
            told.append(change)
            if change.kind == "segment" and change.value["start"] == 4.48:
                break
        assert client.events.get("followed").state == "running"
        assert changes.end is None
        source.chunks, source.ended = 3, True
        told += changes
    assert told == written(service, "followed")
    assert {type(change.item) for change in told} == {Segment, Clip, Piece}
    assert {change.replay for change in told} == {None, "best"}
    assert changes.end and (changes.end.state, changes.end.reason) == ("complete", None)
    assert changes.after == changes.end.epoch

    # From where somebody was, and from the end.
    epochs = sorted({change.epoch for change in told})
    later = client.events.changes("followed", after=epochs[0])
    assert list(later) == [change for change in told if change.epoch > epochs[0]]
    nothing = client.events.changes("followed", after=changes.after)
    assert list(nothing) == [] and nothing.end is None
    client.events.delete("followed")


def test_who_stops_in_the_midst_of_an_epoch_has_not_had_it(source: Source, client: Client) -> None:
    client.events.create(spec(source.uri), id="half")
    client.events.wait_until("half", timeout=30)
    every = list(client.events.changes("half"))
    first = [change for change in every if change.epoch == every[0].epoch]
    changes = client.events.changes("half")
    for _ in first:
        next(changes)
    assert changes.after is None
    assert next(changes).epoch > first[0].epoch
    assert changes.after == first[0].epoch
    changes.close()
    client.events.delete("half")


def test_a_connection_that_breaks_loses_and_repeats_nothing(
    service: Service, source: Source, far_client: Client, network: Network
) -> None:
    source.chunks = 5
    far_client.events.create(spec(source.uri), id="far")
    far_client.events.wait_until("far", timeout=30)
    every = written(service, "far")
    sizes: dict[int, int] = {}
    for change in every:
        sizes[change.epoch] = sizes.get(change.epoch, 0) + len(json.dumps(change.value)) + 100
    # The longest epoch gets through, and never all of them.
    network.most, network.connections = max(sizes.values()) + 1000, 0
    assert sum(sizes.values()) > 2 * network.most
    changes = far_client.events.changes("far", patience=20)
    assert list(changes) == every
    assert network.connections >= 2
    assert changes.end and changes.end.state == "complete"
    # And where nothing gets through, that is said.
    network.most = 0
    with pytest.raises(ConnectionFailed):
        list(far_client.events.changes("far", patience=0.5))
    with pytest.raises(ConnectionFailed):
        far_client.events.get("far")
    network.most = None
    with pytest.raises(NotFound):
        list(far_client.events.changes("none"))
    far_client.events.delete("far")


def test_they_go_on_when_the_service_comes_back(own_service: Service, source: Source) -> None:
    source.ended = False
    with Client(own_service.url, KEY, SECRET) as client:
        client.events.create(spec(source.uri), id="cup")
        changes = client.events.changes("cup")
        told = [next(changes)]
        # Everything that there is has been told.
        until(lambda: bool(client.events.segments("cup")))
        own_service.end(signal.SIGTERM)
        own_service.start()
        source.chunks, source.ended = 3, True
        told += changes
        assert told == written(own_service, "cup")
        assert changes.end and changes.end.state == "complete"


def cut(text: bytes, size: int) -> Iterator[bytes]:
    return (text[at : at + size] for at in range(0, len(text), size))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_messages_are_read_however_they_come(end: bytes, size: int) -> None:
    parts = [
        ": a comment",
        "",
        "id: 4",
        "event: changes",
        'data: {"label":"a\u2028b\x0bc\x85ä"}',
        "data:second",
        "",
        "data",
        "",
        "id: 9",
        "event: end",
        "data: {}",
    ]
    text = end.join(part.encode() for part in parts) + end
    seen = list(messages(cut(text + end, size)))
    last = Message("9", "end", "{}")
    first = [Message("4", "changes", '{"label":"a\u2028b\x0bc\x85ä"}\nsecond'), Message(None, "message", "")]
    # A lone \r at the end could be half of an end of a line.
    assert seen == first + ([last] if end != b"\r" else [])
    # What is not whole does not count.
    assert list(messages(cut(text, size))) == first
