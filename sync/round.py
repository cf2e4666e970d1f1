"""One round trip: a request's bytes in, an answer's bytes out (S21).

The push commits before the page is read, so the page shows what the push did. If the process dies between the two, the
device sends again and gets the stored receipts. The same steps serve the event loop and callers without one.
"""

import re
from collections.abc import Generator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.crm.commands import Command
from sfa.db import feed, scope
from sfa.db.database import Database
from sync import pull
from sync.protocol import LEASE_MS, PushAnswer, SyncRequest
from sync.pull import PageBytes, Puller, Scopes
from sync.push import Push, push
from sync.seen import Note, Seen
from sync.sheet import LINE_BYTES
from sync.versions import VERSIONS, Versions

DUE_TRIES_MAX = 3
CONTRACT_NOTED_MAX = 2**31 - 1  # as large as a number in the list of devices may be

_request = msgspec.json.Decoder(SyncRequest)
_json = msgspec.json.Encoder().encode


class Caller(Struct, frozen=True):
    """Who is calling, from the access token: never from the body."""

    user: str
    device: str


class Step(Struct, frozen=True):
    """A unit of work that the driver runs: `write`, `read` (short) or `read_long`, with its arguments."""

    how: str
    work: Any
    args: tuple[Any, ...]


class Round:
    """What a process keeps for all its round trips."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        secret: bytes,
        commands: Mapping[str, Command],
        lease_ms: int = LEASE_MS,
        line_bytes: int = LINE_BYTES,
        versions: Versions = VERSIONS,
    ) -> None:
        self.database, self.clock, self.secret, self.commands = database, clock, secret, commands
        self.lease_ms, self.line_bytes, self.versions = lease_ms, line_bytes, versions
        self.scopes = Scopes()
        self.seen = Seen()
        self.seq_seen = 0

    async def answer(self, caller: Caller, body: bytes) -> bytes:
        runs = {
            "write": self.database.write_async,
            "read": self.database.read_async,
            "read_long": self.database.read_long_async,
        }
        steps = self._steps(caller, body)
        step = next(steps)
        while True:
            try:
                result = await runs[step.how](step.work, *step.args)
            except scope.Due as due:
                step = steps.throw(due)
                continue
            try:
                step = steps.send(result)
            except StopIteration as done:
                return bytes(done.value)

    def answer_blocking(self, caller: Caller, body: bytes) -> bytes:
        """The same without an event loop: for the simulation and for tools."""
        runs = {"write": self.database.write, "read": self.database.read, "read_long": self.database.read}
        steps = self._steps(caller, body)
        step = next(steps)
        while True:
            try:
                result = runs[step.how](step.work, *step.args)
            except scope.Due as due:
                step = steps.throw(due)
                continue
            try:
                step = steps.send(result)
            except StopIteration as done:
                return bytes(done.value)

    def _steps(self, caller: Caller, body: bytes) -> Generator[Step, Any, bytes]:
        request = read_request(body)
        yield from self._check_version(caller, request)
        if request.user != caller.user:
            raise Refused("wrong_user", f"the request is {request.user[:64]!r}'s, the login is another user's")
        now = self.clock.now_ms()
        pushed: PushAnswer | None = None
        page: PageBytes | None = None
        if request.mutations or request.skip:
            sent = Push(caller.user, caller.device, request.now, request.mutations, request.skip)
            pushing = Step("write", push, (sent, now, self.commands, self.versions))
            pushed = yield from self._until_effective(pushing, now)
        if request.pull and self.versions.has_pages(request.contract):
            short = not request.refill and pull.is_short(request.cursor, self.secret, self.seq_seen)
            projection = self.versions.projection(request.contract)
            puller = Puller(caller.user, caller.device, request.contract, projection)
            args = (
                puller,
                request.cursor,
                now,
                self.secret,
                self.scopes,
                request.page_rows,
                request.at_least,
                request.page_bytes,
                request.refill,
                request.digest,
                self.line_bytes if request.lines else None,
                request.early,
            )
            page = yield from self._until_effective(Step("read" if short else "read_long", pull.page, args), now)
        self.seq_seen = max(self.seq_seen, pushed.seq if pushed else 0, page.seq if page else 0)
        if pushed is not None or page is not None:  # one of them has looked at the registration
            reached = page.seq if page is not None and page.caught_up else 0
            self._note(caller, request, now, reached)
        if pushed is not None:
            pushed = self.versions.told(request.contract, pushed)
        answered = page or pushed
        epoch = answered.epoch if answered is not None else (yield from self._look(caller, request, now))
        return _encode(request, now, now + self.lease_ms, epoch, pushed, page)

    def _look(self, caller: Caller, request: SyncRequest, now: int) -> Generator[Step, Any, str]:
        """Of a request that brings nothing and wants nothing: whether its registration stands; -> the epoch."""
        found: feed.Standing = yield Step("read", feed.standing, (caller.user, caller.device))
        self._note(caller, request, now)
        return found.epoch

    def _check_version(self, caller: Caller, request: SyncRequest) -> Generator[Step, Any, None]:
        """An app that is too old or too new is told so (S32), unless its registration has ended: that it hears first.
        The list of devices shows the version of an app that was turned away, too."""
        pushing = bool(request.mutations or request.skip)
        refusal = self.versions.refusal(request.contract, pushing=pushing)
        if refusal is not None:
            yield Step("read", feed.standing, (caller.user, caller.device))
            self._note(caller, request, self.clock.now_ms())
            raise refusal

    def _note(self, caller: Caller, request: SyncRequest, now: int, reached: int = 0) -> None:
        contract = min(request.contract, CONTRACT_NOTED_MAX)
        self.seen.note(caller.device, Note(now, contract, request.now - now, request.queued, reached))

    def _until_effective(self, step: Step, now: int) -> Generator[Step, Any, Any]:
        """Make dated assignments effective first, where their day has come (S11)."""
        for _ in range(DUE_TRIES_MAX):
            try:
                return (yield step)
            except scope.Due:
                yield Step("write", scope.make_due, (now,))
        raise Refused("server_busy", "assignments are being made effective: try again")


_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_HALF = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def _decode(body: bytes) -> SyncRequest:
    """A phone that cut an emoji in two writes half of it as an escape, which no text can hold: it becomes U+FFFD, as
    everywhere on the web, because refusing the request would hold up the queue for ever."""
    try:
        return _request.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        whole = _ESCAPE.sub(lambda found: b"\\ufffd" if _HALF.fullmatch(found[0]) else found[0], body)
        if whole == body:
            raise
        return _request.decode(whole)


def read_request(body: bytes) -> SyncRequest:
    """Decode the request; its mutations stay bytes."""
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        raise Refused("request_invalid", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("json_invalid", str(error)) from None
    except RecursionError:
        raise Refused("json_too_deep") from None


def _encode(
    request: SyncRequest, now: int, lease_until: int, epoch: str, pushed: PushAnswer | None, page: PageBytes | None
) -> bytes:
    """One JSON object; in lines, that object with the first part of the page, and then each further part."""
    contract = request.contract
    parts = [b'{"contract":%d,"now":%d,"lease_until":%d,"epoch":%s' % (contract, now, lease_until, _json(epoch))]
    if pushed is not None:
        parts += [b',"push":', _json(pushed)]
    if page is not None:
        parts += [b',"page":', page.body]
    parts.append(b"}\n" if request.lines else b"}")
    for line in page.more if page is not None else ():
        parts += [b'{"page":', line, b"}\n"]
    return b"".join(parts)
