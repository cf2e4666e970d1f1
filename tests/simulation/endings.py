"""How registrations end and servers come back from the dead: revoked, wiped, copied, restored (S15, S18, S21, S31).

Some seeds have such a fate, by dice of their own, so that all others play as if there were none. A phone is revoked and
drains, is wiped, has its file copied and both are used, is not synced for longer than its lease; a reviewer decides
about drains; the server is saved, and later restored under a new epoch, as an operator does it.
"""

import random
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from sfa.core.errors import Refused
from sfa.core.registrations import END, REVOKED, WIPED
from sfa.db import scope
from sfa.db.tables import devices, drains
from sync import registrations, review
from sync.decisions import COMMANDS
from sync.protocol import LEASE_MS
from sync.review import Decision
from tests.builders import DAY_MS, register
from tests.simulation.checkers.ended import ANEW
from tests.simulation.databases import Worlds
from tests.simulation.failure import Crash, Failed
from tests.simulation.phones import Phone, ReferencePhone

if TYPE_CHECKING:
    from tests.simulation.world import World

FATED = 0.3  # of the seeds
A_STEP = 0.22
PHONES_MAX = 8
REVIEWER = "root"


class Endings:
    def __init__(self, seed: int, world: "World", worlds: Worlds) -> None:
        self.rng = random.Random(f"endings of {seed}")
        self.world, self._worlds = world, worlds
        self.is_fated = self.rng.random() < FATED
        self._saved = False
        self._logins = 0

    def step(self) -> None:
        if not self.is_fated or self.rng.random() > A_STEP:
            return
        fates = (
            (self._revoke, 20),
            (self._wipe, 6),
            (self._copy, 20),
            (self._lease, 8),
            (self._review, 18),
            (self._save, 14),
            (self.restore, 14),
            (self._login, 20),
        )
        acts, weights = zip(*fates, strict=True)
        self.rng.choices(acts, weights)[0]()

    # -- people and devices -----------------------------------------------------------------------------------------

    def _some_phone(self) -> Phone | None:
        alive = [phone for phone in self.world.phones if not phone.over]
        return self.rng.choice(alive) if alive else None

    def _revoke(self) -> None:
        self._end(REVOKED)

    def _wipe(self) -> None:
        self._end(WIPED)

    def _end(self, order: str) -> None:
        phone = self._some_phone()
        if phone is None:
            return
        self.world.log(f"{phone.key} is {order}")
        try:
            now_ms = self.world.clock.now_ms()
            self.world.server.write(registrations.end, REVIEWER, phone.key, order, END, now_ms)
        except Refused as refused:  # a restored server does not know it
            self.world.log(f"  not so: {refused.code}")
            return
        if order == WIPED:
            self.world.ledger.erased.add(phone.key)

    def _copy(self) -> None:
        whole = [p for p in self.world.phones if isinstance(p, ReferencePhone) and not p.over and p.ended() is None]
        if whole and len(self.world.phones) < PHONES_MAX:
            phone = self.rng.choice(whole)
            self.world.log(f"{phone.key} is copied")
            self.world.ledger.cloned.add(phone.key)
            self.world.phones.append(phone.copied())
            self.world.attaching.copied(phone, self.world.phones[-1])

    def _lease(self) -> None:
        """Longer than a lease passes: nobody shows anything who has not synced since."""
        self.world.clock.advance(LEASE_MS + DAY_MS)
        self.world.log("15 days pass")
        for phone in self.world.phones:
            if not isinstance(phone, ReferencePhone) or not phone.rows():
                continue
            try:
                phone.device.list("accounts")
            except Refused as refused:
                if refused.code == "lease_over":
                    continue
            raise Failed("ended", f"{phone.key} shows its rows after its lease")

    def _login(self) -> None:
        for phone in self.world.phones:
            if phone.ended() is not None and not phone.over:
                self.login_again(phone)
                return

    def login_again(self, phone: Phone) -> None:
        """Who was told that this registration is dead logs in, and gets a new one; or never comes back."""
        why = phone.ended()
        if why in ("device_revoked", "device_wiped") and self.rng.random() < 0.5:
            phone.over = True
            self.world.log(f"{phone.key} is never used again")
            return
        self._logins += 1
        key = f"{phone.key.partition(ANEW)[0]}{ANEW}{self._logins}"
        self.world.log(f"{phone.key} ({why}) logs in anew: {key}")
        self.world.server.write(register, key, phone.user, self.world.clock.now_ms())
        phone.login(key)

    # -- reviews ----------------------------------------------------------------------------------------------------

    def _review(self) -> None:
        waiting = self.world.server.database.read(_waiting)
        if not waiting:
            return
        device, drain = self.rng.choice(waiting)
        asked = self.rng.choice(
            (
                Decision("apply"),
                Decision("apply", leave_out=[self.rng.randint(1, 6)], reason="not so"),
                Decision("discard", reason="made up"),
            )
        )
        self.world.log(f"drain {drain[:6]} of {device}: {asked}")
        now_ms = self.world.clock.now_ms()
        if self.rng.random() < 0.2:
            self.world.crashes.arm()
        try:
            versions = self.world.server.versions
            self.world.server.write(review.review, REVIEWER, device, drain, asked, now_ms, COMMANDS, versions)
        except scope.Due:
            self.world.server.write(scope.make_due, now_ms)
        except Crash as crash:
            self.world.log(f"  server: crash {crash}")
            self.world.server.restart()
        finally:
            self.world.crashes.disarm()

    # -- the server -------------------------------------------------------------------------------------------------

    def back_up(self) -> None:
        self._worlds.save()
        self.world.attaching.saved()
        self._saved = True
        self.world.log("the server is backed up")

    def _save(self) -> None:
        self.back_up()
        if self.rng.random() < 0.6:  # long enough for devices to forget what they sent
            for _ in range(3):
                self.world.live(days=5)
            if self.rng.random() < 0.6:
                self.restore()

    def restore(self) -> None:
        if not self._saved:
            return
        self.world.log("the server is restored from its backup")
        self._worlds.restore()
        self.world.crashes.commits += 1
        self.world.server.write(scope.renew_epoch, f"{self.rng.getrandbits(128):032x}")
        self.world.server.restart()
        self.world.ledger.note_restored(self.world.server.database.read(_last_numbers))
        self.world.restored()

    # -- peace ------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Everybody hears how it ended, and whoever goes on has logged in."""
        for phone in self.world.phones:
            if not phone.over and phone.ended() is not None:
                self.login_again(phone)


def _waiting(connection: Connection) -> list[tuple[str, str]]:
    query = select(drains.c.device_key, drains.c.drain).where(drains.c.decision.is_(None)).distinct()
    return sorted((device, drain) for device, drain in connection.execute(query))


def _last_numbers(connection: Connection) -> dict[str, int]:
    return {row.key: row.last_n for row in connection.execute(select(devices.c.key, devices.c.last_n))}
