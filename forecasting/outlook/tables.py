"""Ranges and the honesty page as tables: the rows and figures of the JSON under its names, as `forecasting/tables.py`
has them of the roll-up. Which run they are of is said beside them. Asks no database.
"""

from collections.abc import Iterable

from forecasting.outlook.telling import NodeTold, OutlookTold, RunTold, ScoresTold
from forecasting.outlook.values import BLEND, VIEWS, Outlook
from forecasting.tables import said_of
from sfa.web.sheets import MONEY, NUMBER, Cell, Column, Table

PARTS = ("won", "open", "new", "adjusted")
RANGE = ("mean", "p10", "p50", "p90", "quota")


def outlook_table(told: OutlookTold) -> Table:
    """One row for each node and period; `code` says why a range is empty, and why a view says nothing."""
    views = _views(told.items)
    columns = [*map(Column, ("node", "name")), Column("depth", NUMBER), Column("period_key")]
    columns += [Column(name, MONEY) for name in (*PARTS, *RANGE)]
    columns += [Column("reach_bp", NUMBER), Column("code")]
    for view in views:
        columns += [Column(view, MONEY), Column(f"{view}_weight_bp", NUMBER), Column(f"{view}_code")]
    rows = [
        (node.node, node.name, node.depth, *_period(period, views)) for node in told.items for period in node.periods
    ]
    about = [("what", "Outlook"), *_run(told.run), ("hidden nodes", str(told.hidden))]
    about += [("without a rate", str(told.unrated))]
    return Table("forecast-outlook", told.currency, told.run.as_of, about, columns, rows)


def _views(items: Iterable[NodeTold]) -> list[str]:
    """Those that weigh in a blend, and others that a run may know."""
    said = {view.view for node in items for period in node.periods for view in period.views}
    known = [view for view in VIEWS if view != BLEND]
    return [*known, *sorted(said.difference(known))]


def _period(period: Outlook, views: Iterable[str]) -> tuple[Cell, ...]:
    cells: list[Cell] = [period.period_key, period.won_minor, period.open_minor, period.new_minor]
    cells.append(period.adjusted_minor)
    of = period.range
    if of is None:
        cells += [None] * (len(RANGE) + 1)
    else:
        cells += [of.mean_minor, of.p10_minor, of.p50_minor, of.p90_minor, of.quota_minor, of.reach_bp]
    cells.append(period.code)
    by_view = {seen.view: seen for seen in period.views}
    for view in views:
        seen = by_view.get(view)
        cells += [None] * 3 if seen is None else [seen.mean_minor, seen.weight_bp, seen.code]
    return tuple(cells)


def honesty_table(told: ScoresTold) -> Table:
    """One row for each view and distance from the end of a period."""
    columns = [*map(Column, ("node", "view")), *(Column(name, NUMBER) for name in ("days", "periods"))]
    columns += [Column("wape_bp", NUMBER), Column("bias_bp", NUMBER), Column("pinball", MONEY)]
    columns += [Column("held_bp", NUMBER), Column("few")]
    rows: list[tuple[Cell, ...]] = [
        (
            *(score.node, score.view, score.days, score.periods, score.wape_bp, score.bias_bp),
            *(score.pinball_minor, score.held_bp, said_of(score.few)),
        )
        for score in told.items
    ]
    about = [("what", "How right each view was"), ("node", told.node), *_run(told.run)]
    return Table("forecast-honesty", told.currency, told.run.as_of, about, columns, rows)


def _run(run: RunTold) -> list[tuple[str, str]]:
    """By which an old figure can be made again."""
    digests = (("asked", run.digest), ("answered", run.found_digest))
    said = [("run", str(run.number)), ("engine", run.engine or "none")]
    said += [(name, digest) for name, digest in digests if digest is not None]
    return [*said, ("code", run.code)] if run.code is not None else said
