"""Roll-ups for callers, kept while nothing has changed (R30): what a process knows of the forecast.

A *base* is everything that one period's roll-ups are folded from; it is of one clock number, local day, period,
currency and dimension, and so is made once however many people ask (of trees too: whatever changes them advances the
clock). An answer is kept beside it for each caller, until something of a later clock number is. A base that nobody has
made yet takes as long as reading its deals and says so (`warm` false); those that people asked for lately are made anew
in the background after a change. Rows are read in one snapshot; what follows from them is reckoned in a thread, so that
nobody else waits for it. Plain deals come summed by the database (`forecasting.plain`) until somebody lists them: then
the base is made anew, *whole*, of every deal, and says the same.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

from msgspec import Struct, structs
from sqlalchemy import Connection

from forecasting.answers import COMPANY, DIMENSIONS, Basis, Override, OverrideSet, PeriodTold, Rollup
from forecasting.facts import basis_of
from forecasting.keeping import Kept
from forecasting.ledger import Ledger, ledger
from forecasting.looking import own_place
from forecasting.overriding import Looked, Named, check_named, put, revert, sight_of
from forecasting.parts import Parts, parts_of
from forecasting.reading import Raw, World, find_period, read_raw, read_world, snapshot_of
from forecasting.rollup import NOTHING, Asked, Standing, rolled
from forecasting.spots import Sight
from forecasting.standing import OVERRIDES, STANDING, Stood, in_currency, read_overrides, stood, would_stand
from sfa.core.days import check_day, local_day
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.money import minor_digits
from sfa.crm.edits import Who
from sfa.crm.online import Online, person
from sfa.db import feed

BASES_MAX = 4
ANSWERS_MAX, NODES_MAX = 256, 20_000  # answers kept, and the nodes in all of them
WARM_S = 15  # how often what people look at is made anew after changes
WARM_FOR_S = 900  # how long after somebody last asked
_log = logging.getLogger("sfa.forecast")
_KINDS = {"owner": ("team", "user"), "team": ("team", "user"), "territory": ("territory",), "product": ("product",)}


class Wanted(Struct, frozen=True):
    """What is asked: None is the running period, the caller's own place, the company's currency, today."""

    period: str | None = None
    node: str | None = None
    currency: str | None = None
    as_of: str | None = None
    by: str | None = None
    depth: int | None = None


class Place(NamedTuple):
    """What a base is of. `by` is owner, territory or product. A day that is over is told by its snapshot, also where
    nothing has changed since it was today; its number, 0 where there is none, as taking one moves no clock."""

    seq: int
    as_of: str
    period: str
    currency: str
    by: str
    is_over: bool
    snapshot: int = 0


class Base(Struct, frozen=True, dict=True):
    """`standing` are the overrides in this base's currency, `causes` those that stand no more and why, by key."""

    world: World
    basis: Basis
    ledger: Ledger
    standing: Standing
    causes: dict[str, str]

    @cached_property
    def parts(self) -> Parts:
        """What deals are listed from: sorted once, when somebody first asks."""
        return parts_of(self.basis.facts, self.ledger.by)


class Found(Struct, frozen=True):
    """A base, and what the caller may see of it. `warm`: it had been made before."""

    place: Place
    base: Base
    who: Who
    sight: Sight
    warm: bool


# (connection, world, day, period, currency, by) -> the facts of the last snapshot that is not younger than the day
Past = Callable[[Connection, World, str, PeriodTold, str, str], Basis]


def no_snapshots(*_: Any) -> Basis:
    raise Refused("forecast_snapshot_missing")


class _Gathered(Struct, frozen=True):
    who: Who
    world: World
    place: Place
    period: PeriodTold
    raw: Raw | None = None
    overrides: list[Any] = []
    frozen: Basis | None = None
    base: Base | None = None


