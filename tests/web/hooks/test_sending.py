"""A post goes to the very address that was judged, by a name whose certificate is checked, and nowhere else."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from sfa.core.clock import VirtualClock
from sfa.web import outward
from sfa.web.hooks import guard, signing
from sfa.web.hooks.sending import Outcome, Sender
from sfa.web.hooks.signing import Earlier, Seals, Unreadable, headers, new_secret
from sfa.web.outward import Resolve
from sfa.web.secret import Secret
from tests.builders import NOW
from tests.sync.wakes.pushes import HOST, Answer, Service, contexts, http1
from tests.web.hooks.posting import HERE

NOBODY = frozenset[str]()
VECTOR = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Names:
    """Answers the next addresses each time that it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def resolve(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def posted(sender: Sender, url: str, service: Service) -> Outcome:
    async def play() -> Outcome:
        async with http1(service, None):
            return await sender.post(url.format(port=service.port), b"{}", {})

    return asyncio.run(play())


def sender(private: frozenset[str] = NOBODY, resolve: Resolve = outward.resolve, timeout_s: float = 5.0) -> Sender:
    return Sender(VirtualClock(NOW), private, resolve, None, timeout_s)


def test_a_name_that_leads_inside_after_it_was_looked_at_is_never_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: public when it is made, loopback when it is posted to, on a port where somebody hears."""
    names, service = Names(["93.184.215.14"], ["127.0.0.1"]), Service(Answer(204))

    async def play() -> Outcome:
        async with http1(service, None):
            monkeypatch.setattr(guard, "PORTS", (443, 8443, service.port))
            url = f"https://{HOST}:{service.port}/hook"
            await guard.check(url, NOBODY, names.resolve)
            return await sender(resolve=names.resolve).post(url, b"{}", {})

    assert asyncio.run(play()) == Outcome(None, outward.NOT_PUBLIC)
    assert (service.asked, names.asked) == ([], 2)


def test_the_certificate_is_that_of_the_name_though_the_address_is_pinned(tmp_path: Path) -> None:
    context, believes = contexts(tmp_path)
    names = Names(["127.0.0.1"])

    async def play() -> tuple[Outcome, Outcome, Outcome]:
        service = Service(Answer(204))
        async with http1(service, context):
            named = Sender(VirtualClock(NOW), frozenset({HOST, "other.example.com"}), names.resolve, believes)
            right = await named.post(f"https://{HOST}:{service.port}/", b"{}", {})
            other = await named.post(f"https://other.example.com:{service.port}/", b"{}", {})
            doubting = sender(frozenset({HOST}), names.resolve)
            unknown = await doubting.post(f"https://{HOST}:{service.port}/", b"{}", {})
            assert len(service.asked) == 1
            return right, other, unknown

    right, other, unknown = asyncio.run(play())
    assert right == Outcome(204)
    assert other == unknown == Outcome(None, "no connection, or a certificate that is not believed")


def test_each_delivery_looks_anew_where_the_name_leads() -> None:
    names, service = Names(["127.0.0.1"], ["127.0.0.1"], ["169.254.169.254"]), Service(Answer(204))
    private = frozenset({"erp.internal"})

    async def play() -> list[int | None]:
        async with http1(service, None):
            one = sender(private, names.resolve)
            url = f"http://erp.internal:{service.port}/"
            return [(await one.post(url, b"{}", {})).status for _ in range(3)]

    assert asyncio.run(play()) == [204, 204, None]


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert posted(sender(HERE), "http://127.0.0.1:{port}/", Service(Answer(204))) == Outcome(204)


async def answered(said: bytes, *, holds: bool = False) -> Outcome:
    """Of a server that says these bytes and closes, or holds the connection."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(said)
            await writer.drain()
            if holds:
                await reader.read()
        finally:
            writer.close()
            over.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        return await sender(HERE).post(url, b"{}", {})
    finally:
        await over.wait()
        server.close()


@pytest.mark.parametrize("said", [b"SSH-2.0-something\r\n\r\n", b"", b"HTTP/1.1 200 " + b"x" * 200_000])
def test_what_is_no_answer_is_no_delivery(said: bytes) -> None:
    found = asyncio.run(answered(said))
    assert found.status is None
    assert found.problem in ("what came is no answer of HTTP", "the connection broke before an answer")


def test_where_nobody_listens_there_is_no_connection() -> None:
    async def play() -> tuple[Outcome, Outcome]:
        server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        url = f"http://127.0.0.1:{port}/"
        return await sender(HERE).post(url, b"{}", {}), await sender().post(url, b"{}", {})

    nobody, refused = asyncio.run(play())
    assert nobody == Outcome(None, "no connection, or a certificate that is not believed")
    assert refused == Outcome(None, "an address begins with https://")


def test_an_answer_that_never_ends_is_a_delivery_all_the_same() -> None:
    """Its status has been said."""
    said = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nx"
    assert asyncio.run(answered(said, holds=True)) == Outcome(200)


# -- signatures -------------------------------------------------------------------------------------------------------


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    """The vector that the libraries of Standard Webhooks are tested with."""
    at = datetime.fromtimestamp(1614265330, UTC)
    said = Webhook(VECTOR).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}')
    assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    found = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1614265330_999, [VECTOR])
    assert (found["webhook-signature"], found["webhook-timestamp"]) == (said, "1614265330")


@given(st.text(max_size=200), st.integers(0, 4_000_000_000_000))
def test_every_secret_signs_what_the_standard_says(text: str, now_ms: int) -> None:
    keys, body = [new_secret(), new_secret()], text.encode("utf-8", "replace")
    found = headers("e-1", body, now_ms, keys)
    signatures = found["webhook-signature"].split(" ")
    for key, signature in zip(keys, signatures, strict=True):
        raw = base64.b64decode(key.removeprefix("whsec_"))
        content = f"e-1.{found['webhook-timestamp']}.".encode() + body
        assert signature == "v1," + base64.b64encode(hmac.digest(raw, content, hashlib.sha256)).decode()


def test_a_sealed_secret_opens_for_its_endpoint_and_server_alone() -> None:
    seals, secret = Seals(Secret("one server's secret, long enough")), new_secret()
    sealed = seals.seal("crm", secret)
    assert seals.open("crm", sealed) == secret
    with pytest.raises(Unreadable):
        seals.open("erp", sealed)
    with pytest.raises(Unreadable):
        Seals(Secret("another server's secret")).open("crm", sealed)
    with pytest.raises(Unreadable):
        seals.open("crm", b"")
    earlier = seals.seal_earlier("crm", [Earlier("a", 10), Earlier("b", 20)])
    assert [each.secret for each in seals.open_earlier("crm", earlier, 10)] == ["b"]
    assert signing.BEFORE_MAX == 3
