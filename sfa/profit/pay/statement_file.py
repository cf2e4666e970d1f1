"""A statement of commission as a file: one line for each row of the ledger, and beside them what is owed and paid.

`period_key` and `number` of a line are its place in the ledger, so that files of several periods name a row alike and
no two rows by one name; `paid_in` is the statement's period.
"""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime

from sfa.core.credits import day_of
from sfa.core.formulas import safe
from sfa.core.money import format_minor
from sfa.profit.pay.statements import Line, OfPlan, Statement

COLUMNS = (
    *("user_key", "paid_in", "period_key", "plan_key", "number", "kind", "on", "written_at", "deal_key", "n"),
    *("basis", "rate_percent", "amount", "currency", "reason", "of_period", "of_number", "text"),
)


def as_csv(told: Statement) -> str:
    """RFC 4180, the statement's own columns; amounts are decimal texts of their currency, what is hidden is empty."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    period = safe(told.period_key)
    about = {"user_key": safe(told.user_key), "paid_in": period, "period_key": period}
    for plan in told.plans:
        for row in _rows(plan, told.zone):
            writer.writerow({**about, "plan_key": safe(plan.plan_key), "currency": plan.currency, **row})
    return out.getvalue()


def _rows(plan: OfPlan, zone: str) -> Iterator[dict[str, object]]:
    payout = plan.payout
    yield _sum("opening", payout.opening_minor, plan.currency)
    for line in plan.lines:
        yield _of_line(line, plan.currency, zone)
    for lack in plan.missing:
        about = {"deal_key": safe(lack.deal_key), "n": lack.n, "reason": lack.code, "text": safe(lack.detail)}
        yield {"kind": "missing", **about}
    yield _sum("draw", payout.draw_minor, plan.currency)
    yield _sum("paid", payout.paid_minor, plan.currency)
    yield _sum("closing", payout.closing_minor, plan.currency)


def _sum(kind: str, amount_minor: int, currency: str) -> dict[str, object]:
    return {"kind": kind, "amount": format_minor(amount_minor, currency)}


def _of_line(line: Line, currency: str, zone: str) -> dict[str, object]:
    basis = None if line.basis_minor is None else format_minor(line.basis_minor, currency)
    return {
        "period_key": safe(line.period_key),
        "number": line.number,
        "kind": line.kind,
        "on": day_of(line.at, zone),
        "written_at": datetime.fromtimestamp(line.written_at / 1000, UTC).isoformat(timespec="seconds"),
        "deal_key": safe(line.deal_key),
        "n": line.n,
        "basis": basis,
        "rate_percent": None if line.rate_bp is None else f"{line.rate_bp // 100}.{line.rate_bp % 100:02}",
        "amount": format_minor(line.amount_minor, currency),
        "reason": safe(line.reason),
        "of_period": safe(line.of_period),
        "of_number": line.of_number,
        "text": safe(line.text),
    }