class Forecasts:
    """What one process keeps. `past` answers for days that are over."""

    def __init__(self, screens: Online, past: Past = no_snapshots) -> None:
        self.screens = screens
        self._past = past
        self._worlds: Kept[tuple[int, str], World] = Kept(lambda of: of[0], 2)
        self._bases: Kept[Place, Base] = Kept(lambda place: place.seq, BASES_MAX)
        self._answers: Kept[tuple[int, int, str, str, Wanted], tuple[Place, Rollup]] = Kept(
            lambda of: of[0], ANSWERS_MAX, weight_of=lambda told: len(told[1].nodes), weight_max=NODES_MAX
        )
        self._asked: dict[Wanted, float] = {}
        self._listed: dict[Wanted, float] = {}
        self._making = asyncio.Lock()
        self._warming: asyncio.Task[None] | None = None

    # -- roll-ups

    async def rollup(self, user_key: str, wanted: Wanted) -> tuple[Rollup, bool]:
        """-> (the answer, whether its base was there already). Refuses `not_found`, `request_invalid`,
        `period_unknown`, `currency_unknown`, `forecast_snapshot_missing`."""
        check(wanted)
        kept = self._kept(*await self.screens.read(_stands, wanted), user_key, wanted)
        if kept is not None:
            return kept, True
        found = await self.found(user_key, wanted)
        answer = await asyncio.to_thread(_rolled, found, user_key, wanted)
        of = found.place.seq, found.place.snapshot, found.base.world.today, user_key, wanted
        self._answers.put(of, (found.place, answer))
        return answer, found.warm

    def _kept(self, seq: int, snapshot: int, user_key: str, wanted: Wanted) -> Rollup | None:
        """An answer of the same clock and local day: scopes, trees and zones are what they were."""
        for (of, today), world in self._worlds.items():
            if of == seq and local_day(self.screens.clock.now_ms(), world.zone) == today:
                live = wanted.as_of is None or wanted.as_of >= today
                kept = self._answers.get((seq, 0 if live else snapshot, today, user_key, wanted))
                if kept is not None:
                    self._bases.get(kept[0])  # what it was made of is asked for as well
                    return kept[1]
        return None

    async def found(self, user_key: str, wanted: Wanted, *, ahead: bool = True, whole: bool = False) -> Found:
        """The base of what is asked, made if need be; `ahead`: and made anew in the background for a while. `whole`:
        with every deal."""
        check(wanted)
        gathered = await self.screens.read(self._look, user_key, wanted)
        if ahead and wanted.as_of is None:
            by = None if wanted.by in ("owner", "team") else wanted.by
            asked = structs.replace(wanted, node=None, depth=None, by=by)
            self._asked[asked] = now = self.screens.clock.now_ms() / 1000
            if whole:
                self._listed[asked] = now
        base, warm = self._made_already(gathered.place, whole), True
        if base is None:
            async with self._making:  # of many who ask at once one reads the deals and makes it
                gathered = await self._gathered(user_key, wanted, whole, gathered.place)
                base = gathered.base
                if base is None:
                    base, warm = await asyncio.to_thread(_made, gathered), False
                    self._bases.put(gathered.place, base)
        return Found(gathered.place, base, gathered.who, sight_of(gathered.who, shown=base.world.shown), warm)

    def _made_already(self, place: Place, whole: bool) -> Base | None:
        base = self._bases.get(place)
        return base if base is not None and (base.basis.is_whole or not whole) else None

    def _look(self, connection: Connection, user_key: str | None, wanted: Wanted) -> _Gathered:
        """Who asks, and of which base; no deals."""
        who = person(connection, user_key) if user_key is not None else Who(None, "admin", None)
        world = self._world(connection)
        as_of = wanted.as_of if wanted.as_of is not None else world.today
        if as_of > world.today:
            raise Refused("request_invalid", f"`as_of` is a day up to today, {world.today}")
        by = "owner" if wanted.by in (None, "team") else str(wanted.by)
        if as_of < world.today:
            number, frozen_in = snapshot_of(connection, as_of) or (0, world.currency)
            period = _period_then(connection, wanted.period, as_of, world)
            place = Place(world.seq, as_of, period.key, wanted.currency or frozen_in, by, True, number)
        else:
            period = find_period(connection, wanted.period, as_of, world.period_kind)
            place = Place(world.seq, as_of, period.key, wanted.currency or world.currency, by, False)
        return _Gathered(who, world, place, period)

    async def _gathered(self, user_key: str, wanted: Wanted, whole: bool, place: Place) -> _Gathered:
        """Of a day that is over apart: what was frozen is read document by document."""
        if place.is_over:
            return await self.screens.reckon(self._gather, user_key, wanted, whole)
        return await self.screens.read(self._gather, user_key, wanted, whole)

    def _gather(self, connection: Connection, user_key: str | None, wanted: Wanted, whole: bool) -> _Gathered:
        """Everything in one snapshot; deals only where no base of them is kept."""
        gathered = self._look(connection, user_key, wanted)
        world, place, period = gathered.world, gathered.place, gathered.period
        base = self._made_already(place, whole)
        if base is not None:
            return structs.replace(gathered, base=base)
        by = place.by
        if place.is_over:
            frozen = self._past(connection, world, place.as_of, period, place.currency, by)
            return structs.replace(gathered, frozen=frozen)
        overrides: list[Any] = []
        if by == "owner":
            overrides = read_overrides(connection, OVERRIDES.c.period_key == period.key, OVERRIDES.c.status == STANDING)
        summed_in = world.currency if place.currency == world.currency and not whole else None
        raw = read_raw(connection, world, period, by, summed_in=summed_in)
        return structs.replace(gathered, raw=raw, overrides=overrides)

    def _world(self, connection: Connection) -> World:
        seq, now_ms = feed.face(connection).seq, self.screens.clock.now_ms()
        for (of, today), world in self._worlds.items():
            if of == seq and local_day(now_ms, world.zone) == today:
                return world
        world = read_world(connection, now_ms=now_ms)
        self._worlds.put((world.seq, world.today), world)
        return world

    # -- overrides

    async def set(self, user_key: str, named: Named, said: OverrideSet, looked: Looked) -> Override:
        """Put a figure in the place of another; it is kept with what stands there now."""
        _check_looked(looked)
        check_named(named)
        found = await self.found(user_key, Wanted(period=named.period_key))
        cell = named.node, named.view, named.level
        value: int | None = None  # nobody reckons with a node that is not in the tree
        if named.node in found.base.basis.nodes:
            base = found.base
            counted = await asyncio.to_thread(would_stand, base.basis, base.ledger, base.standing, cell, base.world)
            if counted is None:
                raise Refused("rate_missing", "what the figure would stand in the place of cannot be converted")
            value = counted
        return await self.screens.write(put, user_key, named, said, value, looked)

    async def revert(self, user_key: str, named: Named, looked: Looked) -> Override:
        """Take a figure back."""
        _check_looked(looked)
        check_named(named)
        return await self.screens.write(revert, user_key, named, looked)

    # -- in the background

    def start(self) -> None:
        """Make anew what people look at, on the loop that runs."""
        self._warming = asyncio.create_task(self._warm())

    async def close(self) -> None:
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
            self._warming = None

    async def _warm(self) -> None:
        while True:
            await asyncio.sleep(WARM_S)
            await self.warm()

    async def warm(self) -> int:
        """One round -> how many bases were made."""
        now, made = self.screens.clock.now_ms() / 1000, 0
        lately = sorted(self._asked.items(), key=lambda item: -item[1])[:BASES_MAX]  # no more than are kept
        self._asked = {wanted: at for wanted, at in lately if now - at < WARM_FOR_S}
        self._listed = {wanted: at for wanted, at in self._listed.items() if now - at < WARM_FOR_S}
        for wanted in list(self._asked):
            try:
                made += await self._remade(wanted)
            except Refused:
                self._asked.pop(wanted, None)  # the period or its rows are gone: whoever asks is told
            except Exception:
                _log.exception("a forecast could not be made ahead; whoever asks waits for it")
        return made

    async def _remade(self, wanted: Wanted) -> bool:
        async with self._making:
            gathered = await self.screens.read(self._gather, None, wanted, wanted in self._listed)
            if gathered.base is not None:
                return False
            self._bases.put(gathered.place, await asyncio.to_thread(_made, gathered))
            return True


