"""Mistakes planted in what comes early and in answers that break off: in the server, and in the devices."""

from collections.abc import Sequence
from typing import Any

import msgspec

from sfa.db import today
from sync import pull, sheet
from sync.device import pages, session
from tests.simulation.faults import fault
from tests.simulation.model_device import ModelDevice


@fault
def an_early_row_is_a_second_membership() -> Sequence[tuple[Any, str, Any]]:
    """The fill brings the row again, a tombstone takes one of the two away."""
    real = ModelDevice._hold

    def twice(self: ModelDevice, place: tuple[str, str], bucket: str, item: dict[str, Any], page: Any) -> None:
        real(self, place, f"early {bucket}" if "early" in page else bucket, item, page)

    return [(ModelDevice, "_hold", twice)]


@fault
def a_row_that_came_early_is_left_as_it_was() -> Sequence[tuple[Any, str, Any]]:
    """What is known already is passed over, although it changed between the early page and its bucket's fill."""
    real = ModelDevice._hold

    def once(self: ModelDevice, place: tuple[str, str], bucket: str, item: dict[str, Any], page: Any) -> None:
        early = self.__dict__.setdefault("early", set())
        if "early" in page:
            early.add(place)
        known = self.rows.get(place)
        real(self, place, bucket, item, page)
        if place in early and known is not None and "early" not in page:
            self.rows[place] = known

    return [(ModelDevice, "_hold", once)]


@fault
def the_cursor_of_a_line_is_that_of_the_page() -> Sequence[tuple[Any, str, Any]]:
    """Whoever loses the rest of the page goes on behind it."""
    real = sheet.Sheet.finished

    def finished(self: sheet.Sheet) -> list[sheet.Part]:
        parts = real(self)
        return [msgspec.structs.replace(part, at=parts[-1].at) for part in parts]

    return [(sheet.Sheet, "finished", finished)]


@fault
def an_early_row_moves_its_bucket_on() -> Sequence[tuple[Any, str, Any]]:
    """The fill begins behind the last row that came early."""
    real = pull._early

    def moves(connection: Any, user: str, held: Any, now_ms: int, written: sheet.Sheet) -> bool:
        begun = written.at.early is not None
        goes_on = real(connection, user, held, now_ms, written)
        for part in written.parts if begun else ():
            for bucket, docs in part.changes.items():
                last = msgspec.json.decode(docs[-1])
                if bucket in written.at.fills:
                    written.at.fills[bucket] = (last["entity"], last["key"])
        return goes_on

    return [(pull, "_early", moves)]


@fault
def early_rows_are_not_looked_for_in_the_scope() -> Sequence[tuple[Any, str, Any]]:
    """A visit at a customer whom the person lost to somebody else is on today's list all the same."""
    real = pull._early

    def everywhere(connection: Any, user: str, held: Any, now_ms: int, written: sheet.Sheet) -> bool:
        every = frozenset(b for row in today.needed(connection, user, now_ms) for b in row.buckets)
        return real(connection, user, held | every, now_ms, written)

    return [(pull, "_early", everywhere)]


@fault
def the_reference_device_takes_half_a_line() -> Sequence[tuple[Any, str, Any]]:
    """It believes the cursor of a line whose rows did not all arrive."""
    real = session._of_lines

    def eager(parts: Any) -> Any:
        head = None
        for answer in real(parts):
            page = answer.page
            if page is not None and head is not None and page.changes and not page.caught_up:
                answer = msgspec.structs.replace(answer, page=msgspec.structs.replace(page, changes=page.changes[:-1]))
            head = answer
            yield answer

    return [(session, "_of_lines", eager)]


@fault
def the_reference_device_keeps_early_rows_in_a_bucket_of_their_own() -> Sequence[tuple[Any, str, Any]]:
    real = pages.apply

    def apart(store: Any, page: Any, **how: Any) -> None:
        if page.early is not None:
            moved = [msgspec.structs.replace(c, bucket=f"early {c.bucket}") for c in page.changes]
            page = msgspec.structs.replace(page, changes=moved)
        real(store, page, **how)

    return [(pages, "apply", apart)]
