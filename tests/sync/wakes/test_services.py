"""What Web Push and APNs are sent, and what is made of their answers, against real servers on loopback."""

import asyncio
import base64
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sfa.core.clock import VirtualClock
from sfa.core.errors import Refused
from sfa.web.outward import GuardedTransport
from sync.protocol import WAKE_TTL_S
from sync.wakes import services
from sync.wakes.apns import Apns
from sync.wakes.services import GONE, LATER, REFUSED, SENT, Outcome
from sync.wakes.webpush import WebPush, make_keys
from tests.builders import NOW
from tests.sync.wakes.pushes import (
    HOST,
    Answer,
    Asked,
    Service,
    contexts,
    http1,
    http2,
    pem_of_ec,
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


# -- Web Push ---------------------------------------------------------------------------------------------------------


def web_push(folder: Path, story: Callable[[WebPush, Service, VirtualClock], Awaitable[None]]) -> None:
    server, client = contexts(folder)

    async def told() -> None:
        async with http1(Service(), server) as service:
            clock = VirtualClock(NOW)
            private, _ = make_keys()
            transport = GuardedTransport(allowed=lambda _address: True, verify=client)
            push = WebPush(private, CONTACT, clock, transport, (service.port,))
            try:
                await story(push, service, clock)
            finally:
                await push.close()

    asyncio.run(told())


def claims_of(asked: Asked) -> tuple[dict[str, Any], str]:
    """-> (the VAPID claims, verified with the key beside them, that key)."""
    scheme, _, rest = asked.headers["authorization"].partition(" ")
    assert scheme == "vapid"
    parts = dict(part.split("=", 1) for part in rest.split(","))
    raw = base64.urlsafe_b64decode(parts["k"] + "=" * (-len(parts["k"]) % 4))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    return jwt.decode(parts["t"], key, algorithms=["ES256"], options=UNCHECKED), parts["k"]


def test_a_web_push_says_nothing_but_who_sends_it(tmp_path: Path) -> None:
    async def story(push: WebPush, service: Service, clock: VirtualClock) -> None:
        assert await push.send(f"{service.origin}/wp/secret-1") == Outcome(SENT)
        (asked,) = service.asked
        assert (asked.method, asked.path, asked.body) == ("POST", "/wp/secret-1", b"")
        assert asked.headers["ttl"] == str(WAKE_TTL_S)
        assert (asked.headers["urgency"], asked.headers["topic"]) == ("normal", "sync")
        assert asked.headers["content-length"] == "0"
        assert "content-encoding" not in asked.headers
        claims, key = claims_of(asked)
        assert claims == {"aud": service.origin, "exp": NOW_S + 12 * 3600, "sub": CONTACT}
        assert key == push.public_key

    web_push(tmp_path, story)


def test_a_signed_token_is_kept_and_renewed_before_it_ends(tmp_path: Path) -> None:
    async def story(push: WebPush, service: Service, clock: VirtualClock) -> None:
        for hours in (0, 10, 3):
            clock.advance(hours * 3_600_000)
            await push.send(f"{service.origin}/wp/1")
        first, second, third = [asked.headers["authorization"] for asked in service.asked]
        assert first == second != third
        assert claims_of(service.asked[2])[0]["exp"] == NOW_S + 25 * 3600

    web_push(tmp_path, story)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(201), Outcome(SENT)),
        (Answer(202), Outcome(SENT)),
        (Answer(404), Outcome(GONE, "HTTP 404")),
        (Answer(410, body=b"unsubscribed"), Outcome(GONE, "HTTP 410")),
        (Answer(429, (("retry-after", "120"),)), Outcome(LATER, "HTTP 429", 120)),
        (Answer(429, (("retry-after", "soon"),)), Outcome(LATER, "HTTP 429")),
        (Answer(503, (("retry-after", "999999999"),)), Outcome(LATER, "HTTP 503", 24 * 3600)),
        (Answer(500), Outcome(LATER, "HTTP 500")),
        (Answer(403), Outcome(REFUSED, "HTTP 403")),
        (Answer(301, (("location", "https://push.example.com/elsewhere"),)), Outcome(REFUSED, "HTTP 301")),
    ],
)
def test_answers_of_a_web_push_service_are_understood(tmp_path: Path, answer: Answer, expected: Outcome) -> None:
    async def story(push: WebPush, service: Service, clock: VirtualClock) -> None:
        service.script = [answer]
        assert await push.send(f"{service.origin}/wp/1") == expected
        assert len(service.asked) == 1, "nobody is followed anywhere"

    web_push(tmp_path, story)


