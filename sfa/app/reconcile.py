"""The report that proves that all money is the same money (R55): deals, credits, commission and profit, and what was
closed.

`report` looks through everything in one snapshot and writes nothing; `keep` stores what it found, the first
`DIFFERENCES_MAX` differences by their order, and forgets reports but the last `REPORTS_KEPT`. A difference is never put
right here: it says that something was written past the door, or that a rule is wrong, and a person looks.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, delete, func, insert, select

from sfa.app import reconcile_checks as checks
from sfa.app.reconcile_answers import accepted_money, answers_once, timelines_intact
from sfa.app.reconcile_checks import Difference, Found, Look
from sfa.app.reconcile_deals import pnl_of_deals
from sfa.app.reconcile_proposals import proposal_numbers, proposals_as_sent
from sfa.core.access import CLOSES_PERIODS, SEES_COST
from sfa.core.errors import Refused
from sfa.crm.online import person
from sfa.db import feed
from sfa.db.tables import differences, reconciliations

DIFFERENCES_MAX = 1_000
REPORTS_KEPT = 30
PAGE_DEFAULT, PAGE_MAX = 100, 500
_R, _D = reconciliations.c, differences.c
Check = Callable[[Connection, Look], Found]
CHECKS: Mapping[str, Check] = {
    check.__name__: check
    for check in (
        checks.credits_rebuilt,
        checks.credits_of_deals,
        checks.reversals_of_credits,
        checks.commission_due,
        checks.commission_reversed,
        checks.profit_of_deals,
        pnl_of_deals,
        checks.profit_by,
        checks.closed_sums,
        checks.closed_unchanged,
        proposals_as_sent,
        proposal_numbers,
        answers_once,
        timelines_intact,
        accepted_money,
    )
}
# What these tell may hold, or lead to, a cost (R45).
OF_COST = frozenset(
    {
        *("credits_rebuilt", "commission_due", "commission_reversed"),
        *("profit_of_deals", "pnl_of_deals", "profit_by", "closed_sums"),
    }
)


class Checked(Struct, frozen=True):
    """How much a check looked at, and how many differences it found."""

    rule: str
    looked: int
    found: int


class Report(Struct, frozen=True):
    """`seq` is the number of the last change that it saw; `found` counts all differences, `items` are the first."""

    made_at: int
    seq: int
    checked: list[Checked]
    found: int
    items: list[Difference]
    digests: dict[str, str]
    deals_after: str


class DifferenceTold(Struct, frozen=True):
    """`hidden`: the amounts are for who sees cost."""

    position: int
    rule: str
    entity: str
    row_key: str
    expected: str | None
    found: str | None
    detail: dict[str, Any]
    hidden: bool


class ReportTold(Struct, frozen=True):
    """The last report, or (`number` null) none yet. `partial`: amounts were left out, for want of the right to them."""

    number: int | None
    made_at: int | None
    seq: int | None
    checked: list[Checked]
    found: int
    kept: int
    items: list[DifferenceTold]
    partial: bool
    next: int | None


def report(connection: Connection, now_ms: int, *, every: bool = False) -> Report:
    """Read it in one snapshot: a check compares what the one before has read. `every`: the P&L of each deal, and not
    only of those that changed or whose turn it is."""
    look = _look(connection, now_ms, every=every)
    checked: list[Checked] = []
    items: list[Difference] = []
    for rule, check in CHECKS.items():
        looked = found = 0
        for each in check(connection, look):
            if isinstance(each, int):
                looked += each
                continue
            found += 1
            if len(items) < DIFFERENCES_MAX:
                items.append(each)
        checked.append(Checked(rule, looked, found))
    total = sum(each.found for each in checked)
    return Report(now_ms, feed.face(connection).seq, checked, total, items, look.digests, look.deals_after)


def keep(connection: Connection, found: Report) -> int:
    """-> the report's number."""
    number = int(connection.execute(select(func.coalesce(func.max(_R.number), 0))).scalar() or 0) + 1
    checked: dict[str, Any] = {"rules": [[c.rule, c.looked, c.found] for c in found.checked], "digests": found.digests}
    checked["deals_after"] = found.deals_after
    said = {"number": number, "made_at": found.made_at, "seq": found.seq, "found": found.found, "checked": checked}
    connection.execute(insert(reconciliations), said)
    rows = [_row(number, place, each) for place, each in enumerate(found.items, 1)]
    if rows:
        connection.execute(insert(differences), rows)
    for column, table in ((_D.number, differences), (_R.number, reconciliations)):
        connection.execute(delete(table).where(column <= number - REPORTS_KEPT))
    return number


