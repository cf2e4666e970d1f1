"""What profit is made of, written past the door's rights in a word or two, and a recount of it that knows no SQL sums.

`recount` reads every table row by row and values each fact by the words of the design, with fractions; it shares no
code with the product but the conversion of money and the calendar.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, insert, select

from sfa.core.currency import Rates, convert
from sfa.core.days import day_start_ms, local_day
from sfa.core.entities import Rate
from sfa.core.errors import Refused
from sfa.core.money import Rounding, allocate
from sfa.db.tables import ROWS, commission_entries, credited
from sfa.profit.company.by import DIMENSIONS, profits, span_of

ZONE = "Europe/Madrid"
HOUR = 3_600_000
Row = tuple[str, str, dict[str, Any]]


def at(day: str, hour: int = 12) -> int:
    return day_start_ms(day, ZONE) + hour * HOUR


def rate(key: str, kind: str, value: int, since: str = "2025-01-01", **more: Any) -> Row:
    said: dict[str, Any] = {"rate_bp": value} if kind == "capital" else {"amount_minor": value, "currency": "EUR"}
    return "cost_rates", key, {"kind": kind, "valid_from": since, **said, **more}


def visit(key: str, day: str, minutes: int = 60, **values: Any) -> Row:
    since = at(day, values.pop("hour", 12))
    said = {"account_key": "acme", "owner_key": "ana", "status": "completed", "checked_in_at": since}
    return "visits", key, {**said, "checked_out_at": since + minutes * 60_000, "verdict": "in_range", **values}


def leg(key: str, day: str, metres: int | None, **values: Any) -> Row:
    said = {"owner_key": "ana", "started_at": at(day, 9), "ended_at": at(day, 10), "source": "gps"}
    return "travel_legs", key, {**said, "distance_m": metres, **values}


def charge(key: str, deal: str, kind: str, amount: int, day: str, **values: Any) -> Row:
    said = {"deal_key": deal, "kind": kind, "amount_minor": amount, "currency": "EUR", "booked_on": day}
    return "deal_charges", key, {**said, **values}


def paid(connection: Connection, *rows: Mapping[str, Any]) -> None:
    """Rows of the ledger of commission: user, deal, instant, amount, currency."""
    for number, row in enumerate(rows, 1):
        said = {"plan_key": "plan", "period_key": "Q1", "number": number, "kind": "accrual", "currency": "EUR"}
        connection.execute(insert(commission_entries), {**said, "written_at": row["at"], **row})


class Counted(NamedTuple):
    kind: str
    amount: int | None
    at: int
    account: str | None
    user: str | None
    territory: str | None
    product: str | None


class Tables(Struct):
    rows: dict[str, dict[str, dict[str, Any]]]
    credits: list[dict[str, Any]]
    paid: list[dict[str, Any]]
    currency: str
    rates: Rates

    def live(self, entity: str) -> Iterator[dict[str, Any]]:
        return (row for row in self.rows[entity].values() if not row["gone"])

    def home(self, account: str | None) -> str | None:
        return self.rows["accounts"][account]["territory_key"] if account else None

    def money(self, amount: int | None, currency: str | None, when: int) -> int | None:
        if amount is None or currency is None:
            return None
        try:
            day = local_day(when, ZONE)
            return convert(amount, currency, self.currency, day, self.rates, Rounding.HALF_UP).amount_minor
        except Refused:
            return None

    def rate_on(self, kind: str, user: str, day: str) -> dict[str, Any] | None:
        held = [
            r
            for r in self.live("cost_rates")
            if r["kind"] == kind and r["user_key"] in (None, user) and r["valid_from"] <= day < (r["valid_to"] or "9")
        ]
        return max(held, key=lambda r: (r["user_key"] is not None, r["valid_from"], r["key"]), default=None)

    def unit_on(self, product: str, day: str) -> dict[str, Any] | None:
        held = [
            c
            for c in self.live("unit_costs")
            if c["product_key"] == product and c["valid_from"] <= day < (c["valid_to"] or "9")
        ]
        return max(held, key=lambda c: (c["valid_from"], c["key"]), default=None)


def read(connection: Connection) -> Tables:
    rows = {
        entity: {row["key"]: dict(row) for row in connection.execute(select(table)).mappings()}
        for entity, table in ROWS.items()
    }
    rates = [
        Rate(**{f: row[f] for f in ("base_currency", "quote_currency", "rate", "valid_from")})
        for row in rows["rates"].values()
        if not row["gone"]
    ]
    return Tables(
        rows,
        [dict(row) for row in connection.execute(select(credited)).mappings()],
        [dict(row) for row in connection.execute(select(commission_entries)).mappings()],
        rows["organisations"]["org"]["currency"],
        Rates(rates),
    )


def half(value: Fraction) -> int:
    size = int(abs(value) + Fraction(1, 2))
    return size if value >= 0 else -size


def recount(connection: Connection, start_on: str, end_on: str) -> list[Counted]:
    """Every fact of the local days, in the company's currency; None: not computable."""
    tables = read(connection)
    start, end = day_start_ms(start_on, ZONE), day_start_ms(end_on, ZONE)
    every = [*_credits(tables), *_terms(tables), *_charges(tables), *_field(tables), *_spent(tables), *_paid(tables)]
    return [fact for fact in every if start <= fact.at < end]