def _stands(connection: Connection, wanted: Wanted) -> tuple[int, int]:
    """The clock, and the snapshot of the day that is asked for."""
    frozen = snapshot_of(connection, wanted.as_of) if wanted.as_of is not None else None
    return feed.face(connection).seq, frozen[0] if frozen is not None else 0


def _period_then(connection: Connection, key: str | None, day: str, world: World) -> PeriodTold:
    """As it is now; by its key alone where it was deleted since, as what it was is in the snapshot."""
    try:
        return find_period(connection, key, day, world.period_kind)
    except Refused:
        if key is None or not is_key(key):
            raise
        return PeriodTold(key, key, "", day, day)


def _check_looked(looked: Looked) -> None:
    if looked.rev is None and not looked.fresh:
        raise Refused("request_invalid", 'say what you looked at: `If-Match: "3"`, or `If-None-Match: *` for no figure')


def check(wanted: Wanted) -> None:
    """Refuses what no forecast could answer."""
    by = wanted.by if wanted.by is not None else "owner"
    if by not in DIMENSIONS:
        raise Refused("request_invalid", f"`by` is {', '.join(DIMENSIONS)}")
    if wanted.as_of is not None:
        check_day(wanted.as_of)
    if wanted.currency is not None:
        minor_digits(wanted.currency)
    if wanted.depth is not None and not 0 <= wanted.depth <= 100:
        raise Refused("request_invalid", "`depth` is 0 to 100 levels")
    if wanted.node is not None and wanted.node != COMPANY:
        kind, colon, key = wanted.node.partition(":")
        if not colon or kind not in _KINDS[by] or (key and not is_key(key)):
            names = ", ".join(f"{kind}:<key>" for kind in _KINDS[by])
            raise Refused("request_invalid", f"`node` is company or {names}")


