"""How requests are signed: AWS Signature Version 4 for the service `execute-api`, as "Create a signed AWS API request"
of its documentation says. The secret never travels."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Generator
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

import httpx

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "execute-api"


class Signed(httpx.Auth):
    """Signs each request at the time at which it is sent."""

    requires_request_body = True

    def __init__(
        self, access_key_id: str, secret_access_key: str, region: str, session_token: str | None = None
    ) -> None:
        self._key_id = access_key_id
        self._secret = secret_access_key
        self._region = region
        self._session_token = session_token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        self.sign(request, datetime.now(UTC))
        yield request

    def sign(self, request: httpx.Request, now: datetime) -> None:
        """Adds what says who asks."""
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        body = hashlib.sha256(request.content).hexdigest()
        request.headers["x-amz-date"] = stamp
        request.headers["x-amz-content-sha256"] = body
        if self._session_token:
            request.headers["x-amz-security-token"] = self._session_token
        signed = sorted({name for name in request.headers if name == "host" or name.startswith("x-amz-")})
        headers = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in signed)
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        names = ";".join(signed)
        canonical = "\n".join([request.method, _path(path), _query(query), headers, names, body])
        scope = f"{stamp[:8]}/{self._region}/{SERVICE}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = f"AWS4{self._secret}".encode()
        for part in [*scope.split("/"), f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}"]:
            key = hmac.digest(key, part.encode(), "sha256")
        request.headers["authorization"] = (
            f"{ALGORITHM} Credential={self._key_id}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
        )


class Token(httpx.Auth):
    """Presents a bearer token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["authorization"] = f"Bearer {self._token}"
        yield request


def _path(path: str) -> str:
    """Without detours, and encoded once more than it is sent."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            kept = kept[:-1]
        elif part not in ("", "."):
            kept.append(part)
    end = "/" if kept and path.endswith("/") else ""
    return "/" + "/".join(quote(part, safe="-._~") for part in kept) + end


def _query(query: str) -> str:
    pairs = [part.partition("=") for part in query.split("&") if part]
    encoded = sorted((_encode(name), _encode(value)) for name, _, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _encode(text: str) -> str:
    return quote(unquote_to_bytes(text.replace("+", " ")), safe="-._~")
