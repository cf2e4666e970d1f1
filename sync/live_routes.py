"""`GET /sync/live`: server-sent events that say "there is news", never what (S33). A plain ASGI handler, as `/sync` is.

A stream begins with the number at which it stands, then says `news` with a number that a sync should reach, and nothing
else but a comment now and then. It ends when its token does, when the registration or the login is no longer good, when
the client does not read, when a newer stream of the device takes its place, or when the server stops; all but a client
that does not read is told the code in an event `end`.
"""

import asyncio
from typing import Any
from urllib.parse import parse_qs

from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.web.authenticator import Authenticator
from sfa.web.errors import problem_of
from sfa.web.limits import RequestRate
from sync.live import Live, Stream
from sync.protocol import LIVE_HEARTBEAT_MS, LIVE_RETRY_MS, LIVE_SEND_MS
from sync.routes import send_problem

HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
SEQ_DIGITS_MAX = 19
HEARTBEAT = b":\n\n"


def live_handler(
    live: Live,
    authenticator: Authenticator,
    rate: RequestRate,
    clock: Clock,
    *,
    heartbeat_ms: int = LIVE_HEARTBEAT_MS,
    send_ms: int = LIVE_SEND_MS,
) -> ASGIRouteHandler:
    """The route; it brings its own authentication and errors, like the one beside it."""

    @asgi("/sync/live", is_mount=False, copy_scope=False, opt={"raw": True, "public": True})
    async def answer_live(scope: Scope, receive: Receive, send: Send) -> None:
        headers: Any = scope["headers"]
        try:
            if scope.get("method") != "GET":
                raise Refused("method_not_allowed", allow="GET")
            who = authenticator.authenticate(headers) or await authenticator.authenticate_fully(headers)
            rate.check(who.device_key)
            stream = await live.join(who.user_key, who.device_key, _since(scope))
        except Exception as error:  # the translator logs what it does not know
            await send_problem(send, problem_of(error))
            return
        told = _Told(stream, authenticator, clock, headers, send, heartbeat_ms / 1000, send_ms / 1000)
        watching = asyncio.create_task(_watch(receive, stream))
        try:
            await told.until_the_end()
        except TimeoutError:
            pass  # the client does not read: closed without a word
        finally:
            watching.cancel()
            live.leave(stream)

    return answer_live


def _since(scope: Scope) -> int | None:
    """The number that the device has seen: of its last page in the query, or of the last event where an event source
    connects again by itself, which is the later of the two."""
    query: Any = scope.get("query_string", b"")
    found = parse_qs(query.decode("latin-1")).get("since", [])[-1:]
    headers: Any = scope["headers"]
    found += [value.decode("latin-1") for name, value in headers if name == b"last-event-id" and value]
    if any(not (text.isascii() and text.isdigit() and len(text) <= SEQ_DIGITS_MAX) for text in found):
        raise Refused("request_invalid", "since and Last-Event-ID are numbers of the server's clock")
    return max(map(int, found), default=None)


async def _watch(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.leave()


class _Told:
    """One stream on the wire."""

    def __init__(
        self,
        stream: Stream,
        authenticator: Authenticator,
        clock: Clock,
        headers: Any,
        send: Send,
        heartbeat_s: float,
        send_s: float,
    ) -> None:
        self._stream, self._authenticator, self._clock, self._headers = stream, authenticator, clock, headers
        self._send, self._heartbeat_s, self._send_s = send, heartbeat_s, send_s

    async def until_the_end(self) -> None:
        stream = self._stream
        await self._send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        # An id without data is remembered by the client and dispatches nothing; what is not told yet must not be.
        known = b"id: %d\n" % stream.seq if stream.news is None else b""
        await self._say(b"retry: %d\n%s\n" % (LIVE_RETRY_MS, known))
        loop = asyncio.get_running_loop()
        beat_at = loop.time() + self._heartbeat_s
        while not stream.gone:
            stream.woken.clear()
            if loop.time() >= beat_at or self._left_s() <= 0:
                await self._recheck()
                beat_at = loop.time() + self._heartbeat_s
                if stream.code is None:
                    await self._say(HEARTBEAT)
            if stream.code is not None:
                await self._say(b'event: end\ndata: {"code": "%s"}\n\n' % stream.code.encode(), more=False)
                return
            if stream.news is not None:
                seq, stream.news = stream.news, None
                await self._say(b'event: news\nid: %d\ndata: {"seq": %d}\n\n' % (seq, seq))
            else:
                await self._wait(min(beat_at - loop.time(), self._left_s()))

    async def _wait(self, at_most_s: float) -> None:
        try:
            async with asyncio.timeout(max(at_most_s, 0)):
                await self._stream.woken.wait()
        except TimeoutError:
            pass

    def _left_s(self) -> float:
        """How long the token is good; 0 ends the stream."""
        try:
            return max(0, self._authenticator.expires_at(self._headers) - self._clock.now_ms()) / 1000
        except Refused:
            return 0

    async def _recheck(self) -> None:
        """A token that ended, a registration that was revoked, a person who left. What the database cannot answer just
        now is asked again at the next heartbeat: meanwhile there is no news either."""
        try:
            await self._authenticator.authenticate_fully(self._headers)
        except Exception as error:
            problem = problem_of(error)
            if problem.status < 500:
                self._stream.end(problem.code)

    async def _say(self, text: bytes, *, more: bool = True) -> None:
        async with asyncio.timeout(self._send_s):
            await self._send({"type": "http.response.body", "body": text, "more_body": more})