def _credits(tables: Tables) -> Iterator[Counted]:
    for c in tables.credits:
        if c["overlay"]:
            continue
        sign = -1 if c["reversal"] else 1
        day = local_day(c["rated_at"], ZONE)
        territory = c["territory_key"] or tables.home(c["account_key"])
        lines = sorted(
            (line for line in tables.live("deal_lines") if line["deal_key"] == c["deal_key"]),
            key=lambda line: (line["position"], line["key"]),
        )
        prices = [
            half(Fraction(ln["quantity"]) * ln["unit_price_minor"] * Fraction(10_000 - ln["discount_bp"], 10_000))
            for ln in lines
        ]
        costs = []
        for ln in lines:
            unit = tables.unit_on(ln["product_key"], day)
            costs.append(Fraction(ln["quantity"]) * unit["amount_minor"] if unit else Fraction(0))
        for kind, amount, currency, weights in (
            ("invoice", c["amount_minor"], c["currency"], prices),
            ("goods", None if c["cost_minor"] is None else -c["cost_minor"], c["cost_currency"], costs),
        ):
            where = (c["at"], c["account_key"], c["user_key"], territory)
            for product, part in _by_lines(tables.money(amount, currency, c["rated_at"]), lines, weights):
                yield Counted(kind, None if part is None else sign * part, *where, product)


def _terms(tables: Tables) -> Iterator[Counted]:
    """Of a whole end, shared by its shares in the order of people."""
    ends: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for c in sorted(tables.credits, key=lambda c: str(c["user_key"])):
        if not c["overlay"]:
            ends[c["deal_key"], c["n"], c["reversal"]].append(c)
    for (key, _, reversal), of in ends.items():
        deal, c, amounts = tables.rows["deals"][key], of[0], [c["amount_minor"] for c in of]
        if not deal["payment_days"] or any(amount is None for amount in amounts):
            continue
        capital = tables.rate_on("capital", "", local_day(c["rated_at"], ZONE))
        territory, terms = c["territory_key"] or tables.home(c["account_key"]), None
        if capital is not None:
            exact = Fraction(sum(amounts) * deal["payment_days"] * capital["rate_bp"], 10_000 * 365)
            terms = tables.money(half(exact) if reversal else -half(exact), c["currency"], c["rated_at"])
        parts = [None] * len(of) if terms is None else allocate(terms, [c["share_bp"] for c in of])
        for c, part in zip(of, parts, strict=True):
            yield Counted("terms", part, c["at"], c["account_key"], c["user_key"], territory, None)


def _by_lines(amount: int | None, lines: Any, weights: Any) -> Iterator[tuple[str | None, int | None]]:
    usable = amount is not None and lines and (len(lines) == 1 or (min(weights) >= 0 and any(weights)))
    if not usable:
        yield None, amount
        return
    assert amount is not None
    parts = [amount] if len(lines) == 1 else allocate(amount, weights)
    for line, part in zip(lines, parts, strict=True):
        yield line["product_key"], part


def _charges(tables: Tables) -> Iterator[Counted]:
    for c in tables.live("deal_charges"):
        deal = tables.rows["deals"][c["deal_key"]]
        of = sorted((x for x in tables.credits if x["deal_key"] == c["deal_key"]), key=lambda x: x["n"])
        when = at(c["booked_on"], 0)
        stood = ([x for x in of if local_day(x["rated_at"], ZONE) <= c["booked_on"]] or of[:1])[-1:]
        territory = (stood[0]["territory_key"] if stood else None) or tables.home(deal["account_key"])
        splits = deal["splits"] or [{"user_key": deal["owner_key"], "share_bp": 10_000}]
        amounts = [(c["kind"], -c["amount_minor"], c["currency"])]
        if c["kind"] == "goods_return" and c["product_key"] and c["quantity"]:
            day = local_day(stood[0]["rated_at"], ZONE) if stood else c["booked_on"]
            unit = tables.unit_on(c["product_key"], day)
            assert unit is not None
            back = half(Fraction(c["quantity"]) * unit["amount_minor"])
            amounts.append(("returned_goods", back, unit["currency"]))
        for kind, amount, currency in amounts:
            value = tables.money(amount, currency, when)
            parts = [None] * len(splits) if value is None else allocate(value, [s["share_bp"] for s in splits])
            for split, part in zip(splits, parts, strict=True):
                where = (when, deal["account_key"], split["user_key"], territory, c["product_key"])
                yield Counted(kind, part, *where)


