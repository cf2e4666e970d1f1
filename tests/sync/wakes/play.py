"""A seeded play of people, processes and trouble, and what must hold of every wake.

The model knows nothing of feeds or intervals: it compares what each person may see before and after each step, read off
the tables. What somebody else changed of it must reach the phone: by a wake, or because it synced. A wake must have a
reason, a phone that may get one, and its distance from the last.
"""

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from sfa.db import scope
from sfa.db.database import Database
from sync import registrations
from sync.live import Stream
from sync.protocol import WAKE_CLAIM_MS, WAKE_EVERY_MS, WAKE_LIVE_MS, WAKE_RETRY_MS
from sync.seen import Seen
from sync.wakes.services import LATER, Outcome
from tests.builders import DAY_MS, put_rows
from tests.office import Office
from tests.sync.wakes.company import Post, stored, subscribe

PEOPLE = ("ana", "bob", "cleo", "mia", "dirk")
STEPS = 40
ROWS = (
    ("contacts", "carl", "phone"),
    ("contacts", "zoe", "phone"),
    ("accounts", "acme", "city"),
    ("accounts", "zeta", "city"),
    ("deals", "deal-a", "name"),
    ("products", "pump", "name"),
)
KINDS = ("accounts", "contacts", "deals", "products", "territory_members")
EDITS = {"ana": "carl", "bob": "carl", "cleo": "zoe"}


class Broken(BaseException):
    """A promise does not hold. No product code may swallow it."""


class Died(BaseException):
    """A process ends."""


