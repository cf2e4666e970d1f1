"""Who is connected, and who of them has news (S33).

A stream is told that its user's scope has news, never what: the device then syncs. Everything rests on the feed's
numbers: after an alarm one question tells which buckets got entries since the last one, and the users who hold them are
woken. There is at most one such question in `LIVE_PAUSE_MS`, so no stream is told more often, whatever is written. As
the alarm comes after the commit (S9), nobody is woken for what may yet fail. A registration that is ended loses its
streams at once, in whichever process that happened (S31).

While nobody is connected, nobody listens. The bytes on the wire are those of `sync.live_routes`.
"""

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy import Connection, select

from sfa.core.errors import Refused
from sfa.core.registrations import check_active
from sfa.db import news, scope
from sfa.db.database import Database
from sfa.db.tables import devices
from sync.protocol import LIVE_CONNECTIONS_MAX, LIVE_PAUSE_MS, LIVE_PER_DEVICE_MAX

JOIN_TRIES_MAX = 10
FULL_RETRY_S = 30
FAILED_RETRY_S = 1.0
KEYS_AT_ONCE = 5_000  # in one question

_log = logging.getLogger("sync.live")


class Stream:
    """One connection. `woken` is set when there is something to do: news up to `news`, an end with `code`, or a client
    that is `gone`."""

    __slots__ = ("code", "device", "gone", "news", "seq", "user", "woken")

    def __init__(self, user: str, device: str) -> None:
        self.user, self.device = user, device
        self.woken = asyncio.Event()
        self.seq = 0
        self.news: int | None = None
        self.code: str | None = None
        self.gone = False

    def wake(self, seq: int) -> None:
        self.news = seq
        self.woken.set()

    def end(self, code: str) -> None:
        self.code = self.code or code
        self.woken.set()

    def leave(self) -> None:
        self.gone = True
        self.woken.set()


class Person:
    """A user who is connected: the buckets held, once for all of the user's streams."""

    __slots__ = ("held", "streams")

    def __init__(self) -> None:
        self.held: frozenset[str] = frozenset()
        self.streams: set[Stream] = set()


