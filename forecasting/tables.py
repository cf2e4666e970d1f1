"""Answers as tables: the rows and figures of the JSON under the names that it gives them, one row for each item.

Amounts stay integers of minor units; `sfa/web/sheets.py` writes them. Lists and words of one item are one cell,
parted by "; ". Asks no database.
"""

from collections.abc import Iterable, Mapping, Sequence

from forecasting.accuracy import Accuracy, Score
from forecasting.answers import DealPage, Node, PeriodTold, Rollup
from forecasting.covering import Covered, NodeCoverage
from forecasting.movement import Bar
from forecasting.moving import MovedPage, Movement
from sfa.core.forecast import BUCKETS, VIEWS
from sfa.web.sheets import MONEY, NUMBER, Cell, Column, Table

BUCKET_COLUMNS = [Column(bucket, MONEY) for bucket in BUCKETS]
AMOUNTS = ("own", "rolled_up", "own_adjusted", "manager_adjusted")


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
    cells: list[Cell] = [node.node, node.kind, node.name, node.parent, node.depth, said_of(node.here)]
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
    return (*cells, said_of(node.partial), _joined(node.why), _joined(missing))


def deals_table(told: DealPage) -> Table:
    """One row for each part, and last what of the page the caller may not see."""
    texts = ("deal_key", "name", "account_key", "user_key", "bucket", "overlay")
    columns = [*map(Column, texts), Column("amount", MONEY), Column("weighted", MONEY), Column("code")]
    rows: list[tuple[Cell, ...]] = [
        (
            *(item.deal_key, item.name, item.account_key, item.user_key, item.bucket, said_of(item.overlay)),
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
        ("page", page_told(told.next)),
        *_partial(told.partial, []),
    ]
    return Table("forecast-deals", told.currency, told.as_of, about, columns, rows)


def movement_table(told: Movement) -> Table:
    """One row for each bar from `opening` to `closing`, by bucket; opening + classes + rates = closing, per column."""
    rows: list[tuple[Cell, ...]] = [
        (bar.name, bar.deals, *_by_bucket(bar.amounts), bar.total_minor) for bar in bars_of(told)
    ]
    columns = [Column("bar"), Column("deals", NUMBER), *BUCKET_COLUMNS, Column("total", MONEY)]
    about = [
        *_moved_about("Movement", told),
        ("unchanged deals", str(told.unchanged)),
        *_partial(told.partial, told.why),
    ]
    return Table("forecast-movement", told.currency, told.to.taken_on, about, columns, rows)


def bars_of(told: Movement) -> list[Bar]:
    return [told.opening, *told.classes, told.rates, told.closing]


def moved_table(told: MovedPage) -> Table:
    """One row for each deal behind the bars, with what it adds."""
    texts = ("deal_key", "name", "account_key", "owner_key", "class", "was", "now")
    rows: list[tuple[Cell, ...]] = [
        (
            *(item.deal_key, item.name, item.account_key, item.owner_key, item.into, item.was, item.now),
            *_by_bucket(item.amounts),
            item.total_minor,
        )
        for item in told.items
    ]
    columns = [*map(Column, texts), *BUCKET_COLUMNS, Column("total", MONEY)]
    about = [*_moved_about("Deals that moved", told), ("page", page_told(told.next)), *_partial(told.partial, told.why)]
    return Table("forecast-movement-deals", told.currency, told.to.taken_on, about, columns, rows)


def _by_bucket(amounts: Mapping[str, int]) -> list[int]:
    return [amounts.get(bucket, 0) for bucket in BUCKETS]


def _moved_about(what: str, told: Movement | MovedPage) -> list[tuple[str, str]]:
    ends = (f"{end.taken_on}, snapshot {end.number}" for end in (told.since, told.to))
    return [*_about(what, told.period, told.node, None), *zip(("from", "to"), ends, strict=True)]


def accuracy_table(told: Accuracy) -> Table:
    """Scores of the groups, of `all`, and then the calls; `kind` says which a row is."""
    texts = ("kind", "of", "period_key", "node", "author_key", "due_on", "level")
    sums = ("called", "closed", "off", "over")
    counts = ("weeks", "calls", "wape_bp", "bias_bp")
    columns = [*map(Column, texts), *(Column(name, NUMBER) for name in counts)]
    columns += [*(Column(name, MONEY) for name in sums), Column("left_out", NUMBER), *map(Column, ("few", "code"))]
    rows = [_score("group", score) for score in told.scores]
    rows.append(_score("all", told.all))
    rows += [
        (
            *("call", None, call.period_key, call.node, call.author_key, call.due_on, call.level),
            *(call.weeks, None, None, None, call.called_minor, call.closed_minor, None, None, None, None, call.code),
        )
        for call in told.items
    ]
    periods = _joined(period.name for period in told.periods)
    about = [
        ("what", "Accuracy"),
        ("periods", periods),
        ("view", told.view),
        ("by", told.by),
        ("calls", str(told.count)),
    ]
    return Table("forecast-accuracy", told.currency, told.as_of, about, columns, rows)


def _score(kind: str, score: Score) -> tuple[Cell, ...]:
    return (
        *(kind, score.of, None, None, None, None, None, None, score.calls, score.wape_bp, score.bias_bp),
        *(score.called_minor, score.closed_minor, score.off_minor, score.over_minor, score.left_out),
        *(said_of(score.few), score.wape_code),
    )


def coverage_table(told: Covered) -> Table:
    """One row for each node: its target, what is closed and open, and by view what the target is ahead of it."""
    figures = ("target", "closed", "open", "weighted", "slipped", "gap")
    columns = [*map(Column, ("node", "name")), *(Column(name, MONEY) for name in figures)]
    columns += [Column("coverage_bp", NUMBER), Column("weighted_bp", NUMBER), Column("code")]
    for view in VIEWS:
        columns += [Column(view, MONEY), Column(f"{view}_gap", MONEY)]
    columns += [*map(Column, ("quota_keys", "partial", "why"))]
    about = _about("Coverage", told.period, told.items[0].node, told.as_of_snapshot)
    rows = [_covered(item) for item in told.items]
    return Table("forecast-coverage", told.currency, told.as_of, about, columns, rows)


def _covered(item: NodeCoverage) -> tuple[Cell, ...]:
    of = item.figures
    cells: list[Cell] = [item.node, item.name, of.target_minor, of.closed_minor, of.open_minor, of.weighted_minor]
    cells += [of.slipped_minor, of.gap_minor, of.coverage_bp, of.weighted_bp, of.code]
    for view in VIEWS:
        cells += [of.views[view].amount_minor, of.views[view].gap_minor]
    return (*cells, _joined(item.quota_keys), said_of(item.partial), _joined(item.why))


def page_told(following: object) -> str:
    return "the last" if following is None else "more follow"


def _about(what: str, period: PeriodTold, node: str, snapshot: int | None) -> list[tuple[str, str]]:
    days = f"{period.start_on} until before {period.end_on}"
    found = [("what", what), ("period", period.name), ("days", days), ("node", node)]
    return found if snapshot is None else [*found, ("snapshot", str(snapshot))]


def _partial(partial: bool, why: Sequence[str]) -> list[tuple[str, str]]:
    return [("partial", _joined(why) or "yes")] if partial else []


def said_of(truth: bool) -> str:
    return "yes" if truth else "no"


def _joined(words: Iterable[str]) -> str:
    return "; ".join(words)