def run(connection: Connection, now_ms: int) -> str:
    """Both in one transaction, for a database that nobody else writes to; a server reads first (`sfa.app.jobs`)."""
    return outcome(connection, report(connection, now_ms))


def outcome(connection: Connection, found: Report) -> str:
    number = keep(connection, found)
    return f"report {number}: {found.found} differences"


def _row(number: int, position: int, each: Difference) -> dict[str, Any]:
    said = {name: getattr(each, name) for name in Difference.__struct_fields__}
    return {"number": number, "position": position, **said}


def _look(connection: Connection, now_ms: int, *, every: bool) -> Look:
    """With what the last report noted."""
    last = connection.execute(select(reconciliations).order_by(_R.number.desc()).limit(1)).mappings().first()
    if last is None:
        return Look(now_ms, {}, every=every)
    noted = last["checked"]
    after = noted.get("deals_after", "")
    return Look(now_ms, noted.get("digests", {}), last["made_at"], last["seq"], after, every=every)


# -- told -------------------------------------------------------------------------------------------------------------


def told(connection: Connection, user_key: str, after: int, limit: int) -> ReportTold:
    """For finance, directors and administrators; amounts that may lead to a cost for who sees cost (R45)."""
    role = person(connection, user_key).role
    if role not in CLOSES_PERIODS:
        raise Refused("not_permitted", f"the role {role} does not see the reconciliation")
    if not 1 <= limit <= PAGE_MAX or not 0 <= after <= DIFFERENCES_MAX:
        raise Refused("request_invalid", f"`limit` is 1 to {PAGE_MAX}, `after` a `next`")
    last = connection.execute(select(reconciliations).order_by(_R.number.desc()).limit(1)).mappings().first()
    if last is None:
        return ReportTold(None, None, None, [], 0, 0, [], role not in SEES_COST, None)
    of = _D.number == last["number"]
    kept = connection.execute(select(func.count()).select_from(differences).where(of)).scalar() or 0
    query = select(differences).where(of, _D.position > after).order_by(_D.position).limit(limit + 1)
    rows = [dict(row) for row in connection.execute(query).mappings()]
    items = [_told(row, sees=role in SEES_COST) for row in rows[:limit]]
    return ReportTold(
        last["number"],
        last["made_at"],
        last["seq"],
        [Checked(*each) for each in last["checked"]["rules"]],
        last["found"],
        kept,
        items,
        role not in SEES_COST,
        rows[limit - 1]["position"] if len(rows) > limit else None,
    )


def _told(row: Mapping[str, Any], *, sees: bool) -> DifferenceTold:
    said = {name: row[name] for name in ("position", "rule", "entity", "row_key")}
    if not sees and row["rule"] in OF_COST:
        return DifferenceTold(**said, expected=None, found=None, detail={}, hidden=True)
    return DifferenceTold(**said, expected=row["expected"], found=row["found"], detail=row["detail"], hidden=False)


def lines(items: Iterable[Difference]) -> Iterable[str]:
    """A line of words for each."""
    for each in items:
        yield f"{each.rule}: {each.entity} {each.row_key}: expected {each.expected}, found {each.found}"
