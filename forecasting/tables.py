"""Answers as tables: the rows and figures of the JSON under the names that it gives them, one row for each item.

Amounts stay integers of minor units; `forecasting/sheets.py` writes them. Lists and words of one item are one cell,
parted by "; ". Pure; knows no database.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from forecasting.answers import DealPage, Node, PeriodTold, Rollup
from forecasting.sheets import MONEY, NUMBER, Cell, Column, Table
from sfa.core.forecast import BUCKETS, VIEWS

AMOUNTS = ("own", "rolled_up", "own_adjusted", "manager_adjusted")


class Bar(Protocol):
    """A bar of a movement."""

    @property
    def name(self) -> str: ...
    @property
    def deals(self) -> int: ...
    @property
    def amounts(self) -> Mapping[str, int]: ...
    @property
    def total_minor(self) -> int: ...


def rollup_table(told: Rollup) -> Table:
    """One row for each node at each of its places; `code` says why adjusted amounts are empty."""
    columns = [*map(Column, ("node", "kind", "name", "parent")), Column("depth", NUMBER), Column("here")]
    for bucket in BUCKETS:
        columns += [Column(bucket, MONEY), Column(f"{bucket}_weighted", MONEY), Column(f"{bucket}_deals", NUMBER)]
    for view in VIEWS:
        columns += [Column(f"{view}_{amount}", MONEY) for amount in AMOUNTS]
        columns += [Column(f"{view}_code"), Column(f"{view}_overrides")]
    columns += [Column(f"overlay_{bucket}", MONEY) for bucket in BUCKETS]
    columns += [*map(Column, ("partial", "why", "missing"))]
    about = [
        *_about("Roll-up", told.period, told.node, told.as_of_snapshot),
        ("by", told.by),
        ("missing", str(told.missing_count)),
        *_partial(told.partial, told.why),
    ]
    rows = [_node(node) for node in told.nodes]
    return Table("forecast-rollup", told.currency, told.as_of, about, columns, rows)


def _node(node: Node) -> tuple[Cell, ...]:
    cells: list[Cell] = [node.node, node.kind, node.name, node.parent, node.depth, _said(node.here)]
    for bucket in BUCKETS:
        money = node.buckets.get(bucket)
        cells += [money.amount_minor, money.weighted_minor, money.deals] if money is not None else [0, 0, 0]
    for view in VIEWS:
        amounts = node.views.get(view)
        if amounts is None:
            cells += [None] * (len(AMOUNTS) + 2)
            continue
        overrides = (f"{one.level}: stale" if one.stale else one.level for one in amounts.overrides)
        cells += [amounts.own, amounts.rolled_up, amounts.own_adjusted, amounts.manager_adjusted]
        cells += [amounts.code, _joined(overrides)]
    for bucket in BUCKETS:
        money = node.overlay.get(bucket)
        cells.append(money.amount_minor if money is not None else 0)
    missing = (f"{code}: {count}" for code, count in sorted(node.missing.items()))
    return (*cells, _said(node.partial), _joined(node.why), _joined(missing))


def deals_table(told: DealPage) -> Table:
    """One row for each part, and last what of the page the caller may not see."""
    texts = ("deal_key", "name", "account_key", "user_key", "bucket", "overlay")
    columns = [*map(Column, texts), Column("amount", MONEY), Column("weighted", MONEY), Column("code")]
    rows: list[tuple[Cell, ...]] = [
        (
            *(item.deal_key, item.name, item.account_key, item.user_key, item.bucket, _said(item.overlay)),
            *(item.amount_minor, item.weighted_minor, item.code),
        )
        for item in told.items
    ]
    if told.hidden.count:
        hidden = (told.hidden.amount_minor, told.hidden.weighted_minor, f"not_seen: {told.hidden.count}")
        rows.append((None, None, None, None, None, None, *hidden))
    about = [
        *_about("Deals", told.period, told.node, told.as_of_snapshot),
        ("bucket", told.bucket or "all"),
        ("page", "the last" if told.next is None else "more follow"),
        *_partial(told.partial, []),
    ]
    return Table("forecast-deals", told.currency, told.as_of, about, columns, rows)


def movement_table(
    period: PeriodTold, node: str, days: tuple[str, str], currency: str, bars: Iterable[Bar], why: Sequence[str] = ()
) -> Table:
    """One row for each bar from `opening` to `closing`, by bucket; opening + classes + rates = closing, per column."""
    columns = [Column("bar"), Column("deals", NUMBER), *(Column(bucket, MONEY) for bucket in BUCKETS)]
    columns.append(Column("total", MONEY))
    rows: list[tuple[Cell, ...]] = [
        (bar.name, bar.deals, *(bar.amounts.get(bucket, 0) for bucket in BUCKETS), bar.total_minor) for bar in bars
    ]
    about = [*_about("Movement", period, node, None), ("from", days[0]), ("to", days[1]), *_partial(bool(why), why)]
    return Table("forecast-movement", currency, days[1], about, columns, rows)


def _about(what: str, period: PeriodTold, node: str, snapshot: int | None) -> list[tuple[str, str]]:
    days = f"{period.start_on} until before {period.end_on}"
    found = [("what", what), ("period", period.name), ("days", days), ("node", node)]
    return found if snapshot is None else [*found, ("snapshot", str(snapshot))]


def _partial(partial: bool, why: Sequence[str]) -> list[tuple[str, str]]:
    return [("partial", _joined(why) or "yes")] if partial else []


def _said(truth: bool) -> str:
    return "yes" if truth else "no"


def _joined(words: Iterable[str]) -> str:
    return "; ".join(words)
