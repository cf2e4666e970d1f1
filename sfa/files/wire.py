"""Requests and answers of plain ASGI handlers: headers in, one answer or a stream out."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

from litestar import HttpMethod, route
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from sfa.core.errors import Refused
from sfa.web.authenticator import Authenticator
from sfa.web.errors import PROBLEM_TYPE, Problem, problem_of
from sfa.web.limits import RequestRate
from sfa.web.principal import Principal

OPEN = {"raw": True, "public": True}  # the handler authenticates by itself and is not compressed
Handle = Callable[["Asked", Send], Awaitable[None]]


def plain(path: str, methods: Sequence[HttpMethod], handle: Handle) -> HTTPRouteHandler:
    """A route whose handler speaks ASGI: it takes the body as it comes, under a limit of its own, and streams."""

    @route(path, http_method=methods, opt=OPEN, include_in_schema=False, request_max_body_size=None)
    async def spoken() -> ASGIApp:
        async def speak(scope: Scope, receive: Receive, send: Send) -> None:
            await handle(Asked(scope, receive), send)

        return speak

    return spoken


class Asked:
    """One request. Header names are small letters; of a header that comes twice the first counts."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.receive = receive
        raw: Any = scope["headers"]
        self.raw = raw
        self.headers: dict[str, str] = {}
        for name, value in raw:
            self.headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
        self.method: str = str(scope.get("method", ""))
        if self.method == "POST" and "x-http-method-override" in self.headers:
            self.method = self.headers["x-http-method-override"].upper()
        self.parameters: dict[str, Any] = dict(scope.get("path_params") or {})
        query: Any = scope.get("query_string", b"")
        self.query: str = query.decode("latin-1")
        client: Any = scope.get("client")
        self.address: str | None = client[0] if client else None
        self.path: str = str(scope.get("root_path", "")) + str(scope["path"])

    def get(self, name: str) -> str | None:
        return self.headers.get(name)


class Door:
    """Who is asking."""

    def __init__(self, authenticator: Authenticator, rate: RequestRate) -> None:
        self._authenticator, self._rate = authenticator, rate

    async def enter(self, asked: Asked) -> Principal:
        who = self._authenticator.authenticate(asked.raw) or await self._authenticator.authenticate_fully(asked.raw)
        self._rate.check(who.device_key)
        return who


def allowed(asked: Asked, *methods: str) -> None:
    if asked.method not in methods:
        raise Refused("method_not_allowed", allow=", ".join(methods))


async def answer(send: Send, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
    said = list(headers)
    if status != 204 and not any(name == "content-length" for name, _ in said):
        said.append(("content-length", str(len(body))))
    await _start(send, status, said)
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def stream(send: Send, status: int, headers: Iterable[tuple[str, str]], chunks: AsyncIterator[bytes]) -> None:
    """The headers say the length; bytes leave as they are read."""
    await _start(send, status, headers)
    async for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def refuse(send: Send, error: Exception, more: Iterable[tuple[str, str]] = (), *, silent: bool = False) -> None:
    """The problem body; `silent` for HEAD."""
    problem: Problem = problem_of(error)
    headers = [(name.lower(), value) for name, value in problem.headers.items()]
    kind = [("content-type", PROBLEM_TYPE), ("cache-control", "no-store"), ("content-length", str(len(problem.body)))]
    await answer(send, problem.status, [*kind, *headers, *more], b"" if silent else problem.body)


async def _start(send: Send, status: int, headers: Iterable[tuple[str, str]]) -> None:
    raw: Any = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": raw})
