"""Events as they are asked for, listed, looked at, followed, stopped, gone on with and removed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .changes import Changes
from .download import download
from .errors import ConnectionFailed, EventOver, Unavailable, WaitedTooLong
from .items import AskedReplay, Clip, Event, Replay, Segment, State

if TYPE_CHECKING:
    from .client import Client


class Events:
    """The events of a service. What it refuses is an `ApiError`; `ConnectionFailed` says that it was not reached."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(
        self, spec: str, *, id: str | None = None, clips: str | None = None, idempotency_key: str | None = None
    ) -> Event:
        """Asks for an event by its spec in TOML. Without an `id` it gets a UUID. A request that comes twice with the
        same key within a day is one event. Raises `Unprocessable` with what is wrong with the spec."""
        asked: dict[str, str] = {"spec": spec}
        if id is not None:
            asked["id"] = id
        if clips is not None:
            asked["clips"] = clips
        headers = {} if idempotency_key is None else {"idempotency-key": idempotency_key}
        return Event.read(self._client.ask("POST", "/events", json=asked, headers=headers))

    def list(self, *, page: int = 100) -> Iterator[Event]:
        """All events, the newest first, asked for a page at a time (at most 1000 events)."""
        params = {"limit": str(page)}
        while True:
            told = self._client.ask("GET", "/events", params=params)
            yield from map(Event.read, told["items"])
            if told["next"] is None:
                return
            params["cursor"] = told["next"]

    def get(self, id: str) -> Event:
        """An event as it is now."""
        return Event.read(self._client.ask("GET", _event(id)))

    def stop(self, id: str) -> Event:
        """Reads no further; what was read is finished. `resume` takes it back."""
        return Event.read(self._client.ask("POST", _event(id) + "/stop"))

    def end(self, id: str) -> Event:
        """Ends it for good where it is, as if its source had ended."""
        return Event.read(self._client.ask("POST", _event(id) + "/end"))

    def resume(self, id: str) -> Event:
        """Goes on with what was stopped or failed."""
        return Event.read(self._client.ask("POST", _event(id) + "/resume"))

    def delete(self, id: str) -> None:
        """Stops it and removes everything that it came to."""
        self._client.ask("DELETE", _event(id))

    def segments(self, id: str) -> tuple[Segment, ...]:
        """Its segments by time; while it runs those that stand now."""
        return tuple(map(Segment.read, self._client.ask("GET", _event(id) + "/segments")["items"]))

    def clips(self, id: str) -> tuple[Clip, ...]:
        """Its clips by time; while it runs those that stand now."""
        return tuple(map(Clip.read, self._client.ask("GET", _event(id) + "/clips")["items"]))

    def replays(self, id: str) -> tuple[Replay, ...]:
        """Its replays in the order of its spec."""
        return tuple(map(Replay.read, self._client.ask("GET", _event(id) + "/replays")["items"]))

    def replay(self, id: str, name: str) -> Replay:
        """One of its replays."""
        return Replay.read(self._client.ask("GET", f"{_event(id)}/replays/{quote(name, safe='')}"))

    def ask_replay(self, id: str, name: str, replay: str | Mapping[str, Any]) -> AskedReplay:
        """Asks for a replay, or for another in place of one of that name, at any time: by the table that a spec would
        have for it, as a mapping or in TOML. Raises `Unprocessable` with what is wrong with it."""
        place = f"{_event(id)}/replays/{quote(name, safe='')}"
        if isinstance(replay, str):
            headers = {"content-type": "application/toml"}
            return AskedReplay.read(self._client.ask("PUT", place, headers=headers, content=replay.encode()))
        return AskedReplay.read(self._client.ask("PUT", place, json=replay))

    def withdraw_replay(self, id: str, name: str) -> None:
        """Takes a replay back, and what was made of it."""
        self._client.ask("DELETE", f"{_event(id)}/replays/{quote(name, safe='')}")

    def feedback(self, id: str, lines: Iterable[Mapping[str, Any]]) -> int:
        """Says something of it, an object a line, such as `{"start": 44.72, "feedback": "like"}`. Returns
        how many lines were taken: all, or none and `Unprocessable`."""
        content = "".join(json.dumps(line) + "\n" for line in lines).encode()
        headers = {"content-type": "application/jsonl"}
        told = self._client.ask("POST", _event(id) + "/feedback", headers=headers, content=content)
        return int(told["lines"])

    def changes(self, id: str, *, after: int | None = None, patience: float = 60.0) -> Changes:
        """What changes of it, as it comes, until it is over; from the first, or behind the epoch `after`. It asks again
        where it was when the connection breaks, and gives up when that has not helped for `patience` seconds."""
        return Changes(self._client, _event(id) + "/changes", after, patience)

    def download(
        self, id: str, path: str, to: str | os.PathLike[str], *, patience: float = 60.0
    ) -> Path:
        """Fetches a file of it to `to`, or into that directory. It is whole or not there: what has come is kept beside
        it (`.part`) and gone on with when the connection breaks, or at the next call, unless the file has changed
        meanwhile."""
        place = f"{_event(id)}/files/" + "/".join(quote(part, safe="") for part in path.split("/"))
        target = Path(to)
        if target.is_dir():
            target /= path.rsplit("/", 1)[-1]
        return download(self._client, place, target, patience)

    def wait_until(
        self,
        id: str,
        state: State | Collection[State] = "complete",
        *,
        timeout: float | None = None,
        poll: float = 0.5,
    ) -> Event:
        """Waits until it is in a state, or in one of several, also across a restart of the service. Raises `EventOver`
        when it is over in another, and `WaitedTooLong` after `timeout` seconds."""
        wanted = {state} if isinstance(state, str) else set(state)
        until = None if timeout is None else time.monotonic() + timeout
        last: Event | None = None
        while True:
            failed: Exception | None = None
            try:
                last = self.get(id)
            except (ConnectionFailed, Unavailable) as error:
                failed = error
            else:
                if last.state in wanted:
                    return last
                if last.is_over:
                    raise EventOver(last)
            if until is not None and time.monotonic() + poll > until:
                how = last.state if last else "not known"
                why = f" ({failed})" if failed else ""
                names = " or ".join(sorted(wanted))
                raise WaitedTooLong(f'event "{id}" is {how} and not {names} after {timeout} s{why}')
            time.sleep(poll)


def _event(id: str) -> str:
    return f"/events/{quote(id, safe='')}"
