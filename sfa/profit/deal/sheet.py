"""The P&L of one deal as a CSV file: the figures of the JSON answer, one line for each fact and each total (R38, R45).

Amounts are decimal texts with their currency beside them. What a spreadsheet would take for a formula begins with an
apostrophe: texts come from people. An amount of a currency that ISO 4217 does not know has no decimal text: it is empty
and its code says `currency_unknown`. What the caller may not see is not in the answer, so it is not here.
"""

import csv
import io
from collections.abc import Iterator

import msgspec

from sfa.core.formulas import safe
from sfa.core.money import MINOR_DIGITS, format_minor
from sfa.profit.deal.pnl import Fact, Pnl, SideTold

COLUMNS = (
    *("side", "what", "step", "kind", "amount", "currency", "rate", "own_amount", "own_currency", "code", "on"),
    *("entity", "row_key", "user_key", "product_key", "basis"),
)


def as_csv(told: Pnl) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for side in ("quoted", "actual"):
        found: SideTold | None = getattr(told, side)
        if found is not None:
            writer.writerows({"side": side, "currency": told.currency, **line} for line in _lines(found, told.currency))
    return out.getvalue()


def _lines(side: SideTold, currency: str) -> Iterator[dict[str, str]]:
    for step in side.steps:
        for item in step.items:
            yield {"what": "item", "step": step.step, **_item(item, currency)}
        yield {
            "what": "step",
            "step": step.step,
            "amount": _money(step.amount_minor, currency),
            "code": step.code or "",
        }
    for total in side.totals:
        amount = _money(total.amount_minor, currency)
        yield {"what": "total", "step": total.total, "amount": amount, "code": total.code or ""}


def _item(item: Fact, currency: str) -> dict[str, str]:
    return {
        "kind": item.kind,
        "amount": _money(item.value_minor, currency),
        "rate": item.rate or "",
        "own_amount": _money(item.amount_minor, item.currency),
        "own_currency": item.currency,
        "code": (item.code or "") if item.currency in MINOR_DIGITS else "currency_unknown",
        "on": item.on,
        "entity": item.entity,
        "row_key": safe(item.row_key),
        "user_key": safe(item.user_key or ""),
        "product_key": safe(item.product_key or ""),
        "basis": safe(msgspec.json.encode(item.basis).decode()),
    }


def _money(amount_minor: int | None, currency: str) -> str:
    return "" if amount_minor is None or currency not in MINOR_DIGITS else format_minor(amount_minor, currency)
