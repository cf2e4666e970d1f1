"""One seed's world: the company, its server, some phones, and a step at a time of what people, networks and fate do.

Everything random comes from the seed, and time from one virtual clock, so a seed plays the same every time. After
every commit the server is looked at; after every page that was taken in, the phone is.
"""

import random
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from sfa.app import jobs
from sfa.core.clock import VirtualClock
from sfa.core.errors import Refused
from sfa.core.periods import local_day
from sfa.crm import finder
from sfa.db import feed, scope
from sync.device.transport import ConnectionLost
from tests.builders import DAY_MS, NOW, register
from tests.simulation import actions, decisions
from tests.simulation.attaching import Attaching
from tests.simulation.calling import Calling
from tests.simulation.checkers import in_its_version, in_scope, no_skips
from tests.simulation.company import PEOPLE
from tests.simulation.crashes import Crashes
from tests.simulation.databases import Worlds
from tests.simulation.driving import Driving
from tests.simulation.earning import Earning
from tests.simulation.endings import Endings
from tests.simulation.failure import Crash, Failed
from tests.simulation.handing import Handing
from tests.simulation.ledger import Ledger
from tests.simulation.network import Network
from tests.simulation.paying import Paying
from tests.simulation.phones import REPAIR, ModelPhone, Part, Phone, ReferencePhone, SkewedClock
from tests.simulation.screens import Screens
from tests.simulation.server import Server
from tests.simulation.snapshot import Place, Snapshot
from tests.simulation.spending import Spending
from tests.simulation.upgrades import Upgrades

ZONE = "Europe/Madrid"
SKEWS_MS = (0, 0, 60_000, -90_000, 3_600_000, -DAY_MS, 40 * DAY_MS, 365 * DAY_MS, -365 * DAY_MS)
LINES_BYTES = (1, 600, 4_000)  # every row a line, some rows, all of a small page
PEACE_ROUNDS_MAX = 8
PEACE_PAGE_ROWS = 50


