"""What was lost (R42): of each lost deal the pocket margin that it promised and the effort that was sunk into it.

Beside revenue, cost and profit and in none of them: by the reason of the loss, in the period of the loss, for the
deal's customer and its owner. The promise is that of the last quote before the loss, at the costs frozen with it (R39);
without a quote that of the deal's lines at the costs of the day of the loss: amount less payment terms less goods. The
effort is what visits, ways, work, samples and expenses until the loss cost, where they name the deal, and its part of
those that name only the customer (`sfa.profit.effort`). A deal that is opened again takes its loss back, at that day.
What is not computable is not zero: it is named.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection, Text, and_, cast, or_, select

from sfa.core.credits import End, day_of, ends_of
from sfa.core.days import plus_days, start_of_ms
from sfa.core.money import Rounding, rounded
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, deal_quote_lines, deal_quotes
from sfa.profit.company.booked import expenses, work
from sfa.profit.company.fact_sums import Asked, Fact, rows
from sfa.profit.company.serving import corrected_visits, travel_source, visits_source
from sfa.profit.company.surroundings import World
from sfa.profit.effort import OpenDays, open_days, open_on, part_of
from sfa.profit.items import terms_cost

_DEALS, _LINES, _ACCOUNTS, _STAGES = ROWS["deals"], ROWS["deal_lines"], ROWS["accounts"], ROWS["stages"]
_D = _DEALS.c
_OF = ("key", "account_key", "owner_key", "amount_minor", "currency", "closed_at", "stage_key", "closings", "splits")
FIRST_DAY = "0001-01-01"
_MORE = ("overlays", "signed_at", "invoiced_at", "payment_days", "opened_on", "created_at", "lost_reason_key")


class Lost(Struct, frozen=True):
    """One loss, or (negative) one taken back. Money of the company's currency; null with `missing` where it is not
    computable."""

    deal_key: str
    account_key: str | None
    owner_key: str
    territory_key: str | None
    reason_key: str | None
    at: int
    margin_minor: int | None
    effort_minor: int | None
    missing: list[dict[str, Any]]

    @property
    def lost_minor(self) -> int | None:
        if self.margin_minor is None or self.effort_minor is None:
            return None
        return self.margin_minor + self.effort_minor


class _Loss(Struct, frozen=True):
    deal: Mapping[str, Any]
    end: End
    reason: str | None
    territory: str | None


def losses(connection: Connection, world: World, asked: Asked) -> list[Lost]:
    """Every loss of the days that are asked about, in the order of time; within the scope that is asked in."""
    found = list(_losses(connection, asked))
    if not found:
        return []
    promised = _promised(connection, world, found)
    sunk = _sunk(connection, world, asked, found)
    told: list[Lost] = []
    for number, loss in enumerate(found):
        margin, effort = promised[number], sunk[number]
        missing = [about for part in (margin, effort) if not isinstance(part, int) for about in part]
        of = (loss.deal["account_key"], loss.end.owner_key, loss.territory, loss.reason)
        sums = (margin if isinstance(margin, int) else None), (effort if isinstance(effort, int) else None)
        lost = Lost(loss.deal["key"], *of, loss.end.closed_at, *sums, missing)
        again = loss.end.reopened_at
        told += [lost] if asked.start <= lost.at < asked.last else []
        if again is not None and asked.start <= again < asked.last:
            back = [None if part is None else -part for part in sums]
            told.append(structs.replace(lost, at=again, margin_minor=back[0], effort_minor=back[1]))
    return sorted(told, key=lambda lost: (lost.at, lost.deal_key))


def _losses(connection: Connection, asked: Asked) -> Iterator[_Loss]:
    lost = set(connection.execute(select(_STAGES.c.key).where(_STAGES.c.kind == "lost")).scalars())
    query = select(*(_D[f] for f in (*_OF, *_MORE)), _ACCOUNTS.c.territory_key).select_from(_DEALS)
    query = query.outerjoin(_ACCOUNTS, _ACCOUNTS.c.key == _D.account_key).where(~_D.gone)
    standing = [_D.closed_at >= asked.start, _D.closed_at < asked.last, among(_D.stage_key, "lost")]
    query = query.where(or_(and_(*standing), cast(_D.closings, Text) != "[]"))
    bound: dict[str, Any] = {"lost": listed(connection, sorted(lost))}
    if asked.accounts is not None:
        query = query.where(among(_D.account_key, "of_accounts"))
        bound["of_accounts"] = listed(connection, asked.accounts)
    for row in connection.execute(query.order_by(_D.key), bound).mappings():
        if not asked.scope.sees(row["account_key"], row["owner_key"]):
            continue
        reasons = [*(c.get("lost_reason_key") for c in row["closings"] or ()), row["lost_reason_key"]]
        for end in ends_of(dict(row)):
            inside = [
                at for at in (end.closed_at, end.reopened_at) if at is not None and asked.start <= at < asked.last
            ]
            if end.stage_key in lost and inside:
                yield _Loss(dict(row), end, reasons[end.n - 1], row["territory_key"])


# -- what it promised -------------------------------------------------------------------------------------------------

_Part = int | list[dict[str, Any]]


def _promised(connection: Connection, world: World, found: Sequence[_Loss]) -> list[_Part]:
    keys = {"keys": listed(connection, sorted({loss.deal["key"] for loss in found}))}
    q, of = deal_quotes.c, deal_quote_lines.c
    quotes: dict[str, list[Any]] = defaultdict(list)
    heads = select(q.deal_key, q.number, q.quoted_at, q.amount_minor, q.currency, q.payment_days)
    for row in connection.execute(heads.where(among(q.deal_key, "keys")).order_by(q.deal_key, q.number), keys):
        quotes[row.deal_key].append(row)
    quoted: dict[tuple[str, int], list[Any]] = defaultdict(list)
    columns = (of.deal_key, of.number, of.product_key, of.quantity, of.cost_minor, of.cost_currency)
    for row in connection.execute(select(*columns).where(among(of.deal_key, "keys")), keys):
        quoted[row[0], row[1]].append(tuple(row[2:]))
    lines: dict[str, list[Any]] = defaultdict(list)
    query = select(_LINES.c.deal_key, _LINES.c.product_key, _LINES.c.quantity)
    for deal, product, quantity in connection.execute(
        query.where(among(_LINES.c.deal_key, "keys"), ~_LINES.c.gone), keys
    ):
        lines[deal].append((product, quantity))
    told: list[_Part] = []
    for loss in found:
        key, at = loss.deal["key"], loss.end.closed_at
        offers = [quote for quote in quotes.get(key, ()) if quote.quoted_at <= at]
        if offers:
            last = offers[-1]
            offered = (last.amount_minor, last.currency, last.payment_days)
            told.append(_margin(world, key, at, offered, quoted.get((key, last.number), ())))
        else:
            offered = (loss.end.amount_minor, loss.end.currency, loss.deal["payment_days"])
            costed = [(p, size, *_unit(world, p, day_of(at, world.zone))) for p, size in lines.get(key, ())]
            told.append(_margin(world, key, at, offered, costed))
    return told


def _unit(world: World, product: str, day: str) -> tuple[int | None, str | None]:
    cost = world.costs.unit_on(product, day)
    return (None, None) if cost is None else (cost.amount_minor, cost.currency)


def _margin(
    world: World, deal: str, at: int, offered: tuple[int | None, str | None, int | None], lines: Sequence[Any]
) -> _Part:
    """Amount less terms less goods, each converted at the rate of the day of the loss."""
    amount, currency, days = offered
    if amount is None or currency is None:
        return [{"code": "amount_missing", "deal_key": deal}]
    if not lines:
        return [{"code": "cost_missing", "of": "goods", "deal_key": deal}]
    parts: list[tuple[int, str]] = [(amount, currency)]
    missing: list[dict[str, Any]] = []
    day = day_of(at, world.zone)
    if days:
        rate = world.costs.rate_on("capital", None, day)
        if rate is None:
            missing.append({"code": "cost_missing", "of": "capital", "on": day})
        else:
            parts.append((-terms_cost(amount, days, rate.value), currency))
    for product, quantity, cost, of in lines:
        if cost is None or of is None:
            missing.append({"code": "cost_missing", "of": "goods", "product_key": product, "on": day})
        else:
            parts.append((-rounded(Fraction(quantity) * cost, Rounding.HALF_UP), of))
    total = 0
    for part, of in parts:
        value = world.exchange.value(part, of, world.currency, at)
        if isinstance(value, tuple):
            total += value[0]
        else:
            missing.append({"code": "rate_missing", "from_currency": value.from_currency, "on": value.on})
    return missing or total


# -- what was sunk into it --------------------------------------------------------------------------------------------


def _sunk(connection: Connection, world: World, asked: Asked, found: Sequence[_Loss]) -> list[_Part]:
    accounts = sorted({loss.deal["account_key"] for loss in found if loss.deal["account_key"]})
    spans = _spans(connection, world, accounts)
    last = max(loss.end.closed_at for loss in found) + 1
    wide = structs.replace(
        asked,
        by=(),
        cuts=(),
        accounts=tuple(accounts),
        start=0,
        end=last,
        until=None,
        from_on=FIRST_DAY,  # whatever span is asked about, a loss costs the same
        to_on=plus_days(day_of(last, world.zone), 1),
    )
    alone = sorted({loss.deal["key"] for loss in found if not loss.deal["account_key"]})
    by_deal: dict[str, list[int]] = defaultdict(list)
    by_account: dict[str, list[int]] = defaultdict(list)
    for number, loss in enumerate(found):
        by_deal[loss.deal["key"]].append(number)
        by_account[loss.deal["account_key"] or ""].append(number)
    first_days: dict[str, str] = {}
    for span in (span for of in spans.values() for span in of):
        first_days[span.deal_key] = min(span.from_on, first_days.get(span.deal_key, span.from_on))
    days = {day: start_of_ms(day, world.zone) for day in set(first_days.values())}
    opened = [days[first_days[key]] if (key := loss.deal["key"]) in first_days else 0 for loss in found]
    sums: list[int] = [0] * len(found)
    missing: list[list[dict[str, Any]]] = [[] for _ in found]
    near = _Near(by_account, spans, opened, found)
    for fact in _both(connection, world, wide, alone):
        for number, amount in _of_losses(world, fact, by_deal, near, found):
            if fact.amount is None:
                missing[number].append({"code": fact.code, **fact.about})
            else:
                sums[number] += amount
    return [missing[number] or sums[number] for number in range(len(found))]


def _both(connection: Connection, world: World, wide: Asked, alone: Sequence[str]) -> Iterator[Fact]:
    """The effort of customers, and that of deals that have none; what names one of those is told once."""
    for fact in _effort(connection, world, wide):
        if fact.deal not in alone:
            yield fact
    if alone:
        yield from _effort(connection, world, structs.replace(wide, accounts=None, deals=tuple(alone)))


def _effort(connection: Connection, world: World, asked: Asked) -> Iterator[Fact]:
    for make in (visits_source, travel_source):
        yield from rows(connection, world, make(connection, world, asked), asked)
    for read in (corrected_visits, work, expenses):
        yield from read(connection, world, asked)


class _Near:
    """Which losses share what was spent on a customer on a day: (number of the loss, its deal's place, how many deals
    were open); found once for each customer and day."""

    def __init__(
        self,
        by_account: Mapping[str, Sequence[int]],
        spans: Mapping[str, Sequence[OpenDays]],
        opened: Sequence[int],
        found: Sequence[_Loss],
    ) -> None:
        self._by_account, self._spans, self._opened, self._found = by_account, spans, opened, found
        self._known: dict[tuple[str, str], list[tuple[int, int, int]]] = {}

    def on(self, account: str, day: str) -> list[tuple[int, int, int]]:
        known = self._known.get((account, day))
        if known is None:
            deals = {key: place for place, key in enumerate(open_on(self._spans.get(account, ()), day))}
            keys = ((n, self._found[n].deal["key"]) for n in self._by_account.get(account, ()))
            known = self._known[account, day] = [(n, deals[key], len(deals)) for n, key in keys if key in deals]
        return known

    def counts(self, number: int, at: int) -> bool:
        return self._opened[number] <= at <= self._found[number].end.closed_at


def _of_losses(
    world: World, fact: Fact, by_deal: Mapping[str, Sequence[int]], near: _Near, found: Sequence[_Loss]
) -> Iterator[tuple[int, int]]:
    """(number of the loss, what of the fact was sunk into it)."""
    cost = -(fact.amount or 0)
    if fact.deal is not None:
        for number in by_deal.get(fact.deal, ()):
            if fact.at <= found[number].end.closed_at:
                yield number, cost
    elif fact.account is not None:
        for number, place, count in near.on(fact.account, day_of(fact.at, world.zone)):
            if near.counts(number, fact.at):
                yield number, part_of(cost, place, count)


def _spans(connection: Connection, world: World, accounts: Sequence[str]) -> dict[str, list[OpenDays]]:
    query = select(_D.key, _D.account_key, _D.opened_on, _D.created_at, _D.closed_at, _D.closings)
    query = query.where(among(_D.account_key, "keys"), ~_D.gone)
    found: dict[str, list[OpenDays]] = defaultdict(list)
    for row in connection.execute(query, {"keys": listed(connection, accounts)}).mappings():
        found[row["account_key"]] += open_days(row["key"], dict(row), world.zone)
    return found
