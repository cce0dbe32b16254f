"""Signatures, against those of botocore."""

from datetime import UTC, datetime

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from matchcut_client.signature import Signed

NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    "method, url, body",
    [
        ("GET", "https://matchcut.example/api/v1/events", b""),
        ("GET", "https://matchcut.example:8443/api/v1/events?limit=10&cursor=7", b""),
        ("GET", "https://matchcut.example", b""),
        ("GET", "https://matchcut.example/a/b/", b""),
        ("POST", "http://127.0.0.1:8080/api/v1/events", b'{"spec": "\xc3\xa4"}'),
        ("GET", "http://127.0.0.1:8080/api/v1/events/final/files/clips/a%20b%2Bc%C3%A4~.mp4", b""),
        ("GET", "http://127.0.0.1:8080/x?b=2&a=%20%2F&a=1&empty=", b""),
    ],
)
@pytest.mark.parametrize("token", [None, "a-session"])
def test_they_are_those_of_botocore(
    monkeypatch: pytest.MonkeyPatch, method: str, url: str, body: bytes, token: str | None
) -> None:
    ours = httpx.Request(method, url, content=body)
    Signed("AKIDEXAMPLE", SECRET, "eu-central-1", token).sign(ours, NOW)
    theirs = AWSRequest(method, url, data=body, headers={"x-amz-content-sha256": ours.headers["x-amz-content-sha256"]})
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: NOW.replace(tzinfo=None))
    SigV4Auth(Credentials("AKIDEXAMPLE", SECRET, token), "execute-api", "eu-central-1").add_auth(theirs)
    assert ours.headers["authorization"] == theirs.headers["Authorization"]


def test_a_client_needs_a_whole_key_or_a_token() -> None:
    from matchcut_client import Client

    with pytest.raises(ValueError, match="two parts"):
        Client("http://127.0.0.1:1", "AKIDEXAMPLE")
    with pytest.raises(ValueError, match="either"):
        Client("http://127.0.0.1:1", "AKIDEXAMPLE", SECRET, token="t")
