"""Who the device is to the server: login, tokens, and every exchange over the transport.

Tokens are stored before they are used, so that a device killed between the two is not logged out. The answer to a
refresh may be lost: the old refresh token is sent again, and the server answers again. A login goes on with the
registration that it names, or the server makes a new one; the queue then moves there and nothing is lost.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from sfa.core.errors import Refused
from sync.device.store import Person, Store
from sync.device.transport import ConnectionLost, Streaming, Transport
from sync.protocol import Line, SyncAnswer, SyncRequest

EXPIRED = frozenset({"token_expired", "unauthenticated"})
BEHIND = "replica_behind"

_json = msgspec.json.Encoder().encode
_Answer = TypeVar("_Answer")


class ServerRefused(Exception):
    """The server refused a whole request with a problem body (RFC 9457). The queue stays as it is."""

    def __init__(self, code: str, text: str, status: int, details: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text, self.status, self.details = code, text, status, details or {}


class DeviceInfo(Struct, frozen=True, omit_defaults=True):
    """What a registration says of itself; `id` names one that exists."""

    name: str
    platform: str
    app_version: str
    id: str | None = None


class Login(Struct, frozen=True):
    email: str
    password: str
    device: DeviceInfo


class Tokens(Struct, frozen=True):
    access_token: str
    refresh_token: str
    device_id: str
    user: Person


# -- login and tokens -------------------------------------------------------------------------------------------------


def login(store: Store, transport: Transport, email: str, password: str, device: DeviceInfo) -> Person:
    """Log in under this store's registration; where it is dead, under a new one. Raises `Refused("wrong_user")` where
    the store is another user's: a shared tablet has one store for each."""
    state = store.state()
    known = state.device_key if state.registration != "reused" else None
    asked = Login(email, password, msgspec.structs.replace(device, id=known))
    tokens = call(transport, "/auth/login", asked, Tokens)
    if state.user is not None and state.user.key != tokens.user.key:
        raise Refused("wrong_user", f"this store belongs to {state.user.email}; what it holds stays")
    with store.transaction():
        if state.device_key is not None and state.device_key != tokens.device_id:
            store.set_state(registration="moving", cursor=None)  # a cursor is bound to its registration
        _keep(store, tokens)
    return tokens.user


def logout(store: Store, transport: Transport) -> None:
    """End the login there, if there is a connection, and forget the tokens here. Rows and queue stay for the same
    user's next login."""
    token = store.state().access_token
    if token is not None:
        with suppress(ConnectionLost):
            transport.post("/auth/logout", b"", token)
    store.set_state(access_token=None, refresh_token=None)


def _refresh(store: Store, transport: Transport) -> None:
    token = store.state().refresh_token
    if token is None:
        raise ServerRefused("unauthenticated", "log in first", 401)
    _keep(store, call(transport, "/auth/refresh", {"refresh_token": token}, Tokens))


def _keep(store: Store, tokens: Tokens) -> None:
    store.set_state(
        user=tokens.user,
        device_key=tokens.device_id,
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
    )


# -- exchanges --------------------------------------------------------------------------------------------------------


def exchange(store: Store, transport: Transport, request: SyncRequest) -> Iterator[SyncAnswer]:
    """One sync request; its answer comes in as many parts as arrive whole, each with a page that goes on where the last
    one ended, and `ConnectionLost` where the line broke. What can be mended without the user is mended once: an expired
    access token, and a server that is behind what this device pushed because it was restored from a backup."""
    try:
        answers = _send(store, transport, request)
    except ServerRefused as refused:
        if refused.code != BEHIND or not request.at_least:
            raise
        # Without the demand a restored server can say its new epoch; one that only lags still honours the cursor.
        answers = _send(store, transport, msgspec.structs.replace(request, at_least=0))
    yield from answers


def _send(store: Store, transport: Transport, request: SyncRequest) -> Iterator[SyncAnswer]:
    token = store.state().access_token
    try:
        return _answers(transport, request, token)
    except ServerRefused as refused:
        if refused.code not in EXPIRED:
            raise
    return _answers(transport, request, renewed(store, transport, token))


def renewed(store: Store, transport: Transport, token: str | None) -> str | None:
    """The access token that takes the place of one that has ended; another sync of this store may have got it."""
    with store.alone():
        if store.state().access_token in (token, None):
            _refresh(store, transport)
    return store.state().access_token


def _answers(transport: Transport, request: SyncRequest, token: str | None) -> Iterator[SyncAnswer]:
    """Refused before the first part, or not at all. Today's rows first only where lines are read as they come:
    elsewhere they would cost another trip."""
    if not isinstance(transport, Streaming):
        return iter((call(transport, "/sync", request, SyncAnswer, token),))
    request = msgspec.structs.replace(request, lines=True, early=True)
    status, parts = transport.stream("/sync", _json(request), token)
    if not 200 <= status < 300:
        raise refusal_of(status, b"".join(parts))
    return _of_lines(parts)


def _of_lines(parts: Iterator[bytes]) -> Iterator[SyncAnswer]:
    """Only a line that ends is whole; what follows the last line break is worth nothing."""
    head: SyncAnswer | None = None
    rest = b""
    try:
        for part in parts:
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                if head is None:
                    head = msgspec.json.decode(line, type=SyncAnswer)
                    yield head
                else:
                    page = msgspec.json.decode(line, type=Line).page
                    yield msgspec.structs.replace(head, push=None, page=page)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConnectionLost(f"a line that is none: {error}") from error
    if head is None or rest:
        raise ConnectionLost("the answer ended in the middle")


def call(transport: Transport, path: str, message: Any, kind: type[_Answer], token: str | None = None) -> _Answer:
    """Raises `ServerRefused` for a problem body and `ConnectionLost` for anything that is not a whole answer."""
    status, body = transport.post(path, _json(message), token)
    if not 200 <= status < 300:
        raise refusal_of(status, body)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConnectionLost(f"HTTP {status} without a whole answer: {error}") from error


def refusal_of(status: int, body: bytes) -> ServerRefused:
    """A problem body as what it says; raises `ConnectionLost` where it is none: somebody between answered."""
    try:
        problem = msgspec.json.decode(body, type=dict[str, Any])
        code = str(problem.pop("code"))
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
        raise ConnectionLost(f"HTTP {status} without a whole answer: {error}") from error
    return ServerRefused(code, str(problem.get("detail") or problem.get("title") or ""), status, problem)