class World:
    def __init__(self, seed: int, worlds: Worlds) -> None:
        self.rng = random.Random(seed)
        self.trace: list[str] = []
        self.clock = VirtualClock(NOW + self.rng.randrange(20) * 3_600_000)
        self.crashes = Crashes(self.rng)
        self.server = Server(worlds.fresh(), self.clock, self.crashes)
        self.server.line_bytes = self.rng.choice(LINES_BYTES)
        self.server.restart()
        self.ledger = Ledger(self.clock.now_ms)
        self.network = Network(self.rng, self.server, self.ledger, self.log)
        self.network.meanwhile = self._meanwhile
        self.network.on_answer = self._on_answer
        self.maker = actions.Maker(self.rng)
        self.maker.known += [("accounts", "acme"), ("contacts", "zoe"), ("deals", "deal-c"), ("tasks", "task-a")]
        self.screens = Screens(self.maker, self._day, self.clock.now_ms)
        self.decisions = decisions.Screen(self.maker)
        self.upgrades = Upgrades(seed, self.server, self.log)
        self.phones = self._make_phones()
        self.endings = Endings(seed, self, worlds)
        self.handing = Handing(seed, self.maker.known, self.log)
        self.driving = Driving(seed, self.log)
        self.attaching = Attaching(seed, self)
        self.earning = Earning(seed, self)
        self.paying = Paying(seed, self)
        self.spending = Spending(seed, self)
        self.calling = Calling(seed, self)
        self.allowed: dict[str, set[Place]] = {phone.user: set() for phone in self.phones}
        self.seen: dict[str, dict[Place, set[int]]] = {user: {} for user in self.allowed}
        self.held: dict[str, set[str]] = {user: set() for user in self.allowed}
        self.server.after_commit = self._look
        self._look(self.server.snapshot())
        self.network.peace = True
        for phone in self.phones:
            if self.rng.random() < 0.7:
                self.sync(phone, PEACE_PAGE_ROWS)  # the others come later, or in the middle of a fault
        self.network.peace = False

    def log(self, line: str) -> None:
        self.trace.append(line)

    def _make_phones(self) -> list[Phone]:
        phones: list[Phone] = []
        for i in range(self.rng.randint(2, 5)):
            again = phones and self.rng.random() < 0.3  # somebody has two phones
            user = self.rng.choice([phone.user for phone in phones] if again else PEOPLE)
            key, clock = f"d{i}-{user}", SkewedClock(self.clock, self.rng.choice(SKEWS_MS))
            if self.rng.random() < 0.5:
                phones.append(ModelPhone(key, user, clock, self._on_page, self.network))
            else:
                phones.append(ReferencePhone(key, user, clock, self._on_page, self.network, self.rng))
            self.log(f"{key}: {type(phones[-1]).__name__}, clock off by {clock.skew_ms} ms")
            self.upgrades.begin(phones[-1])
        self.server.write(_register, phones)
        return phones

    def _day(self, later: int) -> str:
        return str(date.fromisoformat(local_day(self.clock.now_ms(), ZONE)) + timedelta(days=later))

    # -- what is looked at ------------------------------------------------------------------------------------------

    def _look(self, snapshot: Snapshot) -> None:
        for user, places in self.allowed.items():
            visible = snapshot.visible(user)
            places.update(visible)
            self.held[user] |= snapshot.held.get(user, frozenset())
            for place, (rev, _) in visible.items():
                self.seen[user].setdefault(place, set()).add(rev)
        for place, rev, buckets in snapshot.tombstones():
            for user in self.seen:
                if not buckets.isdisjoint(snapshot.held.get(user, ())):
                    self.seen[user].setdefault(place, set()).add(rev)

    def _on_answer(self, user: str, device: str, answer: bytes) -> None:
        self._look(self.server.snapshot())
        in_scope.check_answer(device, answer, self.allowed[user])
        in_its_version.check_answer(device, answer, self.server.versions.minimum)

    def _on_page(self, phone: Phone, caught_up: bool) -> None:
        if not caught_up:
            return
        snapshot = self.network.snapshots.get(phone.key)
        if snapshot is None:
            raise Failed("no_skips", f"{phone.key} believes that it caught up, the server said no such thing")
        self.log(f"  {phone.key} caught up")
        in_scope.check_phone(phone, snapshot)
        no_skips.check(phone, snapshot)

    # -- steps ------------------------------------------------------------------------------------------------------

    def step(self) -> None:
        self.endings.step()
        self.upgrades.step(self.phones)
        self.attaching.step()
        self.earning.step()
        self.paying.step()
        self.spending.step()
        self.calling.step()
        roll = self.rng.random()
        if roll < 0.38:
            self._work_offline()
        elif roll < 0.70:
            self.sync(self.rng.choice(self.phones))
        elif roll < 0.81:
            self._screen()
        elif roll < 0.86:
            self._decide()
        elif roll < 0.935:
            hours = self.rng.choice((0.02, 0.5, 3, 9, 20, 30))
            self.clock.advance(int(hours * 3_600_000))
            self.log(f"{hours} h pass")
        elif roll < 0.945:
            self.log(f"duplicates: {self.server.write(jobs.find_duplicates, self.clock.now_ms())}")
        elif roll < 0.955:
            self._purge()
        elif roll < 0.965:
            self.log(f"old rows leave: {self.server.write(jobs.age_rows, self.clock.now_ms())}")
        elif roll < 0.985:
            phone = self.rng.choice(self.phones)
            phone.spoil_cursor(self.rng)
            self.log(f"{phone.key} loses its cursor, or has it spoilt")
        else:
            self.network.deliver_delayed_quietly()

    def _meanwhile(self, device: str) -> None:
        """What others do while a request is under way, or the same phone in another process."""
        roll = self.rng.random()
        if roll < 0.5:
            self._screen()
        elif roll < 0.65:
            self._decide()
        else:
            same = [phone for phone in self.phones if phone.key == device]
            self.sync(self.rng.choice(same if self.rng.random() < 0.4 else self.phones))

    def _work_offline(self) -> None:
        phone = self.rng.choice(self.phones)
        if phone.is_out():
            return
        rows = phone.rows()
        for _ in range(self.rng.choice((1, 2, 3, 4))):
            if self.rng.random() < 0.08:
                for part in actions.stumble(self.maker, phone, rows):
                    phone.force(part)
                    self.log(f"{phone.key} stumbles {part}")
            elif self.rng.random() < 0.06:
                part = actions.nonsense(self.maker, phone, rows)
                phone.force(part)
                self.log(f"{phone.key} forces {part}")
            elif self.rng.random() < 0.12:
                some = [actions.some_part(self.maker, phone, rows) for _ in range(self.rng.choice((2, 3)))]
                parts = [part for part in some if part is not None]
                if parts and phone.do_together(parts):
                    self.log(f"{phone.key} does together {parts}")
            else:
                one = actions.some_part(self.maker, phone, rows)
                if one is not None and phone.do(one):
                    self.log(f"{phone.key} does {one}")
                    if one[0] == REPAIR:
                        self._repair_elsewhere(phone, one)
        self.handing.work(phone, rows)
        self.driving.work(self.maker, phone, rows)
        self.attaching.work(phone, rows)
        self.earning.work(phone, rows)
        self.spending.work(phone, rows)
        self.calling.work(phone)

    def sync(self, phone: Phone, page_rows: int | None = None) -> bool:
        if phone.is_out():
            return False
        rows = page_rows if page_rows is not None else self.rng.choice((1, 2, 3, 5, 5, 20, 50))
        self.log(f"{phone.key} syncs, {rows} rows a page, {phone.pending()} queued")
        try:
            return phone.sync(rows)
        except ConnectionLost as lost:
            self.log(f"  {phone.key}: no answer ({lost})")
            return False

    def _screen(self) -> None:
        changes = self.screens.changes(self.server.snapshot())
        self.log(f"screen: {changes}")
        if not self.network.peace and self.rng.random() < 0.05:
            self.crashes.arm()
        try:
            self.server.write(self.screens.transaction, changes)
        except Crash as crash:
            self.log(f"  server: crash {crash}")
            self.server.restart()
        finally:
            self.crashes.disarm()

    def live(self, days: int) -> None:
        """Time goes by, and everybody works."""
        for phone in self.phones:
            self._work_offline()
            self.sync(phone)
        self.clock.advance(days * DAY_MS)
        self.log(f"{days} days pass")

    def restored(self) -> None:
        """The server is another one: everybody may see what he sees there."""
        self.attaching.restored()
        self.paying.restored()
        self._look(self.server.snapshot())

    def _repair_elsewhere(self, phone: Phone, part: Part) -> None:
        """The same refusal on another phone of its author, or at a screen: the same words, or other ones."""
        if self.rng.random() < 0.2:
            self._decide_one(phone.user, ("refusals", part[2], "repair", part[3]))
        for other in self.phones:
            if other.user == phone.user and other is not phone and self.rng.random() < 0.7 and other.do(part):
                self.log(f"{other.key} does the same")

    def _decide(self) -> None:
        """Somebody decides at a screen, by the functions of the routes."""
        user = self.rng.choice([phone.user for phone in self.phones])
        chosen = self.decisions.choose(self.server.snapshot(), user)
        if chosen is not None:
            self._decide_one(user, chosen)

    def _decide_one(self, user: str, chosen: tuple[str, str, str, dict[str, Any]]) -> None:
        if not self.network.peace and self.rng.random() < 0.05:
            self.crashes.arm()
        try:
            became = self.server.write(self.decisions.decide, self.clock.now_ms(), user, *chosen)
        except (Refused, scope.Due) as refused:
            became = str(refused)
        except Crash as crash:
            became = f"crash {crash}"
            self.server.restart()
        finally:
            self.crashes.disarm()
        self.log(f"{user} decides {chosen}: {became}")

    def _purge(self) -> None:
        def purge(connection: Connection) -> int:
            self._find_duplicates(connection)  # tombstones live for months, and it comes by every minute
            horizon = self.rng.randint(max(0, feed.face(connection).seq - 30), feed.face(connection).seq)
            feed.purge(connection, horizon)
            return horizon

        self.log(f"purge before {self.server.write(purge)}")

    def _find_duplicates(self, connection: Connection) -> None:
        while finder.find(connection, self.clock.now_ms()) != (0, 0):
            pass

    # -- the end ----------------------------------------------------------------------------------------------------

    def make_peace(self) -> None:
        """No more faults and no more edits: everybody syncs until nothing is left."""
        self.log("peace")
        self.network.peace = True
        while self.network.deliver_delayed():
            pass
        self.clock.advance(self.rng.choice((0, DAY_MS, 3 * DAY_MS)))
        decided = False
        for _ in range(PEACE_ROUNDS_MAX):
            self.endings.settle()
            self.server.write(scope.make_due, self.clock.now_ms())  # the job of every minute, where no phone is left
            self.server.write(self._find_duplicates)
            self.attaching.settle()
            before = self.crashes.commits
            done = [self.sync(phone, PEACE_PAGE_ROWS) for phone in self.phones if not phone.over]
            done.append(self.attaching.in_peace())
            if all(done) and not decided:
                decided = True
                self.handing.decide_the_rest(self.phones, self.server)
                continue
            if all(done) and self.crashes.commits == before:
                return
            self.upgrades.finish(self.phones)
        raise Failed("converged", "the phones never come to rest")


def _register(connection: Connection, phones: list[Phone]) -> None:
    for phone in phones:
        register(connection, phone.key, phone.user)