def _made(gathered: _Gathered) -> Base:
    world, place = gathered.world, gathered.place
    if gathered.frozen is not None:
        return Base(world, gathered.frozen, ledger(gathered.frozen.facts, place.by), Standing(frozen=True), {})
    assert gathered.raw is not None
    basis = basis_of(gathered.raw, world, gathered.period, currency=place.currency, by=place.by)
    found = ledger(basis.facts, place.by, basis.sums)
    if not gathered.overrides:
        return Base(world, basis, found, NOTHING, {})
    whole, summed = basis, found
    if place.currency != world.currency:
        whole = basis_of(gathered.raw, world, gathered.period)
        summed = ledger(whole.facts)
    stands: Stood = stood(gathered.overrides, world, whole, summed)
    return Base(world, basis, found, in_currency(stands.standing, world, place.currency), dict(stands.causes))


def _rolled(found: Found, user_key: str, wanted: Wanted) -> Rollup:
    base, by = found.base, wanted.by or "owner"
    node = wanted.node if wanted.node is not None else own_node(found, user_key, by)
    return rolled(base.basis, base.ledger, Asked(node, by, wanted.depth), found.sight, base.standing)


def own_node(found: Found, user_key: str, by: str) -> str:
    """Where a caller looks who says no node: at what he manages, at himself; by territory or product at all of it."""
    if by in ("territory", "product"):
        return COMPANY
    return own_place(found.sight, user_key, found.base.basis.nodes.get)