def _field(tables: Tables) -> Iterator[Counted]:
    for v in tables.live("visits"):
        said = sorted(
            (a for a in tables.live("visit_amendments") if a["visit_key"] == v["key"]), key=lambda a: a["ordinal"]
        )
        v = v | {a["field"]: a["new"] for a in said}
        if v["status"] == "completed" and v["checked_out_at"] and v["checked_out_at"] > v["checked_in_at"]:
            hours = Fraction(v["checked_out_at"] - v["checked_in_at"], HOUR)
            yield _effort(tables, "visits", "visit_hour", hours, v, v["checked_in_at"], v["account_key"])
    for ln in tables.live("travel_legs"):
        if ln["distance_m"]:
            visited = tables.rows["visits"][ln["visit_key"]] if ln["visit_key"] else None
            if visited and visited["gone"]:
                continue
            account = visited["account_key"] if visited else None
            km = Fraction(ln["distance_m"], 1000)
            yield _effort(tables, "travel", "kilometre", km, ln, ln["started_at"], account)
    for w in tables.live("work_entries"):
        account = w["account_key"] or (tables.rows["deals"][w["deal_key"]]["account_key"] if w["deal_key"] else None)
        yield _effort(tables, "work", "work_hour", Fraction(w["minutes"], 60), w, at(w["done_on"], 0), account)


def _effort(
    tables: Tables, kind: str, of: str, size: Fraction, row: dict[str, Any], when: int, account: str | None
) -> Counted:
    found = tables.rate_on(of, row["owner_key"], local_day(when, ZONE))
    value = tables.money(-half(size * found["amount_minor"]), found["currency"], when) if found else None
    return Counted(kind, value, when, account, row["owner_key"], tables.home(account), None)


def _spent(tables: Tables) -> Iterator[Counted]:
    for e in tables.live("expenses"):
        visit_ = tables.rows["visits"].get(e["visit_key"] or "", {})
        deal = tables.rows["deals"].get(e["deal_key"] or visit_.get("deal_key") or "", {})
        account = e["account_key"] or visit_.get("account_key") or deal.get("account_key")
        amount, currency = e["amount_minor"], e["currency"]
        if amount is None:
            unit = tables.unit_on(e["product_key"], e["spent_on"])
            assert unit is not None
            amount, currency = half(Fraction(e["quantity"] or "1") * unit["amount_minor"]), unit["currency"]
        when = at(e["spent_on"], 0)
        is_sample = e["kind"] == "sample"
        kind = "samples" if is_sample else "expenses"
        where = (when, account, e["owner_key"], tables.home(account), e["product_key"])
        yield Counted(kind, tables.money(-amount, currency, when), *where)


def _paid(tables: Tables) -> Iterator[Counted]:
    for e in tables.paid:
        account = tables.rows["deals"][e["deal_key"]]["account_key"] if e["deal_key"] else None
        of = sorted((x for x in tables.credits if x["deal_key"] == e["deal_key"]), key=lambda x: x["n"])
        territory = (of[-1]["territory_key"] if of else None) or tables.home(account)
        value = tables.money(-e["amount_minor"], e["currency"], e["at"])
        yield Counted("commission", value, e["at"], account, e["user_key"], territory, None)


def grouped(facts: list[Counted], field: str | None) -> dict[Any, dict[str, int | None]]:
    """key -> kind -> sum; None where one of them is not computable."""
    found: dict[Any, dict[str, int | None]] = defaultdict(dict)
    for fact in facts:
        key = getattr(fact, field) if field else None
        sums = found[key]
        before = sums.get(fact.kind, 0)
        sums[fact.kind] = None if before is None or fact.amount is None else before + fact.amount
    return dict(found)


FIELDS = {"customer": "account", "product": "product", "rep": "user", "territory": "territory", "total": None}


def check_recounted(connection: Connection, start_on: str = "2026-01-01", end_on: str = "2027-01-01") -> None:
    """Every dimension says what a recount says, and all of them sum to the same (R37)."""
    facts, span = recount(connection, start_on, end_on), span_of(start_on, end_on)
    total = _without_nothing(grouped(facts, None).get(None, {}))
    for dimension in (*DIMENSIONS, "total"):
        told = profits(connection, dimension, span)
        assert _without_nothing(told.total.earned().kinds) == total, dimension
        if dimension in FIELDS:
            expected = {key: _without_nothing(of) for key, of in grouped(facts, FIELDS[dimension]).items()}
            said = {key: _without_nothing(tally.earned().kinds) for key, tally in told.by_key.items()}
            assert {k: v for k, v in said.items() if v} == {k: v for k, v in expected.items() if v}, dimension


def _without_nothing(kinds: Mapping[str, int | None]) -> dict[str, int | None]:
    return {kind: value for kind, value in kinds.items() if value != 0}
