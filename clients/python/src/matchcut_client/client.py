"""The connection to a service: where it is, who asks, and what becomes of an answer that is none."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from .errors import ConnectionFailed, of_response
from .events import Events
from .signature import Signed, Token

ROOT = "/api/v1"


class Client:
    """A client of the service at `url`.

    It signs with an access key (`matchcut access add` makes one), or presents a bearer `token` to a gateway that asks
    for one; without either it gets to a service that was started with `--insecure-loopback`. It may be used by several
    threads at a time.
    """

    events: Events
    """Everything about events."""

    def __init__(
        self,
        url: str,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        *,
        token: str | None = None,
        session_token: str | None = None,
        region: str = "us-east-1",
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`timeout` is how long, in seconds, a connection or the next part of an answer may take; `region` is written
        into signatures and may be any; `transport` is httpx's, for proxies and certificates of one's own."""
        if (access_key_id is None) != (secret_access_key is None):
            raise ValueError("an access key has two parts: access_key_id and secret_access_key")
        if token is not None and access_key_id is not None:
            raise ValueError("requests are either signed with an access key or bear a token")
        auth: httpx.Auth | None = None
        if access_key_id is not None and secret_access_key is not None:
            auth = Signed(access_key_id, secret_access_key, region, session_token)
        elif token is not None:
            auth = Token(token)
        # What netrc says is for other programs.
        self._http = httpx.Client(
            base_url=url.rstrip("/"),
            auth=auth or httpx.Auth(),
            timeout=timeout,
            transport=transport,
            headers={"user-agent": "matchcut-client/0.1.0"},
        )
        self.events = Events(self)

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def is_ready(self) -> bool:
        """Whether the service takes requests."""
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
    ) -> Any:
        """What a path below `/api/v1` answers, out of its JSON; None where it answers nothing."""
        with failures():
            response = self._http.request(
                method, ROOT + path, params=params, headers=headers, json=json, content=content
            )
        if not response.is_success:
            raise of_response(response)
        return response.json() if response.content else None

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str], timeout: httpx.Timeout | None = None
    ) -> Generator[httpx.Response]:
        """An answer that is read while it comes. What is no success is not raised."""
        given: Any = httpx.USE_CLIENT_DEFAULT if timeout is None else timeout
        with failures(), self._http.stream("GET", ROOT + path, headers=headers, timeout=given) as response:
            yield response


@contextmanager
def failures() -> Generator[None]:
    """What happens to a connection, said in the words of this package."""
    try:
        yield
    except httpx.TransportError as error:
        raise ConnectionFailed(str(error) or type(error).__name__) from error
