"""What the rows of a period say, fact by fact (R16, R22-R24, R34): pure, each part converted and rounded once.

Open money is converted at the rate of the report's day and lies in that day's tree; closed money at the rate that was
frozen with its credit, in the tree of the credit's day (R18). What cannot be said is a hole and never zero.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from forecasting.answers import AWAITED, UNDATED, Basis, Fact, NodeRow, PeriodTold, Place, RateUsed, Summed
from forecasting.reading import Raw, World
from sfa.core.days import plus_days, start_of_ms
from sfa.core.exchange import Applied
from sfa.core.forecast import CLOSED, bucket_of, category_of, parts_of, weighted
from sfa.core.money import minor_digits

_json = msgspec.json.decode
_AWAITED = ("credit_awaited",)


def basis_of(raw: Raw, world: World, period: PeriodTold, *, currency: str | None = None, by: str = "owner") -> Basis:
    """Everything that a roll-up of the period is made of, in the company's currency or another, which is that of what
    the rows have summed. Refuses `currency_unknown`."""
    to = currency if currency is not None else world.currency
    minor_digits(to)
    maker = _Maker(raw, world, period, to, by)
    facts = [*maker.open(), *maker.closed(), *maker.awaited()]
    sums = [Summed(row[0], world.tree.place(row[0], world.today), *row[1:]) for row in raw.summed]
    with_money = {*(fact.user_key for fact in facts), *(of.user_key for of in sums)}
    rows = _rows(raw, world, with_money, by, min(world.today, plus_days(period.end_on, -1)))
    return Basis(
        period=period,
        as_of=world.today,
        zone=world.zone,
        currency=to,
        seq=world.seq,
        snapshot=None,
        facts=facts,
        nodes={row.node: row for row in rows},
        rates=sorted(maker.rates),
        sums=sums,
    )


class _Value(Struct, frozen=True):
    """How money of one currency becomes the report's: by `rate`, unless it is the same; not at all where `known` is
    false."""

    rate: Applied | None
    known: bool


class _Maker:
    def __init__(self, raw: Raw, world: World, period: PeriodTold, currency: str, by: str) -> None:
        self._raw, self._world, self._period, self._currency = raw, world, period, currency
        self._by_territory, self._by_product = by == "territory", by == "product"
        self.rates: set[RateUsed] = set()

    # -- open

    def open(self) -> Iterator[Fact]:
        """The parts of open deals that stand in the period, and of those without a day."""
        world = self._world
        today, start, end = world.today, self._period.start_on, self._period.end_on
        stages = {key: (probability, category_of(None, category)) for key, probability, category in self._raw.stages}
        values: dict[str | None, _Value] = {}
        places: dict[str, Place] = {}
        works = {user for user in world.people if world.works(user)}
        territory: tuple[str, ...] = ()
        products: tuple[tuple[str, int], ...] = ()
        for key, owner, stage, amount, currency, said, close_on, splits, overlays, lies in self._raw.open:
            probability, category = stages.get(stage, (0, "pipeline"))
            bucket = UNDATED if close_on is None else bucket_of(said or category, close_on, today, start, end)
            if bucket is None:
                continue
            alone = splits == "[]" and overlays == "[]"
            parts = ((owner, amount, False),) if alone else _shared(owner, stage, amount, currency, splits, overlays)
            value = values.get(currency)
            if value is None:
                value = values[currency] = self._value(currency)
            if self._by_territory:
                territory = world.tree.territory_path(lies, today)
            if self._by_product:
                products = self._products(key)
            for user, part, overlay in parts:
                place = places.get(user)
                if place is None:
                    place = places[user] = world.tree.place(user, today)
                worth = part
                holes: tuple[str, ...] = ()
                if part is None or not value.known or bucket == UNDATED or user not in works:
                    holes = self._holes(user, part, value, bucket)
                    worth = part if value.known else None
                if worth is not None and value.rate is not None:
                    worth = value.rate.value(worth)
                likely = None if worth is None else weighted(worth, probability)
                yield Fact(
                    key, user, place, bucket, worth, likely, currency, overlay, alone, holes, territory, products
                )

    def _holes(self, user: str, part: int | None, value: _Value, bucket: str) -> tuple[str, ...]:
        found = {
            "close_on_missing": bucket == UNDATED,
            "amount_missing": part is None,
            "rate_missing": part is not None and not value.known,
            "owner_missing": not self._world.works(user),
        }
        return tuple(code for code, is_so in found.items() if is_so)

    def _value(self, currency: str | None) -> _Value:
        """Of open money, at the rate of the report's day."""
        if currency is None or currency == self._currency:
            return _Value(None, True)
        at = start_of_ms(self._world.today, self._world.zone)
        found = self._world.exchange.applied(currency, self._currency, at)
        if found is not None:
            self.rates.add(RateUsed(currency, True, found.rate_on, found.rate, found.inverse))
        return _Value(found, found is not None)

    # -- closed

    def closed(self) -> Iterator[Fact]:
        """Every credit of the period; a reversal is negative."""
        world, days = self._world, _Days(self._period, self._world.zone)
        times: dict[str, int] = {}
        for row in self._raw.closed:
            times[row[0]] = times.get(row[0], 0) + 1
        territory: tuple[str, ...] = ()
        for deal, user, overlay, at, rated_at, lies, part, currency in self._raw.closed:
            day = days.of(at)
            worth = part
            holes: tuple[str, ...] = ()
            if part is None:
                holes = ("amount_missing",)
            elif currency != self._currency:
                worth = self._frozen(part, currency, rated_at)
                holes = ("rate_missing",) if worth is None else ()
            if self._by_territory:
                territory = world.tree.territory_path(lies, day)
            place, alone, products = world.tree.place(user, day), times[deal] == 1, self._products(deal)
            is_overlay = bool(overlay)
            yield Fact(deal, user, place, CLOSED, worth, worth, currency, is_overlay, alone, holes, territory, products)

    def awaited(self) -> Iterator[Fact]:
        """What was won in the period and is credited to nobody yet, where its credit would lie if it were, at the rate
        of the report's day, in no total."""
        world, days = self._world, _Days(self._period, self._world.zone)
        territory: tuple[str, ...] = ()
        for key, owner, stage, amount, currency, at, splits, overlays, lies in self._raw.awaited:
            day, value, products = days.of(at), self._value(currency), self._products(key)
            if self._by_territory:
                territory = world.tree.territory_path(lies, day)
            for user, part, overlay in _shared(owner, stage, amount, currency, splits, overlays):
                worth = part if value.known else None
                if worth is not None and value.rate is not None:
                    worth = value.rate.value(worth)
                place = world.tree.place(user, day)
                yield Fact(
                    key, user, place, AWAITED, worth, worth, currency, overlay, False, _AWAITED, territory, products
                )

    def _frozen(self, amount: int, currency: str, rated_at: int) -> int | None:
        found = self._world.exchange.applied(currency, self._currency, rated_at)
        if found is None:
            return None
        self.rates.add(RateUsed(currency, False, found.rate_on, found.rate, found.inverse))
        return found.value(amount)

    def _products(self, deal: str) -> tuple[tuple[str, int], ...]:
        """Weights by which the deal's money is shared out; none where its lines come to nothing."""
        if not self._by_product:
            return ()
        weights: dict[str, int] = {}
        for product, _, total in self._raw.lines.get(deal, ()):
            weights[product] = weights.get(product, 0) + total
        return tuple(sorted(weights.items())) if weights and min(weights.values()) >= 0 else ()