class Play:
    def __init__(self, database: Database, seed: int) -> None:
        self.random = random.Random(seed)
        self.office = Office(database)
        subscribe(self.office, *PEOPLE)
        self.posts = [Post(self.office), Post(self.office)]
        self.posts[1].live = type(self.posts[0].live)(database)
        self.posts[1].waker = self._process(1)
        for post in self.posts:
            post.paper.while_sending = self._sending
        self.due: set[str] = set()  # must be told
        self.perhaps: set[str] = set(PEOPLE)  # may be told
        self.ended: set[str] = set()
        self.streams: dict[str, int] = {}
        self.extra: list[str] = []
        self.tried: dict[str, int] = {}
        self.told: dict[str, int] = {}
        self.number = 0
        self.dying = self.meddling = False
        self.found: list[str] = []

    def _process(self, place: int) -> Any:
        """A process that knows nothing, with devices of its own to have heard of."""
        waker = self.posts[place].process()
        if place:
            waker._devices = Seen()
        return waker

    # -- what happens -----------------------------------------------------------------------------------------------

    def run(self) -> None:
        steps = (
            *(self.somebody_writes, self.a_phone_pushes, self.a_process_looks, self.a_process_looks) * 3,
            self.a_transaction_fails,
            self.scope_changes,
            self.scope_changes,
            self.a_dated_assignment_begins,
            self.a_phone_syncs,
            self.a_stream_comes_or_goes,
            self.a_process_dies,
            self.two_processes_look_at_once,
            self.the_service_has_trouble,
            self.a_registration_ends,
            self.time_passes,
        )
        self._all_quiet()
        for _ in range(STEPS):
            self.random.choice(steps)()
            self.office.clock.advance(self.random.randrange(1, 2_000))
        self._all_quiet()

    def _watched(self, author: str | None, work: Callable[[], Any]) -> None:
        """Do it; whoever sees something else after it, and did not do it, must be told."""
        before = self._visible()
        work()
        after = self._visible()
        self.due |= {user for user in PEOPLE if user != author and before[user] != after[user]} - self.ended

    def _visible(self) -> dict[str, Any]:
        """What each person may see, read off the tables."""
        held = {user: self.office.held(user) for user in PEOPLE}
        rows = [(entity, row) for entity in KINDS for row in self.office.rows(entity)]
        return {
            user: [
                (entity, row["key"], row["rev"]) for entity, row in rows if not held[user].isdisjoint(row["buckets"])
            ]
            for user in PEOPLE
        }

    def _value(self) -> str:
        self.number += 1
        return f"value {self.number}"

    def somebody_writes(self) -> None:
        entity, key, field = self.random.choice(ROWS)
        self._watched(None, lambda: self.office.put((entity, key, {field: self._value()})))

    def a_phone_pushes(self) -> None:
        user = self.random.choice([user for user in EDITS if user not in self.ended] or ["none"])
        if user != "none":
            phone = self.office.phone(user)
            self._watched(user, lambda: phone.edit("contacts", EDITS[user], phone=self._value()))
            if self.due & {user}:
                self._synced(user)

    def a_transaction_fails(self) -> None:
        entity, key, field = self.random.choice(ROWS)

        def fails(connection: Connection) -> None:
            put_rows(connection, [(entity, key, {field: self._value()})])
            raise KeyError

        with suppress(KeyError):
            self.office.database.write(fails)

    def scope_changes(self) -> None:
        if self.extra and self.random.random() < 0.6:
            key = self.extra.pop()
            self._watched(None, lambda: self.office.delete("territory_members", key))
        else:
            self._watched(None, lambda: self._join("2025-01-01"))
        self.perhaps |= set(PEOPLE)

    def _join(self, valid_from: str) -> None:
        user, territory = self.random.choice((("ana", "t-south"), ("bob", "t-south"), ("cleo", "t-north")))
        self.number += 1
        key = f"extra-{self.number}"
        member = {"territory_key": territory, "user_key": user, "valid_from": valid_from, "valid_to": "2027-01-01"}
        self.office.put(("territory_members", key, member))
        self.extra.append(key)

    def a_dated_assignment_begins(self) -> None:
        """Nothing is written on the day on which it takes effect."""
        self._streams_end()
        days = self.office.clock.now_ms() // DAY_MS + 2
        self._watched(None, lambda: self._join((date(1970, 1, 1) + timedelta(days)).isoformat()))
        self.office.clock.advance(WAKE_EVERY_MS + WAKE_CLAIM_MS)
        self.look(0)
        self.office.clock.advance(2 * DAY_MS)
        self._watched(None, lambda: self.office.database.write(scope.make_due, self.office.clock.now_ms()))
        self.perhaps |= set(PEOPLE)

    def a_phone_syncs(self) -> None:
        user = self.random.choice([user for user in PEOPLE if user not in self.ended])
        self._synced(user)

    def _synced(self, user: str) -> None:
        self.office.phone(user).catch_up()
        self.due.discard(user)
        self.perhaps.add(user)  # the other process does not know

    def a_registration_ends(self) -> None:
        if len(self.ended) < 2:
            user = self.random.choice([user for user in PEOPLE if user not in self.ended])
            order = self.random.choice(("revoked", "wiped"))
            ending = ("root", f"d-{user}", order, "end", self.office.clock.now_ms())
            self.office.database.write(registrations.end, *ending)
            self.ended.add(user)
            self.due.discard(user)
            if stored(self.office, f"d-{user}") is not None:
                raise Broken("a subscription outlives its registration")

    def a_stream_comes_or_goes(self) -> None:
        user = self.random.choice([user for user in PEOPLE if user not in self.ended])
        if user in self.streams:
            place = self.streams.pop(user)
            del self.posts[place].live._devices[f"d-{user}"]
        else:
            place = self.streams[user] = self.random.randrange(2)
            self.posts[place].live._devices[f"d-{user}"] = [Stream(user, f"d-{user}")]
        self.look(place)  # it says so before anything else happens

    def time_passes(self) -> None:
        for _ in range(self.random.randrange(1, 5)):  # each process says in time who has a stream there
            self.office.clock.advance(WAKE_LIVE_MS // 3)
            self.look(0)
            self.look(1)

    def the_service_has_trouble(self) -> None:
        self.posts[self.random.randrange(2)].paper.answers.append(Outcome(LATER, "HTTP 503"))

    def _streams_end(self) -> None:
        for user, place in self.streams.items():
            self.posts[place].live._devices.pop(f"d-{user}")
        self.streams.clear()

    # -- looks ------------------------------------------------------------------------------------------------------

    def a_process_looks(self) -> None:
        self.look(self.random.randrange(2))

    def a_process_dies(self) -> None:
        """While it sends, if there is anything to send."""
        self.dying = True
        try:
            self.look(0)
        except Died:
            self.posts[0].paper.take()
            self._process(0)
            self.posts[0].waker._streams = frozenset()
        finally:
            self.dying = False

    def two_processes_look_at_once(self) -> None:
        self.meddling = True
        try:
            self.look(0)
        finally:
            self.meddling = False

    def look(self, place: int) -> None:
        paper = self.posts[place].paper
        woken = {address.removeprefix("to-") for address in self.posts[place].look()}
        failed = {address.removeprefix("to-") for address in paper.failed}
        paper.failed.clear()
        self.due -= woken - failed
        self.perhaps -= woken - failed
        self.told |= {user: self.office.clock.now_ms() for user in woken - failed}

    def _sending(self, address: str) -> None:
        """Each wake as it leaves."""
        if self.dying:
            raise Died
        user, now = address.removeprefix("to-"), self.office.clock.now_ms()
        if user in self.ended:
            raise Broken("a registration that was ended is woken")
        if user in self.streams:
            raise Broken("a phone that has a stream is woken")
        if user not in self.due | self.perhaps:
            raise Broken("a phone is woken without a reason")
        if now - self.told.get(user, 0) < WAKE_EVERY_MS or now - self.tried.get(user, 0) < WAKE_RETRY_MS:
            raise Broken("a phone is woken too soon after the last time")
        self.tried[user] = now
        if self.meddling:
            self.meddling = False
            other = threading.Thread(target=self._meddle)
            other.start()
            other.join()
            if self.found:
                raise Broken(self.found[0])

    def _meddle(self) -> None:
        try:
            self.posts[1].look()
        except Broken as broken:
            self.found.append(str(broken))

    # -- what must hold in the end ----------------------------------------------------------------------------------

    def _all_quiet(self) -> None:
        """Streams end, pauses pass, services recover: whoever had to be told has been."""
        self._streams_end()
        for post in self.posts:
            post.paper.answers = [Outcome(LATER, "HTTP 429", after_s=90)] * 2
        self.look(0)
        self.look(1)
        for post in self.posts:
            post.paper.answers.clear()
        for _ in range(3):
            self.office.clock.advance(WAKE_CLAIM_MS + WAKE_RETRY_MS * 64)
            for place in (0, 1):
                self.look(place)
        if self.due:
            raise Broken("somebody was not woken")
        self.perhaps.clear()
