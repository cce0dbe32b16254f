"""A file of an event, fetched in as many parts as it takes. What has come is gone on with only while the file is the
same: the part bears the time at which the file was changed, and the service is asked whether that still holds."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import httpx

from .errors import ConnectionFailed, MatchcutError, Unavailable, of_response

if TYPE_CHECKING:
    from .client import Client


@dataclass
class Part:
    """What has come of a file."""

    path: Path
    changed: int | None = None
    """When the file was changed, in seconds since 1970."""

    def size(self) -> int:
        """How much, in bytes."""
        return self.path.stat().st_size if self.path.exists() else 0

    @contextmanager
    def open(self, whole: bool) -> Generator[BinaryIO]:
        """To write from its begin (`whole`) or on. It bears the time of the file afterwards, whatever happens; only
        when the process is killed its own time stays, which is no file's, and everything is fetched anew."""
        try:
            with self.path.open("wb" if whole else "ab") as file:
                yield file
        finally:
            if self.changed is not None:
                os.utime(self.path, (self.changed, self.changed))


def download(client: Client, place: str, target: Path, patience: float) -> Path:
    """Fetches what is at `place`."""
    part = Part(target.with_name(target.name + ".part"))
    if part.size():
        part.changed = int(part.path.stat().st_mtime)
    moved, wait = time.monotonic(), 0.0
    while True:
        before = part.size()
        try:
            if _fetch(client, place, part):
                os.replace(part.path, target)
                return target
            continue
        except (ConnectionFailed, Unavailable) as error:
            if part.size() > before:
                moved, wait = time.monotonic(), 0.0
            if time.monotonic() - moved + wait > patience:
                raise error
        time.sleep(wait)
        wait = min(wait * 2 + 0.1, 5.0)


def _fetch(client: Client, place: str, part: Part) -> bool:
    """Fetches what is not there yet; false when what is there is of another file, and has been thrown away."""
    headers = {"accept-encoding": "identity"}
    have = part.size()
    if have and part.changed is not None:
        headers["range"] = f"bytes={have}-"
        headers["if-unmodified-since"] = formatdate(part.changed, usegmt=True)
    with client.stream(place, headers) as response:
        if response.status_code not in (200, 206):
            if have and response.status_code in (412, 416):
                part.path.unlink()
                part.changed = None
                return False
            response.read()
            raise of_response(response)
        changed = _changed(response)
        total = _total(response)
        if response.status_code == 206 and (changed is None or changed != part.changed):
            part.path.unlink()
            part.changed = None
            return False
        part.changed = changed
        with part.open(whole=response.status_code == 200) as file:
            for piece in response.iter_bytes():
                file.write(piece)
    if total is not None and part.size() != total:
        raise ConnectionFailed(f"{part.size()} bytes have come of {total}")
    return True


def _changed(response: httpx.Response) -> int | None:
    text = response.headers.get("last-modified")
    return None if text is None else int(parsedate_to_datetime(text).timestamp())


def _total(response: httpx.Response) -> int | None:
    if response.status_code == 206:
        said = re.fullmatch(r"bytes \d+-\d+/(\d+)", response.headers.get("content-range", ""))
        if said is None:
            raise MatchcutError("the service sent a part of a file and did not say which")
        return int(said[1])
    length = response.headers.get("content-length")
    return None if length is None else int(length)
