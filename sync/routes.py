"""`POST /sync`, and `POST /sync/drain` beside it: plain ASGI handlers, so that a poll costs little more than its reads.

Authentication is a look-up in the token cache, the body is read under the protocol's limits, `sync.round` does the
work, and the answer is compressed as the client likes. Every failure is a problem body.
"""

import asyncio
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import msgspec
from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from sfa.core.errors import Refused
from sfa.web.authenticator import Authenticator
from sfa.web.compression import compress, compress_lines
from sfa.web.errors import PROBLEM_TYPE, Problem, problem_of
from sfa.web.limits import RequestRate, check_depth, read_body
from sync import quarantine
from sync.protocol import BODY_BYTES_MAX, INFLATED_BYTES_MAX, JSON_DEPTH_MAX
from sync.round import Caller, Round
from sync.sheet import in_lines

JSON_TYPE = b"application/json"
LINES_TYPE = b"application/x-ndjson"
INLINE_BYTES_MAX = 256 << 10  # a larger body is checked and compressed in a thread
P = ParamSpec("P")
T = TypeVar("T")


def sync_handler(rounds: Round, authenticator: Authenticator, rate: RequestRate) -> ASGIRouteHandler:
    """The route; it brings its own authentication and errors, so no middleware is needed around it."""

    @asgi("/sync", is_mount=False, copy_scope=False, opt={"raw": True, "public": True})
    async def answer_sync(scope: Scope, receive: Receive, send: Send) -> None:
        headers: Any = scope["headers"]
        try:
            if scope.get("method") != "POST":
                raise Refused("method_not_allowed", allow="POST")
            who = authenticator.authenticate(headers) or await authenticator.authenticate_fully(headers)
            rate.check(who.device_key)
            body = await read_body(receive, headers, body_max=BODY_BYTES_MAX, inflated_max=INFLATED_BYTES_MAX)
            await _aside(len(body), check_depth, body, JSON_DEPTH_MAX)
            answer = await rounds.answer(Caller(who.user_key, who.device_key), body)
            accepted = next((value for name, value in headers if name == b"accept-encoding"), None)
            lines = in_lines(answer)
            smaller, encoding = await _aside(len(answer), compress_lines if lines else compress, answer, accepted)
        except Exception as error:  # the translator logs what it does not know
            await send_problem(send, problem_of(error))
            return
        extra = [(b"vary", b"Accept-Encoding")]
        if encoding is not None:
            extra.append((b"content-encoding", encoding.encode()))
        await _send(send, 200, LINES_TYPE if lines else JSON_TYPE, smaller, extra)

    return answer_sync


def drain_handler(rounds: Round, authenticator: Authenticator, rate: RequestRate) -> ASGIRouteHandler:
    """`POST /sync/drain`: the one thing that a revoked registration may still do, under the limits of a sync."""

    @asgi("/sync/drain", is_mount=False, copy_scope=False, opt={"raw": True, "public": True})
    async def answer_drain(scope: Scope, receive: Receive, send: Send) -> None:
        headers: Any = scope["headers"]
        try:
            if scope.get("method") != "POST":
                raise Refused("method_not_allowed", allow="POST")
            whose = authenticator.authenticate_ended(headers)
            rate.check(whose.dev)
            body = await read_body(receive, headers, body_max=BODY_BYTES_MAX, inflated_max=INFLATED_BYTES_MAX)
            await _aside(len(body), check_depth, body, JSON_DEPTH_MAX)
            now_ms = rounds.clock.now_ms()
            answer = await rounds.database.write_async(quarantine.drain, whose.sub, whose.dev, body, now_ms)
        except Exception as error:  # the translator logs what it does not know
            problem = problem_of(error)
            extra = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
            await _send(send, problem.status, PROBLEM_TYPE.encode(), problem.body, extra)
            return
        await _send(send, 200, JSON_TYPE, msgspec.json.encode(answer), [])

    return answer_drain


async def _aside(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Work whose time grows with a body leaves the event loop where the body is large."""
    if size <= INLINE_BYTES_MAX:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


async def send_problem(send: Send, problem: Problem) -> None:
    extra = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    await _send(send, problem.status, PROBLEM_TYPE.encode(), problem.body, extra)


async def _send(send: Send, status: int, kind: bytes, body: bytes, extra: list[tuple[bytes, bytes]]) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store"), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