class Live:
    """All streams of this process. Everything but `stop` runs on the one event loop."""

    def __init__(
        self,
        database: Database,
        *,
        connections_max: int = LIVE_CONNECTIONS_MAX,
        per_device_max: int = LIVE_PER_DEVICE_MAX,
        pause_ms: int = LIVE_PAUSE_MS,
    ) -> None:
        self._database = database
        self._connections_max, self._per_device_max = connections_max, per_device_max
        self._pause_s = pause_ms / 1000
        self._devices: dict[str, list[Stream]] = {}
        self._people: dict[str, Person] = {}
        self._holders: dict[str, set[str]] = {}
        self._count = 0
        self._seq: int | None = None  # everything up to here has been told
        self._heard = asyncio.Event()
        self._ended = False  # a registration was ended, perhaps one that is connected here
        self._hearing: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False
        self.changed: Callable[[], None] = lambda: None  # somebody came or left

    @property
    def count(self) -> int:
        return self._count

    def connected(self) -> frozenset[str]:
        """The registrations that have a stream here."""
        return frozenset(self._devices)

    # -- coming and going -------------------------------------------------------------------------------------------

    async def join(self, user: str, device: str, since: int | None) -> Stream:
        """A stream that misses nothing after `since`; it must be given back to `leave`. Refuses live_full,
        server_stopping and a registration that was ended. Of a device's streams the oldest gives way."""
        if self._stopped:
            raise Refused("server_stopping", retry_after_s=1)
        if self._count >= self._connections_max:
            raise Refused("live_full", connections_max=self._connections_max, retry_after_s=FULL_RETRY_S)
        stream = Stream(user, device)
        self._count += 1
        same = self._devices.setdefault(device, [])
        same.append(stream)
        for old in same[: -self._per_device_max]:
            old.end("live_replaced")
        self._listen()
        try:
            found = await self._standing(user, device, since)
        except BaseException:
            self.leave(stream)
            raise
        stream.seq = found.seq
        if self._seq is None:
            self._seq = found.seq
        self._people.setdefault(user, Person()).streams.add(stream)
        self._hold(user, found.held)
        self.changed()
        if found.news:
            stream.wake(found.seq)
        return stream

    async def _standing(self, user: str, device: str, since: int | None) -> news.Standing:
        """Not older than what has been told already, so that nothing falls between the two."""
        for _ in range(JOIN_TRIES_MAX):
            found = await self._database.read_async(_standing_of, user, device, since)
            if found.seq >= (self._seq or 0):
                return found
        raise Refused("server_busy", "this server's clock is ahead of its database", retry_after_s=1)

    def leave(self, stream: Stream) -> None:
        self._count -= 1
        same = self._devices[stream.device]
        same.remove(stream)
        if not same:
            del self._devices[stream.device]
            self.changed()
        person = self._people.get(stream.user)
        if person is not None:
            person.streams.discard(stream)
            if not person.streams:
                self._hold(stream.user, frozenset())
                del self._people[stream.user]
        if not self._count and self._hearing is not None:
            self._hearing.cancel()
            self._hearing, self._seq = None, None

    def _hold(self, user: str, held: frozenset[str]) -> None:
        person = self._people[user]
        for bucket in person.held - held:
            self._holders[bucket].discard(user)
            if not self._holders[bucket]:
                del self._holders[bucket]
        for bucket in held - person.held:
            self._holders.setdefault(bucket, set()).add(user)
        person.held = held

    # -- what there is to tell --------------------------------------------------------------------------------------

    def _listen(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._hearing is None:
            self._hearing = self._loop.create_task(news.hear(self._database, self._heard.set, self.look_for_ended))
        if self._looking is None:
            self._looking = self._loop.create_task(self._look_again())

    async def _look_again(self) -> None:
        while True:
            await self._heard.wait()
            self._heard.clear()
            try:
                await self._look()
            except Exception as error:
                _log.warning("cannot read what is new: %s", error)
                self._heard.set()
                await asyncio.sleep(FAILED_RETRY_S)
            await asyncio.sleep(self._pause_s)

    async def _look(self) -> None:
        """Wake who has news after what was told last. A scope is read after the news, so it is not older."""
        if self._ended:
            await self._end_revoked()
        if self._seq is None:
            return
        found = await self._database.read_async(news.since, self._seq)
        woken = {user for bucket in found.buckets for user in self._holders.get(bucket, ())}
        for user in found.users:
            if user in self._people:
                held = await self._database.read_async(scope.held_now, user)
                if user in self._people:
                    self._hold(user, held)
                    woken.add(user)
        for user in woken:
            for stream in self._people[user].streams if user in self._people else ():
                stream.wake(found.seq)
        if self._seq is not None:
            self._seq = max(self._seq, found.seq)

    def look_for_ended(self) -> None:
        """Some registration was ended: end its streams, if there are any here."""
        self._ended = True
        self._heard.set()

    async def _end_revoked(self) -> None:
        self._ended = False
        try:
            ended = await self._database.read_async(_codes_of_ended, list(self._devices))
        except Exception:
            self._ended = True
            raise
        for device, code in ended.items():
            for stream in self._devices.get(device, ()):
                stream.end(code)

    # -- the end ----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End every stream and take no more. May be called from a signal's handler."""
        self._stopped = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end_all)

    def _end_all(self) -> None:
        for streams in self._devices.values():
            for stream in streams:
                stream.end("server_stopping")

    async def close(self) -> None:
        """Stop listening; streams that are left are ended."""
        self._stopped = True
        self._end_all()
        running = [task for task in (self._hearing, self._looking) if task is not None]
        self._hearing = self._looking = None
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _standing_of(connection: Connection, user: str, device: str, since: int | None) -> news.Standing:
    """Refuses a registration that was ended: its token may be trusted for a while, but no stream may begin with it."""
    check_active(connection.execute(select(devices.c.state).where(devices.c.key == device)).scalar_one())
    return news.standing(connection, user, since)


def _codes_of_ended(connection: Connection, keys: list[str]) -> dict[str, str]:
    """device -> the code that it is told, of those among these that were ended."""
    found: dict[str, str] = {}
    for low in range(0, len(keys), KEYS_AT_ONCE):
        some = devices.c.key.in_(keys[low : low + KEYS_AT_ONCE])
        for key, state in connection.execute(select(devices.c.key, devices.c.state).where(some)):
            try:
                check_active(state)
            except Refused as refused:
                found[key] = refused.code
    return found
