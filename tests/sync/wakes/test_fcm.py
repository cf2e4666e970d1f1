"""What FCM is sent, and what is made of its answers, against a real server on loopback."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
import msgspec
import pytest

from sfa.core.clock import VirtualClock
from sync.protocol import WAKE_TTL_S
from sync.wakes import services
from sync.wakes.fcm import GRANT, SCOPE, Fcm, ServiceAccount
from sync.wakes.services import GONE, LATER, REFUSED, SENT, Outcome
from tests.builders import NOW
from tests.sync.wakes.pushes import (
    HOST,
    Answer,
    Service,
    contexts,
    http2,
    pem_of_rsa,
    public_of,
)

CONTACT = "mailto:operations@example.com"
UNCHECKED: Any = {"verify_exp": False, "verify_iat": False, "verify_aud": False}
DEVICE_TOKEN = "ab" * 32
FCM_TOKEN = "fcm-registration:token_" + "x" * 40
NOW_S = NOW // 1000


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the push service leads to loopback."""
    real = socket.getaddrinfo

    def resolved(host: Any, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if host in (HOST, HOST.encode()) else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "WAKE_TIMEOUT_MS", 150)


def fcm(folder: Path, story: Callable[[Fcm, Service, VirtualClock], Awaitable[None]]) -> None:
    server, client = contexts(folder, "h2")

    async def told() -> None:
        async with http2(Service(Answer(200, body=b'{"name":"projects/p/messages/1"}')), server) as service:
            clock = VirtualClock(NOW)
            uri = f"{service.origin}/token"
            account = ServiceAccount("my-project", pem_of_rsa(), "key-1", "sfa@my-project.example.com", uri)
            http = services.client(httpx.AsyncHTTPTransport(verify=client, http2=True))
            push = Fcm(account, clock, service.origin, http)
            service.script = [GRANTED]
            try:
                await story(push, service, clock)
            finally:
                await push.close()

    asyncio.run(told())


GRANTED = Answer(200, body=b'{"access_token":"ya29.one","expires_in":3599,"token_type":"Bearer"}')


def google_says(status: int, canonical: str, code: str = "") -> Answer:
    details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}] if code else []
    error = {"code": status, "message": f"about {FCM_TOKEN}", "status": canonical, "details": details}
    return Answer(status, body=msgspec.json.encode({"error": error}))


def test_a_google_wake_is_a_data_message_without_content(tmp_path: Path) -> None:
    async def story(push: Fcm, service: Service, clock: VirtualClock) -> None:
        assert await push.send(FCM_TOKEN) == Outcome(SENT)
        token, sent = service.asked
        form = {name: values[0] for name, values in parse_qs(token.body.decode()).items()}
        assert (token.path, form["grant_type"]) == ("/token", GRANT)
        claims = jwt.decode(form["assertion"], public_of(pem_of_rsa()), algorithms=["RS256"], options=UNCHECKED)
        assert claims == {
            "iss": "sfa@my-project.example.com",
            "scope": SCOPE,
            "aud": f"{service.origin}/token",
            "iat": NOW_S,
            "exp": NOW_S + 3600,
        }
        assert jwt.get_unverified_header(form["assertion"])["kid"] == "key-1"
        assert sent.path == "/v1/projects/my-project/messages:send"
        assert sent.headers["authorization"] == "Bearer ya29.one"
        message = msgspec.json.decode(sent.body)["message"]
        assert (message["token"], message["data"]) == (FCM_TOKEN, {"do": "sync"})
        assert message["android"] == {"collapse_key": "sync", "priority": "NORMAL", "ttl": f"{WAKE_TTL_S}s"}
        assert "notification" not in message

    fcm(tmp_path, story)


def test_the_access_token_is_fetched_once_and_renewed_before_it_ends(tmp_path: Path) -> None:
    async def story(push: Fcm, service: Service, clock: VirtualClock) -> None:
        await asyncio.gather(*(push.send(FCM_TOKEN) for _ in range(5)))
        assert [asked.path for asked in service.asked].count("/token") == 1
        clock.advance((3599 - 300) * 1000)
        service.script = [GRANTED]
        await push.send(FCM_TOKEN)
        assert [asked.path for asked in service.asked].count("/token") == 2
        service.script = [google_says(401, "UNAUTHENTICATED"), GRANTED]
        assert await push.send(FCM_TOKEN) == Outcome(LATER, "HTTP 401")
        await push.send(FCM_TOKEN)
        assert [asked.path for asked in service.asked].count("/token") == 3

    fcm(tmp_path, story)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (google_says(404, "NOT_FOUND", "UNREGISTERED"), Outcome(GONE, "HTTP 404 UNREGISTERED")),
        (google_says(404, "NOT_FOUND"), Outcome(REFUSED, "HTTP 404 NOT_FOUND")),
        (google_says(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"), Outcome(REFUSED, "HTTP 400 INVALID_ARGUMENT")),
        (google_says(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), Outcome(REFUSED, "HTTP 403 SENDER_ID_MISMATCH")),
        (google_says(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), Outcome(LATER, "HTTP 429 QUOTA_EXCEEDED")),
        (google_says(503, "UNAVAILABLE", "UNAVAILABLE"), Outcome(LATER, "HTTP 503 UNAVAILABLE")),
        (Answer(502, body=b"<html>"), Outcome(LATER, "HTTP 502")),
    ],
)
def test_answers_of_google_are_understood(tmp_path: Path, answer: Answer, expected: Outcome) -> None:
    async def story(push: Fcm, service: Service, clock: VirtualClock) -> None:
        service.script += [answer]
        assert await push.send(FCM_TOKEN) == expected

    fcm(tmp_path, story)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(503, (("retry-after", "30"),)), Outcome(LATER, "HTTP 503 for the access token", 30)),
        (Answer(400, body=b'{"error":"invalid_grant"}'), Outcome(REFUSED, "HTTP 400 for the access token")),
        (Answer(404), Outcome(REFUSED, "HTTP 404 for the access token")),
        (Answer(200, body=b"<html>"), Outcome(REFUSED, "no access token in the answer")),
    ],
)
def test_without_an_access_token_nothing_is_sent_and_no_address_is_dropped(
    tmp_path: Path, answer: Answer, expected: Outcome
) -> None:
    async def story(push: Fcm, service: Service, clock: VirtualClock) -> None:
        service.script = [answer]
        assert await push.send(FCM_TOKEN) == expected
        assert [asked.path for asked in service.asked] == ["/token"]

    fcm(tmp_path, story)