def test_a_date_in_retry_after_is_understood(tmp_path: Path) -> None:
    async def story(push: WebPush, service: Service, clock: VirtualClock) -> None:
        until = format_datetime(datetime.fromtimestamp(NOW_S + 90, UTC), usegmt=True)
        service.script = [Answer(429, (("retry-after", until),))]
        assert (await push.send(f"{service.origin}/wp/1")).after_s == 90

    web_push(tmp_path, story)


def test_a_service_that_does_not_answer_in_time_is_tried_later(tmp_path: Path, hurried: None) -> None:
    async def story(push: WebPush, service: Service, clock: VirtualClock) -> None:
        service.script = [Answer(delay_s=5)]
        assert await push.send(f"{service.origin}/wp/1") == Outcome(LATER, "ReadTimeout")

    web_push(tmp_path, story)


def test_a_service_that_talks_without_end_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint is anybody's: what it says must not fill the server's memory."""
    read: list[int] = []
    real = httpx.Response.aiter_raw

    async def counted(self: httpx.Response, *args: Any) -> Any:
        async for chunk in real(self, *args):
            read.append(len(chunk))
            yield chunk

    monkeypatch.setattr(httpx.Response, "aiter_raw", counted)

    async def story(push: WebPush, service: Service, clock: VirtualClock) -> None:
        service.script = [Answer(201, body=b"x" * 50_000_000), Answer(201, body=b"short"), Answer(201)]
        assert await push.send(f"{service.origin}/wp/1") == Outcome(SENT)
        assert sum(read) < 1_000_000
        for _ in range(2):
            assert await push.send(f"{service.origin}/wp/1") == Outcome(SENT)

    web_push(tmp_path, story)


def test_a_certificate_of_somebody_else_is_not_believed(tmp_path: Path) -> None:
    server, _ = contexts(tmp_path)

    async def told() -> None:
        async with http1(Service(), server) as service:
            transport = GuardedTransport(allowed=lambda _address: True)
            push = WebPush(make_keys()[0], CONTACT, VirtualClock(NOW), transport, (service.port,))
            assert (await push.send(f"{service.origin}/wp/1")).kind == LATER
            assert service.asked == []
            await push.close()

    asyncio.run(told())


def test_a_name_that_leads_inside_is_not_connected_to(tmp_path: Path) -> None:
    """The guard as it is in production: the name resolves to loopback, so nothing is sent."""
    server, client = contexts(tmp_path)

    async def told() -> None:
        async with http1(Service(), server) as service:
            transport = GuardedTransport(verify=client)
            push = WebPush(make_keys()[0], CONTACT, VirtualClock(NOW), transport, (service.port,))
            assert await push.send(f"{service.origin}/wp/1") == Outcome(LATER, "ConnectError")
            assert service.asked == []
            await push.close()

    asyncio.run(told())


@pytest.mark.parametrize("key", ["", "short", "A" * 43 + "!", "A" * 43])
def test_what_is_no_vapid_key_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(ValueError) as error:
        WebPush(key, CONTACT, VirtualClock(NOW))
    assert not key or key not in str(error.value)


# -- APNs -------------------------------------------------------------------------------------------------------------


def apns(folder: Path, story: Callable[[Apns, Service, VirtualClock], Awaitable[None]]) -> None:
    server, client = contexts(folder, "h2")

    async def told() -> None:
        async with http2(Service(Answer(200)), server) as service:
            clock = VirtualClock(NOW)
            http = services.client(httpx.AsyncHTTPTransport(verify=client, http2=True))
            push = Apns(pem_of_ec(), "KEY1234567", "TEAM123456", "com.example.sfa", clock, service.origin, http)
            try:
                await story(push, service, clock)
            finally:
                await push.close()

    asyncio.run(told())


def test_an_apple_wake_is_a_background_notification_over_http2(tmp_path: Path) -> None:
    async def story(push: Apns, service: Service, clock: VirtualClock) -> None:
        assert await push.send(DEVICE_TOKEN) == Outcome(SENT)
        (asked,) = service.asked
        assert (asked.method, asked.path) == ("POST", f"/3/device/{DEVICE_TOKEN}")
        assert msgspec.json.decode(asked.body) == {"aps": {"content-available": 1}}
        expected = {
            "apns-topic": "com.example.sfa",
            "apns-push-type": "background",
            "apns-priority": "5",
            "apns-expiration": str(NOW_S + WAKE_TTL_S),
            "apns-collapse-id": "sync",
        }
        assert {name: asked.headers.get(name) for name in expected} == expected
        scheme, _, token = asked.headers["authorization"].partition(" ")
        assert scheme == "bearer"
        assert jwt.get_unverified_header(token)["kid"] == "KEY1234567"
        claims = jwt.decode(token, public_of(pem_of_ec()), algorithms=["ES256"], options=UNCHECKED)
        assert claims == {"iss": "TEAM123456", "iat": NOW_S}

    apns(tmp_path, story)


def test_the_provider_token_is_kept_for_forty_minutes_and_renewed_when_apple_says_so(tmp_path: Path) -> None:
    async def story(push: Apns, service: Service, clock: VirtualClock) -> None:
        for minutes in (0, 39, 2):
            clock.advance(minutes * 60_000)
            await push.send(DEVICE_TOKEN)
        first, second, third = [asked.headers["authorization"] for asked in service.asked]
        assert first == second != third
        service.script = [Answer(403, body=b'{"reason":"ExpiredProviderToken"}')]
        clock.advance(1000)
        assert await push.send(DEVICE_TOKEN) == Outcome(LATER, "HTTP 403 ExpiredProviderToken")
        await push.send(DEVICE_TOKEN)
        assert service.asked[-1].headers["authorization"] != third

    apns(tmp_path, story)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(410, body=b'{"reason":"Unregistered","timestamp":1}'), Outcome(GONE, "HTTP 410 Unregistered")),
        (Answer(400, body=b'{"reason":"BadDeviceToken"}'), Outcome(GONE, "HTTP 400 BadDeviceToken")),
        (Answer(400, body=b'{"reason":"DeviceTokenNotForTopic"}'), Outcome(GONE, "HTTP 400 DeviceTokenNotForTopic")),
        (Answer(400, body=b'{"reason":"BadTopic"}'), Outcome(REFUSED, "HTTP 400 BadTopic")),
        (Answer(404, body=b'{"reason":"BadPath"}'), Outcome(REFUSED, "HTTP 404 BadPath")),
        (Answer(429, body=b'{"reason":"TooManyRequests"}'), Outcome(LATER, "HTTP 429 TooManyRequests")),
        (Answer(503, (("retry-after", "7"),), b'{"reason":"Shutdown"}'), Outcome(LATER, "HTTP 503 Shutdown", 7)),
        (Answer(400, body=b'{"reason":"' + DEVICE_TOKEN.encode() + b'"}'), Outcome(REFUSED, "HTTP 400")),
    ],
)
def test_answers_of_apple_are_understood(tmp_path: Path, answer: Answer, expected: Outcome) -> None:
    async def story(push: Apns, service: Service, clock: VirtualClock) -> None:
        service.script = [answer]
        assert await push.send(DEVICE_TOKEN) == expected

    apns(tmp_path, story)


def test_many_wakes_to_apple_travel_at_once(tmp_path: Path) -> None:
    async def story(push: Apns, service: Service, clock: VirtualClock) -> None:
        service.usual = Answer(200, delay_s=0.05)
        sent = await asyncio.gather(*(push.send(f"{number:064x}") for number in range(15)))
        assert {found.kind for found in sent} == {SENT}
        assert len({asked.path for asked in service.asked}) == 15

    apns(tmp_path, story)


@pytest.mark.parametrize("address", ["", "zz" * 32, "ab" * 31, "ab" * 200, f"{DEVICE_TOKEN}/..", DEVICE_TOKEN + "\n"])
def test_what_is_no_device_token_is_refused(address: str) -> None:
    with pytest.raises(Refused) as refused:
        Apns(pem_of_ec(), "k", "t", "a", VirtualClock(NOW)).check(address)
    assert refused.value.code == "wake_address_invalid"


def test_a_connection_that_is_refused_is_tried_later(tmp_path: Path) -> None:
    async def told() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        push = Apns(pem_of_ec(), "k", "t", "a", VirtualClock(NOW), f"https://127.0.0.1:{port}")
        assert await push.send(DEVICE_TOKEN) == Outcome(LATER, "ConnectError")
        await push.close()

    asyncio.run(told())


def test_tls_is_verified_by_the_services_themselves(tmp_path: Path) -> None:
    server, _ = contexts(tmp_path, "h2")

    async def told() -> None:
        async with http2(Service(), server) as service:
            push = Apns(pem_of_ec(), "k", "t", "a", VirtualClock(NOW), service.origin)
            assert (await push.send(DEVICE_TOKEN)).kind == LATER
            assert service.asked == []
            await push.close()

    asyncio.run(told())
    assert ssl.OPENSSL_VERSION
