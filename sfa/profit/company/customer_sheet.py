"""Profit by a dimension, the whale curve, a customer's facts and a campaign's deals as CSV: the figures of the JSON.

Amounts are decimal texts, empty where not computable; the currency stands beside them. What a spreadsheet would take
for a formula begins with an apostrophe: names come from people.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from sfa.core.formulas import safe
from sfa.core.money import format_minor
from sfa.profit.company.campaigns import Roi
from sfa.profit.company.customer import CustomerProfit
from sfa.profit.company.report import Line, Report, WhaleTold
from sfa.profit.company.tallied import COUNTED, Earned

_ABOUT = ("key", "name", "currency", "revenue", "cost", "profit", "pocket", "margin", "contribution")
BY_COLUMNS = (*_ABOUT, *COUNTED, "lost_deals", "lost", "lost_margin", "lost_effort", "missing")
WHALE_COLUMNS = ("rank", "key", "name", "profit", "cumulative", "currency", "members_bp", "peak_bp")
CUSTOMER_COLUMNS = (
    *("kind", "step", "amount", "currency", "code", "on"),
    *("entity", "row_key", "deal_key", "user_key", "product_key", "basis"),
)
ROI_COLUMNS = ("campaign_key", "deal_key", "account_key", "touches", "weight", "brought", "currency")


def by_csv(told: Report) -> str:
    """The page's lines, and last the total of all pages, with `key` empty and `name` "total"."""
    lines = [_line(line, told.currency, line.name) for line in told.items]
    return _written(BY_COLUMNS, [*lines, _line(told.total, told.currency, "total")])


def _line(line: Line, currency: str, name: str | None) -> dict[str, str]:
    def money(amount: int | None) -> str:
        return _money(amount, currency)

    return {
        "key": safe(line.key or ""),
        "name": safe(name or ""),
        "currency": currency,
        "revenue": money(line.revenue_minor),
        "cost": money(line.cost_minor),
        "profit": money(line.profit_minor),
        "pocket": money(line.earned.pocket_minor),
        "margin": money(line.earned.margin_minor),
        "contribution": money(line.earned.contribution_minor),
        **{kind: money(amount) for kind, amount in line.earned.kinds.items()},
        "lost_deals": str(line.lost.count),
        "lost": money(line.lost.lost_minor),
        "lost_margin": money(line.lost.margin_minor),
        "lost_effort": money(line.lost.effort_minor),
        "missing": _missing(line.earned),
    }


def _missing(earned: Earned) -> str:
    return safe("; ".join(sorted({f"{m.kind}: {m.code}" for m in earned.missing})))


def whale_csv(told: WhaleTold) -> str:
    lines = [
        {
            "rank": str(point.rank),
            "key": safe(point.key or ""),
            "name": safe(told.names.get(point.key or "", "")),
            "profit": _money(point.profit_minor, told.currency),
            "cumulative": _money(point.cumulative_minor, told.currency),
            "currency": told.currency,
            "members_bp": str(point.members_bp),
            "peak_bp": "" if point.peak_bp is None else str(point.peak_bp),
        }
        for point in told.items
    ]
    return _written(WHALE_COLUMNS, lines)


def customer_csv(told: CustomerProfit) -> str:
    lines = [
        {
            **{
                name: safe(getattr(item, name) or "")
                for name in CUSTOMER_COLUMNS
                if name not in ("amount", "currency", "basis")
            },
            "amount": _money(item.amount_minor, told.currency),
            "currency": told.currency,
            "basis": safe(msgspec.json.encode(item.basis).decode()),
        }
        for item in told.items
    ]
    return _written(CUSTOMER_COLUMNS, lines)


def roi_csv(told: Roi) -> str:
    lines = [
        {
            "campaign_key": safe(told.key),
            "deal_key": safe(deal.deal_key),
            "account_key": safe(deal.account_key or ""),
            "touches": str(deal.touches),
            "weight": str(deal.weight),
            "brought": _money(deal.brought_minor, told.currency),
            "currency": told.currency,
        }
        for deal in told.items
    ]
    return _written(ROI_COLUMNS, lines)


def _written(columns: Sequence[str], lines: Iterable[Mapping[str, str]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def _money(amount_minor: int | None, currency: str) -> str:
    return "" if amount_minor is None else format_minor(amount_minor, currency)
