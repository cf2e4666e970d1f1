"""What was credited, product by product: each credit shared out by the lines of its deal so that nothing is lost (R37).

The amount is shared by the totals of the lines, the goods by what each line costs on the day of the credit, both by
largest remainder, lines in their order; a deal without lines, or with lines that come to nothing, is of no product.
Lines are read once, in one statement; what is not money of the company's currency is converted after it was shared.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from sfa.core.credits import day_of
from sfa.core.money import BP_WHOLE
from sfa.db.prepared import listed
from sfa.db.tables import ROWS, credited
from sfa.profit.company.fact_sums import Asked, Fact, rows
from sfa.profit.company.from_credits import credits_source
from sfa.profit.company.surroundings import World
from sfa.profit.items import half_up
from sfa.quotas.spans import each

_LINES = ROWS["deal_lines"]
PICO = 10**12  # quantities are decimals of at most twelve places


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
    parts = [divmod(size * weight, total) for weight in weights]
    found = [part for part, _ in parts]
    left = size - sum(found)
    if left:
        for place in sorted(range(len(parts)), key=lambda n: (-parts[n][1], n))[:left]:
            found[place] += 1
    return found if amount >= 0 else [-part for part in found]


def credits_by_product(connection: Connection, world: World, asked: Asked) -> Iterator[Fact]:
    """Every fact of every credit, with the product that it is of."""
    of_span = select(credited.c.deal_key).where(credited.c.at >= asked.start, credited.c.at < asked.last)
    lines = read_lines(connection, _LINES.c.deal_key.in_(of_span))
    days: dict[int, str] = {}
    for fact in rows(connection, world, credits_source(connection, world, asked), asked):
        of = lines.get(fact.deal or "") if fact.kind in ("invoice", "goods") else None
        if not of or fact.amount is None:
            yield fact
            continue
        if fact.kind == "invoice":
            weights = [line[2] for line in of]
        else:
            day = days.get(fact.rated_at) or days.setdefault(fact.rated_at, day_of(fact.rated_at, world.zone))
            weights = [_cost(world, line, day) for line in of]
        if len(of) > 1 and (min(weights) < 0 or not any(weights)):
            yield fact
            continue
        for line, part in zip(of, shared(fact.amount, weights), strict=True):
            yield fact._replace(amount=part, product=line[0])


def _cost(world: World, line: tuple[str, int, int], day: str) -> int:
    cost = world.costs.unit_on(line[0], day)
    return line[1] * cost.amount_minor if cost is not None else 0


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
