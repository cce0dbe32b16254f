"""What can go wrong: what the service refuses (problem details, RFC 9457), and what never reached it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from .items import Event


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or has no effect, in a spec or in lines of feedback."""

    message: str
    line: int | None
    """Counted from 1; None where it has no place."""
    column: int | None
    hint: str | None
    """How to mend it."""

    @staticmethod
    def read(told: Mapping[str, Any]) -> Finding:
        """One that the service tells."""
        return Finding(str(told.get("message", "")), told.get("line"), told.get("column"), told.get("hint"))

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line is not None else ""
        return f"{place}{self.message}" + (f" ({self.hint})" if self.hint else "")


class MatchcutError(Exception):
    """Whatever this package raises of its own."""


class ConnectionFailed(MatchcutError):
    """The service was not reached, or the connection broke before it had answered."""


class WaitedTooLong(MatchcutError):
    """The time for waiting is over."""


class EventOver(MatchcutError):
    """An event is over in another state than the one that was waited for."""

    def __init__(self, event: Event) -> None:
        reason = f": {event.reason}" if event.reason else ""
        super().__init__(f'event "{event.id}" is {event.state}{reason}')
        self.event = event


class ApiError(MatchcutError):
    """The service answers that it will not, or cannot."""

    def __init__(self, status: int, title: str, detail: str, type: str, findings: tuple[Finding, ...]) -> None:
        lines = "".join(f"\n  {finding}" for finding in findings)
        super().__init__(f"{status} {title}: {detail}{lines}")
        self.status = status
        self.title = title
        self.detail = detail
        self.type = type
        self.findings = findings


class BadRequest(ApiError):
    """400: a body, parameter or header is not as it must be."""


class Refused(ApiError):
    """401 or 403: no credentials, wrong ones, or a role that may not."""


class NotFound(ApiError):
    """404: there is no such event, file or path."""


class Conflict(ApiError):
    """409: the id is taken, or the state of the event is another."""


class TooLarge(ApiError):
    """413: the body has more than 10 MiB."""


class Unprocessable(ApiError):
    """422: the spec or the feedback is wrong, as `findings` says, or an idempotency key had another request."""


class Unavailable(ApiError):
    """502, 503 or 504: the service is stopping, or what stands before it does not reach it."""


class StorageFull(ApiError):
    """507: the disk of the service is full."""


KINDS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Refused,
    403: Refused,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Unprocessable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
    507: StorageFull,
}


def of_response(response: httpx.Response) -> ApiError:
    """The error that a response tells, whose body has been read; also of one that is no problem+json, as proxies
    answer."""
    try:
        told = response.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        told = {}
    findings = told.get("errors")
    findings = findings if isinstance(findings, list) else []
    return KINDS.get(response.status_code, ApiError)(
        status=response.status_code,
        title=str(told.get("title") or response.reason_phrase or "Error"),
        detail=str(told.get("detail") or response.text[:500]),
        type=str(told.get("type") or "about:blank"),
        findings=tuple(Finding.read(one) for one in findings if isinstance(one, dict)),
    )
