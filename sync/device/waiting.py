"""Waiting for news (S33): a stream that is kept open through bad lines, a sync whenever it says so, and patience.

Every round begins with a sync, so nothing rests on the stream: what was missed while there was none is fetched then,
and where no stream is to be had (a full server, a proxy that swallows it) the rounds themselves are the polling. Pauses
grow and have chance in them, so that a thousand devices do not come back in the same second.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec
from msgspec import Struct

from sync.device import session
from sync.device.session import ServerRefused
from sync.device.settle import SyncResult
from sync.device.store import Store
from sync.device.transport import ConnectionLost, LiveTransport
from sync.protocol import LIVE_RETRY_MS

STOPPED, REPLACED = "stopped", "live_replaced"
# A token that ended is renewed by the next sync, and a registration that ended is told there what to do.
SYNC_DECIDES = session.EXPIRED | {"device_unknown", "device_revoked", "device_wiped"}
TRY_AGAIN = frozenset({408, 425, 429})  # and everything from 500: not the user's business


class Pace(Struct, frozen=True):
    """How long it waits, in seconds: `first_s` after the first failure, twice as long after each further one up to
    `most_s`; `poll_s` where the server has no stream to give."""

    first_s: float = 1.0
    most_s: float = 60.0
    poll_s: float = 60.0


class Event(NamedTuple):
    """What a stream said: `opened`, `beat`, `news` with a number, or `end` with a code."""

    kind: str
    seq: int = 0
    code: str = ""


class Waiting:
    """One wait. `chance` is a number from 0 to 1, drawn for each pause."""

    def __init__(
        self,
        store: Store,
        transport: LiveTransport,
        sync: Callable[[], SyncResult],
        has_unsent: Callable[[], bool],
        pace: Pace | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store, self._transport, self._sync, self._has_unsent = store, transport, sync, has_unsent
        self._pace, self._chance = pace if pace is not None else Pace(), chance
        self._failures = 0

    def until(self, told: Callable[[SyncResult], None], stop: threading.Event) -> str:
        """-> why it ended. Raises `ServerRefused` where trying again does not help."""
        while not stop.is_set():
            try:
                told(self._sync())
                code = self._follow(told, stop)
            except ConnectionLost:
                pause = self._after_failure()
            except ServerRefused as refused:
                if refused.status < 500 and refused.status not in TRY_AGAIN:
                    raise
                full = self._pace.poll_s if refused.code == "live_full" else 0.0
                pause = max(self._after_failure(), full, float(refused.details.get("retry_after_s") or 0))
            else:
                if code == REPLACED:
                    return REPLACED
                pause = 0.0 if code in SYNC_DECIDES else LIVE_RETRY_MS / 1000 + self._after_failure()
            stop.wait(pause)
        return STOPPED

    def _after_failure(self) -> float:
        longest: float = min(self._pace.most_s, self._pace.first_s * 2 ** min(self._failures, 16))
        self._failures += 1
        return longest * (0.5 + self._chance() / 2)

    def _follow(self, told: Callable[[SyncResult], None], stop: threading.Event) -> str:
        """Sync whenever the stream says so; -> the code with which the server ended it."""
        with self._opened() as events:
            for event in events:
                if stop.is_set():
                    return STOPPED
                if event.kind == "end":
                    return event.code
                self._failures = 0  # it stands
                known = event.kind != "news" or event.seq <= self._store.state().seen_seq
                if not known or self._has_unsent():
                    told(self._sync())
        raise ConnectionLost("the stream broke off")

    @contextmanager
    def _opened(self) -> Iterator[Iterator[Event]]:
        """A stream from where this device stands; a token that has ended is renewed once."""
        state = self._store.state()
        token, path = state.access_token, f"/sync/live?since={max(state.seen_seq, 0)}"
        with self._transport.listen(path, token) as answer:
            refused = None if answer.status == 200 else session.refusal_of(answer.status, _whole(answer.lines))
            if refused is None:
                yield _events(answer.lines)
                return
        if refused.code not in session.EXPIRED:
            raise refused
        token = session.renewed(self._store, self._transport, token)
        with self._transport.listen(path, token) as answer:
            if answer.status != 200:
                raise session.refusal_of(answer.status, _whole(answer.lines))
            yield _events(answer.lines)


def _whole(lines: Iterator[str]) -> bytes:
    return "\n".join(lines).encode()


def _events(lines: Iterator[str]) -> Iterator[Event]:
    """Blocks of `name: value` that end with an empty line; what is not known is passed over."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
            continue
        found, fields = _event(fields), {}
        if found is not None:
            yield found


def _event(fields: dict[str, str]) -> Event | None:
    if "data" not in fields:
        return Event("opened" if "retry" in fields else "beat")
    try:
        data = msgspec.json.decode(fields["data"], type=dict[str, int | str])
    except msgspec.MsgspecError as error:
        raise ConnectionLost(f"not an event: {error}") from error
    kind = fields.get("event", "message")
    if kind == "news":
        return Event("news", seq=int(data.get("seq", 0)))
    return Event("end", code=str(data.get("code", ""))) if kind == "end" else None