def _shared(
    owner: str, stage: str, amount: int | None, currency: str | None, splits: str, overlays: str
) -> Iterable[tuple[str, int | None, bool]]:
    deal = {"owner_key": owner, "stage_key": stage, "amount_minor": amount, "currency": currency}
    deal |= {"splits": _json(splits), "overlays": _json(overlays)}
    return [(part.user_key, part.amount_minor, part.overlay) for part in parts_of(deal)]


class _Days:
    """The local days of a period by their first instants, looked up once each."""

    def __init__(self, period: PeriodTold, zone: str) -> None:
        self._days: list[str] = []
        day = period.start_on
        while day < period.end_on:
            self._days.append(day)
            day = plus_days(day, 1)
        self._starts = [start_of_ms(day, zone) for day in self._days]

    def of(self, at: int) -> str:
        return self._days[bisect_right(self._starts, at) - 1]


def _rows(raw: Raw, world: World, with_money: set[str], by: str, day: str) -> Iterator[NodeRow]:
    """Every team, and everybody who sells, is in one or has money here; or every territory, or product. They stand as
    on a day: today, or the last one of a period that is over, where figures are that nobody takes out of it any more.
    Who came into a team after it is not in it."""
    tree = world.tree
    for key, name in raw.named:
        node = f"{by}:{key}"
        yield NodeRow(node, name, tree.territory_path(key, day)[:-1] if by == "territory" else ())
    if by in ("territory", "product"):
        return
    for key, name in world.teams.items():
        yield NodeRow(f"team:{key}", name, tree.team_path(key, day)[:-1])
    for key, (name, active, sells) in world.people.items():
        place = tree.place(key, day)
        stands = place.path or (sells and not tree.place(key, world.today).path)
        if key in with_money or (active and stands):
            yield NodeRow(f"user:{key}", name, place.path, place.manages)
