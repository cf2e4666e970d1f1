"""Facts of a span of days, as sums or one by one: the shape that every source of profit answers in (design of `items`).

A `Source` is one statement: where rows come from, which of them count, and per kind the integer formula that a fact
amounts to, with the condition under which SQL may compute it (`plain`: the company's currency, nothing missing, no
product beyond 64 bits). `sums` adds plain facts up in the database by what is asked; whatever else there is comes row
by row and is valued by the same formula in Python (`Source.valued`). `rows` answers every fact one by one for
explanations, all of it by Python: that both are the same money is a test.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    and_,
    case,
    func,
    literal_column,
    not_,
    or_,
    select,
)
from sqlalchemy.sql.elements import Null

from sfa.core.money import allocate
from sfa.db.prepared import among, listed
from sfa.profit.company.surroundings import EVERYTHING, Scope, World
from sfa.quotas.conversion import Missing
from sfa.quotas.reading import LOW
from sfa.quotas.spans import each, past_indexes
from sfa.quotas.summing import segment

PLACES = ("account", "user", "territory", "product", "deal", "place")
LOOKED_UP_MAX = 2_000  # more customers than these are found in one pass over the table
DIRECT_MAX = 10**9  # factors up to here are multiplied in SQL: no product of two leaves 64 bits, doubled


# at, rated_at, account, user, territory, product, deal, entity, row_key
Place = tuple[int, int, str | None, str | None, str | None, str | None, str | None, str, str]


class Fact(NamedTuple):
    """One fact, signed as it changes the profit; in a currency of its own until it is `settled`. `about` names what is
    missing or what was reckoned."""

    kind: str
    amount: int | None
    currency: str
    at: int
    rated_at: int
    account: str | None
    user: str | None
    territory: str | None
    product: str | None
    deal: str | None
    entity: str
    row_key: str
    code: str | None = None
    about: Mapping[str, Any] = {}


class Asked(Struct, frozen=True, kw_only=True):
    """Facts of the local days [from_on, to_on), which are the instants [start, end); `by` names what to group by, of
    `PLACES`; `cuts` are the first instants of stretches, for `place`. `accounts` narrows to some customers, `deals` to
    what names some deals."""

    from_on: str
    to_on: str
    start: int
    end: int
    by: tuple[str, ...] = ()
    cuts: tuple[int, ...] = ()
    scope: Scope = EVERYTHING
    accounts: frozenset[str] | None = None
    deals: frozenset[str] | None = None  # facts that name one of these
    until: int | None = None  # facts before this instant only (`as_of`)

    @property
    def last(self) -> int:
        return self.end if self.until is None else min(self.end, self.until)

    def place(self, at: int) -> int:
        return max(bisect_right(self.cuts, at) - 1, 0) if self.cuts else 0

    def key(self, fact: Fact) -> tuple[Any, ...]:
        return tuple(self.place(fact.at) if name == "place" else getattr(fact, name) for name in self.by)

    def takes(self, fact: Fact) -> bool:
        if not self.start <= fact.at < self.last or not self.scope.sees(fact.account, fact.user):
            return False
        if self.deals is not None and fact.deal not in self.deals:
            return False
        return self.accounts is None or fact.account in self.accounts


class Value(NamedTuple):
    """What a row amounts to in SQL, and when SQL may say so."""

    amount: Any
    plain: ColumnElement[bool]


class Source(NamedTuple):
    """`columns` name what can be grouped by; `raw` are what `valued` reads, after the columns of a fact."""

    from_: Any
    where: Sequence[ColumnElement[bool]]
    columns: Mapping[str, Any]
    at: Any
    values: Mapping[str, Value]
    raw: Sequence[Any]
    valued: Callable[[World, Any], Iterable[Fact]]
    bound: Mapping[str, Any] = {}


def _chosen(source: Source, asked: Asked) -> list[Any]:
    return [segment(source.at, asked.cuts) if name == "place" else _grouped(source, name) for name in asked.by]


def _grouped(source: Source, name: str) -> Any:
    """A pass over the table and a sort cost a third of a look-up of every row along an index of the group."""
    column = source.columns[name]
    return past_indexes(column) if isinstance(column, Column) else column


def _is_constant(name: str, column: Any, asked: Asked) -> bool:
    """There is nothing to group by."""
    return isinstance(column, Null) or (name == "place" and len(asked.cuts) <= 1)


def conditions(source: Source, asked: Asked) -> list[ColumnElement[bool]]:
    found = [*source.where, source.at >= asked.start, source.at < asked.last]
    found += asked.scope.where(source.columns["account"], source.columns["user"])
    if asked.accounts is not None:
        account = source.columns["account"]
        found.append(among(past_indexes(account) if len(asked.accounts) > LOOKED_UP_MAX else account, "of_accounts"))
    if asked.deals is not None:
        found.append(among(source.columns["deal"], "of_deals"))
    return found


def bound_by(connection: Connection, source: Source, asked: Asked) -> dict[str, Any]:
    found = {**source.bound, **asked.scope.bound(connection)}
    if asked.accounts is not None:
        found["of_accounts"] = listed(connection, sorted(asked.accounts))
    if asked.deals is not None:
        found["of_deals"] = listed(connection, sorted(asked.deals))
    return found


def narrowed(connection: Connection, query: Any, account: Any, deal: Any, asked: Asked) -> tuple[Any, dict[str, Any]]:
    """Only of the customers and deals that are asked about; what else the caller may not see is left out fact by
    fact."""
    bound: dict[str, Any] = {}
    for column, name, keys in ((account, "of_accounts", asked.accounts), (deal, "of_deals", asked.deals)):
        if keys is not None:
            query, bound[name] = query.where(among(column, name)), listed(connection, sorted(keys))
    return query, bound


def halves(value: Any) -> tuple[Any, Any]:
    """The sum in two halves, which no number of rows makes too large; `whole` puts it together."""
    low = literal_column(str(LOW), BigInteger)
    return func.sum(value.op("/", precedence=8)(low)), func.sum(value % low)


def whole(high: Any, low: Any) -> int:
    return int(high or 0) * LOW + int(low or 0)


def sums(
    connection: Connection,
    world: World,
    source: Source,
    asked: Asked,
    key_of: Callable[[Fact], tuple[Any, ...]] | None = None,
) -> Iterator[tuple[Any, ...]]:
    """-> (key, kind, amount in the company's currency), plain facts only, and afterwards facts that are not, one by
    one, as (key, fact); `key_of` says the key of one, if not `asked` does."""
    chosen = _chosen(source, asked)
    labelled = [column.label(f"by_{n}") for n, column in enumerate(chosen)]
    plains = [value.plain for value in source.values.values()]
    odd = func.sum(flag(or_(*map(not_, plains))))
    parts = [half for value in source.values.values() for half in halves(_if(value.plain, value.amount))]
    query = select(*labelled, odd, *parts).select_from(source.from_).where(*conditions(source, asked))
    bound = bound_by(connection, source, asked)
    kinds, width, others = list(source.values), len(chosen), False
    grouped = [c for name, c in zip(asked.by, chosen, strict=True) if not _is_constant(name, c, asked)]
    for row in each(connection, query.group_by(*grouped) if grouped else query, bound):
        key = tuple(row[:width])
        others = others or bool(row[width])
        for number, kind in enumerate(kinds):
            high, low = row[width + 1 + 2 * number], row[width + 2 + 2 * number]
            if high or low:
                yield key, kind, whole(high, low)
    if others:
        yield from _odd(connection, world, source, asked, key_of or asked.key)


def _odd(
    connection: Connection, world: World, source: Source, asked: Asked, key_of: Callable[[Fact], tuple[Any, ...]]
) -> Iterator[tuple[Any, ...]]:
    """What SQL left out, in one pass: of each row the kinds that are not plain."""
    kinds, width = list(source.values), len(source.raw)
    odd = [flag(not_(value.plain)).label(f"odd_{n}") for n, value in enumerate(source.values.values())]
    some = or_(*(not_(value.plain) for value in source.values.values()))
    query = select(*source.raw, *odd).select_from(source.from_).where(*conditions(source, asked), some)
    for row in each(connection, query, bound_by(connection, source, asked)):
        left_out = {kind for kind, is_odd in zip(kinds, row[width:], strict=True) if is_odd}
        for fact in source.valued(world, row[:width]):
            if fact.kind in left_out:
                told = settled(world, fact)
                yield key_of(told), told


def rows(
    connection: Connection, world: World, source: Source, asked: Asked, *where: ColumnElement[bool]
) -> Iterator[Fact]:
    """Every fact one by one, in no order."""
    query = select(*source.raw).select_from(source.from_).where(*conditions(source, asked), *where)
    for row in each(connection, query, bound_by(connection, source, asked)):
        for fact in source.valued(world, row):
            yield settled(world, fact)


def flag(condition: ColumnElement[bool]) -> Any:
    return case((condition, 1), else_=0)


def _if(condition: ColumnElement[bool], value: Any) -> Any:
    return case((condition, value), else_=literal_column("0", BigInteger))


def both(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """True or false, never null."""
    return func.coalesce(and_(*conditions), literal_column("false"))


def settled(world: World, fact: Fact) -> Fact:
    """The fact in the company's currency at the rate of its day, rounded once and before it is shared by anybody; or
    without an amount, and then `code` and `about` say why."""
    if fact.amount is None or fact.currency == world.currency:
        return fact
    found = world.exchange.value(fact.amount, fact.currency, world.currency, fact.rated_at)
    if isinstance(found, Missing):
        about = {"from_currency": found.from_currency, "to_currency": found.to_currency, "on": found.on}
        return fact._replace(amount=None, currency=world.currency, code="rate_missing", about=about)
    return fact._replace(amount=found[0], currency=world.currency)


def parted(fact: Fact, weights: Mapping[str, int]) -> Iterator[Fact]:
    """A settled fact shared out among people by their shares, so that the parts sum to it; by nobody's shares, and
    where it is not computable, it stays as it is."""
    if fact.amount is None or len(weights) < 2 or not any(weights.values()):
        yield fact
        return
    for user, part in zip(weights, allocate(fact.amount, list(weights.values())), strict=True):
        yield fact._replace(user=user, amount=part)
