"""What wraps every ordinary route: authentication, and a request whose body obeys the limits.

A route is closed unless it says `opt={"public": True}`. A raw ASGI handler says so too and authenticates by itself with
`Authenticator`, which saves it this layer.
"""

from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Empty, Receive, Scope, Send

from sfa.core.errors import Refused
from sfa.web.authenticator import Authenticator
from sfa.web.limits import RequestRate, check_depth, read_body
from sfa.web.principal import Principal

PUBLIC = {"public": True}


class Authentication(ASGIMiddleware):
    """Puts the `Principal` into `request.user`, and counts the request of its device."""

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET, ScopeType.ASGI)
    exclude_opt_key = "public"

    def __init__(self, authenticator: Authenticator, rate: RequestRate) -> None:
        self._authenticator = authenticator
        self._rate = rate

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        headers = scope["headers"]
        principal = self._authenticator.authenticate(headers)
        if principal is None:
            principal = await self._authenticator.authenticate_fully(headers)
        self._rate.check(principal.device_key)
        scope["user"] = principal
        scope["auth"] = None
        await next_app(scope, receive, send)


class LimitedRequest(Request[Principal, Any, State]):
    """Litestar's request, reading its body under the limits: inflated, not too large, not too deep."""

    async def body(self) -> bytes:
        if self._body is Empty:
            if self._connection_state.body is Empty:
                self._connection_state.body = await read_body(self.receive, self.scope["headers"])
            self._body = self._connection_state.body
        body: Any = self._body
        return bytes(body)

    async def json(self) -> Any:
        if self._json is Empty:
            if self._connection_state.json is Empty:
                self._connection_state.json = decode_json(await self.body())
            self._json = self._connection_state.json
        return self._json


def decode_json(body: bytes) -> Any:
    """Any JSON value; None for an empty body. Refuses json_too_deep and json_invalid."""
    if not body:
        return None
    check_depth(body)
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("json_invalid", str(error)) from error
