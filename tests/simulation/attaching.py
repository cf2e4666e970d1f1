"""People attach files, and everything that can happen to a file on its way happens.

Some seeds are such, by dice of their own, so that all others play as if there were no files. Files are attached without
signal and uploaded over a line that breaks; customers are deleted, moved and merged meanwhile, attachments withdrawn
and renamed; the same content comes from two people; copies rot; uploads expire, the collector runs, the server is
killed, and restored from a backup that is older than the bytes.
"""

import hashlib
import random
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from sqlalchemy import select

from sfa.app import jobs
from sfa.db import scope
from sfa.db.tables import blobs
from sfa.files.service import FileLimits
from sfa.web.principal import Principal
from sync.device.transport import ConnectionLost
from sync.protocol import DURABLE_AFTER_MS
from tests.builders import DAY_MS
from tests.simulation.failure import Crash
from tests.simulation.file_line import FileLine
from tests.simulation.filing import HOUR_MS, Answer, FileServer
from tests.simulation.phones import Phone, ReferencePhone, Rows
from tests.simulation.pockets import Pocket, ReferencePocket, can_attach, pocket_of
from tests.simulation.screens import Change

if TYPE_CHECKING:
    from tests.simulation.world import World

EVERY, SEEDS = 20, (2, 3, 6, 12)  # none of them where a planted fault was found before there were files
A_STEP = 0.55
GRACE_MS = FileLimits().grace_ms
FLUSHED = (1, 40, 400, 1 << 20)  # bytes of a piece
ON = ("accounts", "accounts", "visits", "notes", "deals")
WAITS_MS = (HOUR_MS, 3 * DAY_MS, 8 * DAY_MS, 16 * DAY_MS, 31 * DAY_MS)


class Made(Struct):
    """A file that somebody attached. `excuses` say why it is right that nobody has its bytes any more."""

    key: str
    user: str
    sha256: str
    size: int
    account: str
    at: int
    stored_at: int | None = None  # when its row said so
    is_rotten: bool = False
    has_left: bool = False  # a phone let its copy go, because its user saw the row no more
    excuses: list[str] = []


