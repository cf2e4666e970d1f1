"""Quotas and facts made of the rows that a device holds: pure, by the rules that the server uses (R10).

Rows are mappings of fields by key, as `sync.device` shows them, what waits in the queue included.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sfa.core.credits import Credit, Line, credits_of, ends_of, overlaid, quantities_of, shared_out
from sfa.core.days import start_of_ms
from sfa.core.entities import Rate
from sfa.quotas.conversion import Exchange
from sfa.quotas.measures import NOT_HELD, DealFact, QuantityFact, QuotaRow, VisitFact, person_met
from sfa.quotas.tallies import Version, in_force

Row = Mapping[str, Any]
Rows = Mapping[str, Row]


def quotas_of(quotas: Rows, periods: Rows, versions: Rows, day: str | None, zone: str) -> list[QuotaRow]:
    """The quotas whose period is held, with the target in force on a day."""
    dated: dict[str, list[Version]] = {}
    for row in versions.values():
        version = Version(row["number"], row["target"], row["currency"], row["valid_from"])
        dated.setdefault(row["quota_key"], []).append(version)
    found = []
    for key, row in quotas.items():
        period = periods.get(row["period_key"])
        if period is not None:
            known = {name: row[name] for name in QuotaRow.__struct_fields__ if name in row}
            start_on, end_on = period["start_on"], period["end_on"]
            bounds: dict[str, Any] = {"start_at": start_of_ms(start_on, zone), "end_at": start_of_ms(end_on, zone)}
            days: dict[str, Any] = {"period_name": period["name"], "start_on": start_on, "end_on": end_on}
            quota = QuotaRow(key=key, **known, **days, **bounds)
            found.append(in_force(quota, dated.get(key, ()) if quota.approvals else (), day))
    return found


def exchange_of(rates: Rows, zone: str) -> Exchange:
    names = ("base_currency", "quote_currency", "rate", "valid_from")
    return Exchange(((key, Rate(**{name: row[name] for name in names})) for key, row in rates.items()), zone)


def _credited(deals: Rows, stages: Rows, rules: Rows, zone: str) -> Iterator[tuple[str, Row, Credit]]:
    won = frozenset(key for key, stage in stages.items() if stage["kind"] == "won")
    for key, deal in deals.items():
        for credit in credits_of(deal, won, rules, zone):
            yield key, deal, credit


def _of_credit(key: str, deal: Row, c: Credit, accounts: Rows) -> dict[str, Any]:
    """What every fact says of the credit that it is part of."""
    same = {name: getattr(c, name) for name in ("user_key", "overlay", "reversal", "at", "event", "share_bp")}
    return {"row_key": key, "ordinal": c.n, "tier": _tier(accounts, deal["account_key"]), **same}


def deal_facts(deals: Rows, stages: Rows, rules: Rows, accounts: Rows, zone: str) -> list[DealFact]:
    """Credits of deals, without cost: that is not on devices."""
    found = [
        DealFact(
            **_of_credit(key, deal, c, accounts),
            rated_at=c.rated_at,
            amount_minor=c.amount_minor,
            currency=c.currency,
        )
        for key, deal, c in _credited(deals, stages, rules, zone)
    ]
    return sorted(found, key=lambda f: (f.at, f.row_key, f.ordinal, f.reversal, f.user_key))


def quantity_facts(
    deals: Rows, lines: Rows, products: Rows, stages: Rows, rules: Rows, accounts: Rows, zone: str
) -> list[QuantityFact]:
    """Quantities of the lines as they are now, also for ends that were reversed since."""
    of_deal: dict[str, list[Line]] = {}
    for line in lines.values():
        of_deal.setdefault(line["deal_key"], []).append(Line(line["product_key"], line["quantity"]))
    found = []
    for key, deal, c in _credited(deals, stages, rules, zone):
        parts = []
        end = next(end for end in ends_of(deal) if end.n == c.n)
        for product, micro in quantities_of(of_deal.get(key, ())).items():
            shares = overlaid(micro, end) if c.overlay else shared_out(micro, end)
            part = next(part for user, _, part in shares if user == c.user_key)
            unit = (products.get(product) or {}).get("unit", "piece")
            parts += [(product, unit, part)] if part is not None else []
        if parts:
            found.append(QuantityFact(**_of_credit(key, deal, c, accounts), parts=tuple(parts)))
    return sorted(found, key=lambda f: (f.at, f.row_key, f.ordinal, f.reversal, f.user_key))


def visit_facts(visits: Iterable[tuple[str, Row]], accounts: Rows) -> list[VisitFact]:
    """Visits as they count after their corrections."""
    found = []
    for key, visit in visits:
        planned = visit["planned_at"] if visit["planned_at"] is not None else visit["created_at"]
        at = planned if visit["status"] in NOT_HELD else visit["checked_in_at"]
        if at is not None:
            found.append(
                VisitFact(
                    row_key=key,
                    user_key=visit["owner_key"],
                    at=at,
                    tier=_tier(accounts, visit["account_key"]),
                    status=visit["status"],
                    verdict=visit["verdict"],
                    visit_type=visit["visit_type"],
                    person=person_met(visit["contact_key"], visit["account_key"]),
                )
            )
    return sorted(found, key=lambda f: (f.at, f.row_key))


def _tier(accounts: Rows, key: str | None) -> str | None:
    account = accounts.get(key) if key is not None else None
    return account["tier"] if account is not None else None
