"""`quota.spread`: a quota of a year or a quarter becomes quotas of its quarters or months (R8).

Promises: each part has a key made of the quota and the period, so the same order again finds its parts and changes
nothing; parts are drafts with the owner, measure and filters of the whole, and `spread_of` names it. Nothing that was
approved is overwritten: a part that would change is refused, and so is all of it. Parts that an earlier order made
outside the window of this one are deleted.
"""

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from sqlalchemy import select

from sfa.core.days import check_day
from sfa.core.errors import Refused
from sfa.core.fields import Day
from sfa.core.ids import KEY_CHARACTERS_MAX
from sfa.core.rules import check_values
from sfa.crm import beside, edits
from sfa.crm.edits import Who
from sfa.db.cells import Cell
from sfa.db.tables import ROWS
from sfa.db.writes import Door, Origin
from sfa.quotas.spread import Method, Plan, Span, spread

PARTS_MAX = 64
PASSED_ON = (
    *("user_key", "team_key", "territory_key", "measure", "currency", "unit", "product_key", "account_tier"),
    *("visit_type", "counts_unverified", "counts_out_of_range", "counts_no_show", "counts_cancelled", "overlay"),
)
Steps = Annotated[list[int], Meta(max_length=PARTS_MAX)]
_PERIODS = ROWS["fiscal_periods"]


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments; what they mean says `spread.Plan`."""

    method: Literal["equal", "seasonal", "working_days"] = "equal"
    children: Literal["quarter", "month"] = "month"
    weights_bp: Steps = []
    ramp_bp: Steps = []
    from_on: Day | None = None
    to_on: Day | None = None


def spread_quota(door: Door, who: Who, cell: Cell, asked: Asked, origin: Origin) -> None:
    """Refuses `quota_approved` where an approved part would change, `quota_twice` where another quota is in the
    way, `quota_kept` where a part that was closed would go or become another quota."""
    for day in (asked.from_on, asked.to_on):
        if day is not None:
            check_day(day)
    spans = parts_of(door, cell.row["period_key"], asked.children)
    plan = Plan(Method(asked.method), asked.weights_bp, asked.ramp_bp, asked.from_on, asked.to_on)
    wanted = spread(cell.row["target"], spans, plan).parts
    keys = {span.key: part_key(cell.key, span.key) for span in spans}
    door.load("quotas", keys.values())
    cells = {period: door.cell("quotas", key) for period, key in keys.items()}
    _check_ours(cell, cells.values())
    passed = {field: cell.row[field] for field in PASSED_ON}
    rows = {
        period: {**passed, "period_key": period, "target": target, "spread_of": cell.key}
        for period, target in wanted.items()
    }
    _check_drafts(cells, rows)
    beside.standing(door).read(door.connection, rows.values())
    for period, part in cells.items():
        if period in rows:
            _write(door, who, part, rows[period], origin)
        elif part.exists:
            beside.check_free(door, part, None)
            door.delete(part, origin, "quota.spread")


def part_key(quota: str, period: str) -> str:
    """`<quota>-<period>`, or a digest of it where that is too long for a key."""
    key = f"{quota}-{period}"
    return key if len(key) <= KEY_CHARACTERS_MAX else sha256(key.encode()).hexdigest()[:40]


def parts_of(door: Door, period_key: str, kind: str) -> list[Span]:
    """The periods of a kind that make up a period, in the order of time; `period_unknown` where they do not fill it."""
    whole = door.cell("fiscal_periods", period_key, "share").row
    if not whole:
        raise Refused("reference_unknown", f"there is no period {period_key}", field="period_key", key=period_key)
    table = _PERIODS.c
    query = select(table.key, table.start_on, table.end_on).where(
        table.kind == kind,
        table.start_on >= whole["start_on"],
        table.end_on <= whole["end_on"],
        table.key != period_key,
        ~table.gone,
    )
    spans = [Span(*row) for row in door.connection.execute(query.order_by(table.start_on, table.key))]
    edges = [whole["start_on"], *(day for span in spans for day in (span.start_on, span.end_on)), whole["end_on"]]
    if not spans or any(end != start for end, start in list(pairwise(edges))[::2]):
        raise Refused("period_unknown", f"the {kind}s of {period_key} are not all there", period=period_key, kind=kind)
    return spans


def _check_ours(whole: Cell, parts: Any) -> None:
    for part in parts:
        if part.rev and part.row["spread_of"] != whole.key:
            raise Refused("key_taken", f"{part.key} is a quota of its own", key=part.key)


def _check_drafts(cells: dict[str, Cell], rows: dict[str, dict[str, Any]]) -> None:
    """Of what was approved nothing changes, and nothing goes."""
    kept: Sequence[str] = [
        cell.key
        for period, cell in cells.items()
        if cell.exists and cell.row["status"] == "approved" and not _says(cell, rows.get(period))
    ]
    if kept:
        raise Refused("quota_approved", f"{', '.join(kept[:5])} would change", keys=kept)


def _says(cell: Cell, row: dict[str, Any] | None) -> bool:
    return row is not None and all(cell.row[field] == value for field, value in row.items())


def _write(door: Door, who: Who, part: Cell, row: dict[str, Any], origin: Origin) -> None:
    if part.rev == 0:
        edits.create(door, who, "quotas", part.key, row, origin)
    elif part.gone or not _says(part, row):
        check_values("quotas", row)
        edits.update(door, who, part, row, origin, kind="quota.spread")