class Attaching:
    def __init__(self, seed: int, world: "World") -> None:
        self.is_on = seed % EVERY in SEEDS
        self.world, self.rng = world, random.Random(f"files of {seed}")
        self.made: dict[str, Made] = {}
        self.forgotten: set[str] = set()  # contents that a restored server does not know
        self.downloads: list[str] = []  # what somebody got and should not have, or the other way round
        self._pockets: dict[int, Pocket] = {}
        self._folder: Path | None = None
        if self.is_on:
            self._begin()

    def _begin(self) -> None:
        world = self.world
        self._folder = Path(tempfile.mkdtemp(prefix="sfa-sim-files-"))
        self.server = FileServer(world.server, self._folder / "files", self.rng.choice(FLUSHED), self.rng.getrandbits)
        self.line = FileLine(self.rng, world.server, self.server, world.log)
        self.line.meanwhile = self._meanwhile
        for phone in world.phones:
            self.pocket(phone)

    def close(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def pocket(self, phone: Phone) -> Pocket:
        """What a phone carries."""
        assert self._folder is not None
        if id(phone) not in self._pockets:
            folder = self._folder / f"phone-{len(self._pockets)}"
            self._pockets[id(phone)] = pocket_of(phone, folder, self.line, self.rng)
        return self._pockets[id(phone)]

    # -- on a phone -------------------------------------------------------------------------------------------------

    def work(self, phone: Phone, rows: Rows) -> None:
        """Take a picture of something, without signal."""
        if not self.is_on or not can_attach(phone) or self.rng.random() < 0.5:
            return
        for _ in range(self.rng.choice((1, 1, 2))):
            self._attach(phone, rows)

    def _attach(self, phone: Phone, rows: Rows) -> None:
        kind = self.rng.choice(ON)
        there = sorted(place for place in rows if place[0] == kind)
        if not there:
            return
        entity, row = self.rng.choice(there)
        content = self._content()
        key = f"file.{len(self.made) + 1}"
        said = self.pocket(phone).attach(entity, row, key, self.world.maker.token(), content)
        if said is None:
            return
        sha256 = hashlib.sha256(content).hexdigest()
        self.line.known[sha256] = content
        account = row if entity == "accounts" else rows[entity, row][1]["account_key"]
        self.made[said] = Made(said, phone.user, sha256, len(content), account, self.world.clock.now_ms())
        self.world.maker.known.append(("attachments", said))
        self.world.log(f"{phone.key} attaches {said} to {entity} {row}: {len(content)} bytes, {sha256[:6]}")

    def _content(self) -> bytes:
        """Now and then the same as somebody attached before."""
        if self.line.known and self.rng.random() < 0.35:
            return self.line.known[self.rng.choice(sorted(self.line.known))]
        words = f"picture {len(self.line.known)} "
        return (words * 200)[: self.rng.randint(len(words), 1_200)].encode()

    def _upload(self) -> None:
        for phone in self.rng.sample(self.world.phones, len(self.world.phones)):
            if can_attach(phone) and self.pocket(phone).copies():
                self.upload(phone)
                return

    def upload(self, phone: Phone) -> bool:
        """-> whether nothing broke off."""
        before = self.pocket(phone).copies()
        self.world.log(f"{phone.key} uploads, {sum(not copy.is_sent for copy in before.values())} wait")
        try:
            self.pocket(phone).upload()
        except ConnectionLost as lost:
            self.world.log(f"  {phone.key}: broke off ({lost})")
            return False
        finally:
            self._note_stored()
            self._note_unheard(phone)
            self._note_left(phone, before.keys() - self.pocket(phone).copies().keys())
        return True

    def _note_unheard(self, phone: Phone) -> None:
        """Who has left the company is refused his bytes; only then may his phone let them go."""
        if self.world.server.snapshot().rows["users", phone.user].row["active"]:
            return
        for key, copy in self.pocket(phone).copies().items():
            if copy.code == "not_permitted" and key in self.made:
                self.made[key].excuses.append("its author had left when it was sent")

    def _note_left(self, phone: Phone, dropped: Collection[str]) -> None:
        rows = phone.rows() if dropped else {}
        for key in dropped:
            self.made[key].has_left = self.made[key].has_left or ("attachments", key) not in rows

    def _note_stored(self) -> None:
        snapshot = self.world.server.snapshot()
        for key, made in self.made.items():
            stored = snapshot.rows.get(("attachments", key))
            if stored is None or not stored.row["stored"]:
                made.stored_at = None
            elif made.stored_at is None:
                made.stored_at = self.world.clock.now_ms()

    def _touch(self) -> None:
        """Somebody who sees an attachment deletes or renames it."""
        phone = self.rng.choice(self.world.phones)
        seen = sorted(key for entity, key in phone.rows() if entity == "attachments")
        if phone.is_out() or not seen:
            return
        key = self.rng.choice(seen)
        kind, fields = self.rng.choice((("delete", {}), ("update", {"name": self.world.maker.token()})))
        if phone.do((kind, "attachments", key, dict(fields))):
            self.world.log(f"{phone.key} does {kind} {key}")

    def _rot(self) -> None:
        """A byte of a copy that waits is another one."""
        for phone in self.world.phones:
            for key, copy in self.pocket(phone).copies().items():
                if not copy.is_sent and key in self.made and not phone.is_out():
                    self.pocket(phone).damage(key)
                    self.made[key].is_rotten = True
                    self.world.log(f"{phone.key}: the copy of {key} rots")
                    return

    # -- elsewhere --------------------------------------------------------------------------------------------------

    def step(self) -> None:
        if not self.is_on or self.rng.random() > A_STEP:
            return
        acts = (
            (self._upload, 46),
            (self._sync, 14),
            (self._customer, 9),
            (self._touch, 9),
            (self._pass, 9),
            (self._download, 8),
            (self._rot, 3),
            (self._lose_a_day, 5),
        )
        steps, weights = zip(*acts, strict=True)
        self.rng.choices(steps, weights)[0]()

    def _sync(self) -> None:
        self.world.sync(self.rng.choice(self.world.phones))

    def _meanwhile(self) -> None:
        """In the middle of a body."""
        self.rng.choice((self._customer, self._pass))()

    def _customer(self) -> None:
        """A customer with files moves, is merged away, or is deleted."""
        if not self.made:
            return
        made = self.made[self.rng.choice(sorted(self.made))]
        key = made.account
        others = sorted(s.key for s in self.world.server.snapshot().live("accounts") if s.key != key)
        moves: list[Change] = [
            ("update", "accounts", key, {"territory_key": self.rng.choice(("t-north", "t-south", "t-east", None))}),
            ("delete", "accounts", key, {}),
            ("delete", "attachments", made.key, {}),
        ]
        moves += [("merge", "accounts", key, {"into": self.rng.choice(others)})] if others else []
        change = self.rng.choices(moves, (5, 1, 2, 2)[: len(moves)])[0]
        self.world.log(f"screen: {change}")
        self._write(self.world.screens.transaction, [change])

    def _write(self, work: Any, *args: Any) -> None:
        try:
            self.world.server.write(work, *args)
        except Crash as crash:
            self.world.log(f"  server: crash {crash}")
            self.server.restart()
            self.world.server.restart()

    def _pass(self) -> None:
        """Time goes by, and the jobs of the files run; the process may die in the middle of it."""
        waited = self.rng.choice(WAITS_MS)
        self.world.clock.advance(waited)
        self._write(jobs.link_files, self.world.clock.now_ms())
        if not self.line.peace and self.rng.random() < 0.2:
            self.server.process.life.dies_in = self.rng.randint(1, 6)
        said = self.server.collect(GRACE_MS)
        self.server.process.life.dies_in = None
        self.world.log(f"{waited // HOUR_MS} h pass: {said}")

    def _lose_a_day(self) -> None:
        """The server is backed up, files arrive over a good line, and it is what it was before: sooner or later than
        copies go."""
        self.world.endings.back_up()
        self.line.peace = True
        for phone in self.world.phones:
            self.work(phone, phone.rows())
        for _ in range(3):
            self.world.clock.advance(self.rng.choice((0, HOUR_MS, DAY_MS, 4 * DAY_MS)))
            for phone in self.world.phones:
                self.world.sync(phone)
                if can_attach(phone):
                    self.upload(phone)
        self.line.peace = False
        self.world.endings.restore()

    # -- downloads --------------------------------------------------------------------------------------------------

    def _download(self) -> None:
        if self.made:
            key, phone = self.rng.choice(sorted(self.made)), self.rng.choice(self.world.phones)
            self.look(phone.user, [key])

    def look(self, user: str, keys: list[str]) -> None:
        """Whether a person gets the bytes of what his scope holds, and of nothing else (S13)."""
        self._write(scope.make_due, self.world.clock.now_ms())
        snapshot = self.world.server.snapshot()
        held = snapshot.held.get(user, frozenset())
        for key in keys:
            stored = snapshot.rows.get(("attachments", key))
            expected = "not_found"
            if stored is not None and not stored.gone and not held.isdisjoint(snapshot.buckets(stored)):
                expected = self.made[key].sha256 if stored.row["stored"] else "file_awaited"
            answer = self.server.ask(Principal(user, "", "desk"), "GET", f"/files/{key}", {})
            assert answer is not None
            if expected != _got(answer):
                self.downloads.append(f"{user} asks for {key} and must get {expected}, gets {_got(answer)}")

    # -- endings ----------------------------------------------------------------------------------------------------

    def copied(self, phone: Phone, twin: Phone) -> None:
        """The phone's file was copied, and the folder beside it."""
        if self.is_on and isinstance(phone, ReferencePhone):
            one, other = self.pocket(phone), self.pocket(twin)
            assert isinstance(one, ReferencePocket)
            assert isinstance(other, ReferencePocket)
            one.copied_to(other)

    def saved(self) -> None:
        if self.is_on:
            self.server.save()

    def restored(self) -> None:
        """What the server said of files since its backup is forgotten; a phone that has rightly let its copy go has
        none: its user does not see the row any more, or the server had had the bytes for long enough."""
        if not self.is_on:
            return
        self.server.restore()
        noted = self.world.server.database.read(lambda c: set(c.execute(select(blobs.c.sha256)).scalars()))
        self.forgotten |= self.server.contents().keys() - noted
        kept = {key for phone in self.world.phones for key in self.pocket(phone).copies()}
        long_ago = self.world.clock.now_ms() - DURABLE_AFTER_MS
        for key, made in self.made.items():
            had_long = made.stored_at is not None and made.stored_at <= long_ago
            if key not in kept and (made.has_left or had_long):
                made.excuses.append("no phone had a copy when the server was restored")

    # -- the end ----------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """The job of every minute."""
        if self.is_on:
            self.line.peace = True
            self.world.server.write(jobs.link_files, self.world.clock.now_ms())

    def in_peace(self) -> bool:
        """Everybody has signal: -> whether all uploads went through."""
        if not self.is_on:
            return True
        done = [self.upload(phone) for phone in self.world.phones if can_attach(phone)]
        return all(done)

    def much_later(self) -> None:
        """All times of grace are over, and the collector has looked after each."""
        for _ in range(4):
            self.world.clock.advance(GRACE_MS + HOUR_MS)
            self.server.collect(GRACE_MS)
        self.server.collect(GRACE_MS)


def _got(answer: Answer) -> str:
    """The digest of what came, or the code of the refusal."""
    if answer.status == 200:
        return hashlib.sha256(answer.body).hexdigest()
    return str(msgspec.json.decode(answer.body).get("code"))
