"""What was credited, product by product: each credit shared out by the lines of its deal so that nothing is lost (R37).

The amount is shared by the totals of the lines, the goods by what each line costs on the day of the credit, both by
largest remainder, lines in their order; a deal without lines, or with lines that come to nothing, is of no product.
Lines are read once, in one statement; what is not money of the company's currency is converted after it was shared.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from sfa.core.money import BP_WHOLE
from sfa.db.prepared import listed
from sfa.db.tables import ROWS, credited
from sfa.profit.company.fact_sums import Asked, Fact, bound_by, conditions, settled
from sfa.profit.company.from_credits import credits_source
from sfa.profit.company.surroundings import World
from sfa.profit.items import half_up
from sfa.profit.local_days import LocalDays
from sfa.quotas.spans import each

_LINES = ROWS["deal_lines"]
PICO = 10**12  # quantities are decimals of at most twelve places


@lru_cache(maxsize=4_096)  # few quantities are sold again and again
def quantity_of(text: str) -> int:
    """A quantity in units of 10^-12, exact."""
    if text.isdigit():
        return int(text) * PICO
    whole, _, part = text.partition(".")
    return int(whole) * PICO + int(part.ljust(12, "0"))


def shared(amount: int, weights: Sequence[int]) -> list[int]:
    """`money.allocate` for whole weights of which some is above zero: the largest remainders, earlier ones first."""
    if len(weights) == 1:
        return [amount]
    total, size = sum(weights), abs(amount)
    if len(weights) == 2:
        first, rest = divmod(size * weights[0], total)
        first += 2 * rest >= total and rest > 0  # else the rest of the other one is larger
        return [first, size - first] if amount >= 0 else [-first, first - size]
    parts = [divmod(size * weight, total) for weight in weights]
    found = [part for part, _ in parts]
    left = size - sum(found)
    if left:
        for place in sorted(range(len(parts)), key=lambda n: (-parts[n][1], n))[:left]:
            found[place] += 1
    return found if amount >= 0 else [-part for part in found]


Line = tuple[str, int, int]  # product, quantity in 10^-12, total


def credits_by_product(
    connection: Connection, world: World, asked: Asked
) -> Iterator[Fact | tuple[tuple[str | None], str, int]]:
    """What was credited, by the product that it is of: what is not of the company's currency, or not computable, fact
    by fact, and all else as sums (key, kind, amount)."""
    of_span = select(credited.c.deal_key).where(credited.c.at >= asked.start, credited.c.at < asked.last)
    lines = read_lines(connection, _LINES.c.deal_key.in_(of_span))
    source = credits_source(connection, world, asked)
    query = select(*source.raw).select_from(source.from_).where(*conditions(source, asked))
    shares, ours = _Shares(world), world.currency
    for row in each(connection, query, bound_by(connection, source, asked)):
        deal, share, _, reversal, _, rated_at, _, _, amount, currency, cost, cost_currency, days = row
        of = lines.get(deal, ())
        if currency == ours and cost_currency == ours and amount is not None and cost is not None:
            shares.add("invoice", -amount if reversal else amount, rated_at, of)
            shares.add("goods", cost if reversal else -cost, rated_at, of)
            if not days or share != BP_WHOLE:
                continue
            found: Iterable[Fact] = (fact for fact in source.valued(world, row) if fact.kind == "terms")
        else:
            found = source.valued(world, row)
        for fact in found:
            yield from shares.parts(settled(world, fact), of)
    for (product, kind), amount in shares.sums.items():
        yield (product,), kind, amount


class _Shares:
    """Sums by product while they are taken, and what each line costs on a day."""

    def __init__(self, world: World) -> None:
        self._world, self._days = world, LocalDays(world.zone)
        self._units: dict[str, dict[str, int]] = {}
        self.sums: dict[tuple[str | None, str], int] = {}

    def add(self, kind: str, amount: int, at: int, lines: Sequence[Line]) -> None:
        sums = self.sums
        for product, part in self._of_lines(kind, amount, at, lines):
            place = product, kind
            sums[place] = sums.get(place, 0) + part

    def parts(self, fact: Fact, lines: Sequence[Line]) -> Iterator[Fact]:
        if fact.amount is None or fact.kind not in ("invoice", "goods"):
            yield fact
            return
        for product, part in self._of_lines(fact.kind, fact.amount, fact.rated_at, lines):
            yield fact._replace(amount=part, product=product)

    def _of_lines(self, kind: str, amount: int, at: int, lines: Sequence[Line]) -> Iterable[tuple[str | None, int]]:
        """Of no product where there are no lines, or they say nothing of it."""
        if len(lines) == 1:
            return ((lines[0][0], amount),)
        if kind == "invoice":
            weights = [line[2] for line in lines]
        else:
            day = self._days.of(at)
            units = self._units.get(day)
            if units is None:
                units = self._units[day] = {}
            weights = []
            for product, size, _ in lines:
                unit = units.get(product)
                if unit is None:
                    unit = units[product] = self._unit(product, day)
                weights.append(size * unit)
        if not lines or min(weights) < 0 or not any(weights):
            return ((None, amount),)
        return zip((line[0] for line in lines), shared(amount, weights), strict=True)

    def _unit(self, product: str, day: str) -> int:
        """What one costs on a day; nothing where that is not known."""
        cost = self._world.costs.unit_on(product, day)
        return cost.amount_minor if cost is not None else 0


def read_lines(
    connection: Connection, *where: ColumnElement[bool], deals: Iterable[str] | None = None, exact: bool = False
) -> dict[str, list[tuple[str, int, int]]]:
    """deal -> (product, quantity in 10^-12, total) of each of its lines, by place and key; `deals` are bound by that
    name. A total is rounded to the minor unit, or `exact` in parts of it that are the same for all lines."""
    t = _LINES.c
    query = select(t.deal_key, t.position, t.key, t.product_key, t.quantity, t.unit_price_minor, t.discount_bp)
    bound = {"deals": listed(connection, sorted(deals))} if deals is not None else {}
    found: dict[str, list[Any]] = {}
    for deal, position, key, product, quantity, price, discount in each(
        connection, query.where(~t.gone, *where), bound
    ):
        size = quantity_of(quantity)
        parts = size * price * (BP_WHOLE - discount)
        total = parts if exact else half_up(parts, PICO * BP_WHOLE)
        found.setdefault(deal, []).append((position, key, product, size, total))
    for lines in found.values():
        if len(lines) > 1:
            lines.sort()
    return {deal: [line[2:] for line in lines] for deal, lines in found.items()}
