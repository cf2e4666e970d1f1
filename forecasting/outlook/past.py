"""What happened to each deal while it was open, off the history of its row: columns for the engine. Pure.

Whoever judges a chance on the past must see what was known then, and nothing that was written later about it. So a
deal is told apart only by what it was created with, and what a row said that was created after its deal had ended (an
import of closed deals) is not taken as known before: of such a deal only its days and its amount are.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from forecasting.outlook.values import DealColumns
from sfa.core.days import plus_days, start_of_ms

STAGE, AMOUNT, EXPECTED = 0, 1, 2
Worth = Callable[[int | None, str | None], int | None]


class Row(Struct, frozen=True, gc=False):
    """A deal as it is: its days are ordinals, 0 for none."""

    key: str
    owner_key: str
    pipeline_key: str | None
    opened_on: int
    ended_on: int
    won: bool
    amount_minor: int | None


class Written(Struct, frozen=True, gc=False):
    """A revision's changes of the fields that matter here: [what it was, what it is]."""

    owner_key: tuple[Any, str] | UnsetType = UNSET
    pipeline_key: tuple[Any, str | None] | UnsetType = UNSET
    stage_key: tuple[Any, str] | UnsetType = UNSET
    amount_minor: tuple[Any, int | None] | UnsetType = UNSET
    currency: tuple[Any, str | None] | UnsetType = UNSET
    close_on: tuple[Any, str | None] | UnsetType = UNSET


DECODER = msgspec.json.Decoder(Written)


class Days:
    """Local days of instants, as ordinals: looked up among the first instants of days, each made once."""

    def __init__(self, zone: str, first: str, last: str) -> None:
        day, self._first = first, date.fromisoformat(first).toordinal()
        self._starts: list[int] = []
        while day <= last:
            self._starts.append(start_of_ms(day, zone))
            day = plus_days(day, 1)

    def of(self, at: int) -> int:
        """The first or last day that is known for what is before or after all of them."""
        return self._first + max(0, bisect_right(self._starts, at) - 1)


def ordinal(day: str | None) -> int:
    return 0 if day is None else date.fromisoformat(day).toordinal()


def columns(
    rows: Sequence[Row],
    history: Mapping[str, Sequence[tuple[int, Written]]],
    stages: Sequence[str],
    worth: Worth,
    until: int,
) -> DealColumns:
    """`rows` in order of key; `history` (day, what was written) of each, in order of revision; `stages` are the open
    ones; `worth` converts an amount."""
    place = {stage: n for n, stage in enumerate(stages)}
    deal, day, kind, value = list[int](), list[int](), list[int](), list[int | None]()
    owners, pipelines = [], []
    for n, row in enumerate(rows):
        revisions = history.get(row.key, ())
        made = revisions[0][1] if revisions else Written()
        owners.append(made.owner_key[1] if made.owner_key is not UNSET else row.owner_key)
        pipeline = made.pipeline_key[1] if made.pipeline_key is not UNSET else row.pipeline_key
        pipelines.append(pipeline or "")
        last = row.ended_on or until
        for change in _changes(row, revisions, place, worth, last):
            deal.append(n)
            day.append(change[0])
            kind.append(change[1])
            value.append(change[2])
    return DealColumns(
        keys=[row.key for row in rows],
        opened_on=[row.opened_on for row in rows],
        ended_on=[row.ended_on for row in rows],
        won=[row.won for row in rows],
        amount_minor=[row.amount_minor for row in rows],
        features={"owner": owners, "pipeline": pipelines},
        stages=list(stages),
        change_deal=deal,
        change_day=day,
        change_kind=kind,
        change_value=value,
    )


def _changes(
    row: Row, revisions: Sequence[tuple[int, Written]], place: Mapping[str, int], worth: Worth, last: int
) -> Iterable[tuple[int, int, int | None]]:
    """(day, kind, value) in order of days, none before the deal was opened or after it had ended."""
    if not revisions or (row.ended_on and revisions[0][0] > row.ended_on):
        return [(row.opened_on, AMOUNT, row.amount_minor)]
    found: list[tuple[int, int, int | None]] = []
    amount, currency = None, None
    for number, (on, written) in enumerate(revisions):
        # what a deal was created with it is taken to have had since it was opened
        day = row.opened_on if number == 0 else min(max(on, row.opened_on), last)
        if row.ended_on and on > row.ended_on:
            continue  # what was corrected later was not known
        if written.stage_key is not UNSET and written.stage_key[1] in place:
            found.append((day, STAGE, place[written.stage_key[1]]))
        if written.amount_minor is not UNSET or written.currency is not UNSET:
            amount = written.amount_minor[1] if written.amount_minor is not UNSET else amount
            currency = written.currency[1] if written.currency is not UNSET else currency
            found.append((day, AMOUNT, worth(amount, currency)))
        if written.close_on is not UNSET:
            found.append((day, EXPECTED, ordinal(written.close_on[1])))
    return sorted(found, key=lambda change: change[0])  # a corrected clock may have gone back
