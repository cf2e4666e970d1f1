"""Mistakes planted on purpose in the product, one context manager each: every one must be found by some checker.

Each is a mistake that somebody could make: an order swapped, a case forgotten, a thing believed. `FAULTS` maps its name
to the context in which the product makes it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, delete

from sfa.core.access import Parent, buckets_of
from sfa.core.clock import Corrected
from sfa.core.shapes import SHAPES
from sfa.crm import conflicts
from sfa.db import cells, digests, feed, scope, writes
from sfa.db.cells import Cell, parents_of
from sfa.db.feed import Entry
from sfa.db.tables import receipts
from sfa.db.writes import Door
from sync import cursor, devices, merge, pull, push, refusals, take
from sync import round as rounds
from sync.merge import Merged
from sync.take import Taker

PUSH: Any = push  # what a module imports can be replaced in it, whether it exports it or not
WRITES: Any = writes

FAULTS: dict[str, Callable[[], AbstractContextManager[None]]] = {}
NUMBERS_RESERVED = 30


@contextmanager
def replaced(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """Attributes changed inside the block."""
    with ExitStack() as undo:
        for owner, name, value in changes:
            undo.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        yield


def fault(make: Callable[[], Sequence[tuple[Any, str, Any]]]) -> None:
    """Register what a function would replace under its name."""
    FAULTS[make.__name__] = lambda: replaced(*make())


# -- order and exactly once -------------------------------------------------------------------------------------------


@fault
def numbers_are_taken_before_the_work() -> Sequence[tuple[Any, str, Any]]:
    """In blocks, as a cached database sequence does: later commits get numbers that a cursor has passed."""
    block = {"next": 1, "last": 0}
    real = feed.take

    def take_number(connection: Connection, count: int) -> int:
        left = block["last"] - block["next"] + 1
        if left < count or feed.face(connection).seq != block["last"]:
            block["last"] = real(connection, count + NUMBERS_RESERVED)
            block["next"] = block["last"] - count - NUMBERS_RESERVED + 1
        block["next"] += count
        return block["next"] - 1

    return [(feed, "take", take_number)]


@fault
def receipts_are_stored_in_another_transaction() -> Sequence[tuple[Any, str, Any]]:
    later: list[Callable[[Connection], None]] = []
    store, advance, answer = devices.store_receipts, devices.advance, rounds.Round.answer_blocking

    def answer_then_store(self: rounds.Round, caller: rounds.Caller, body: bytes) -> bytes:
        outer = later[:]
        later.clear()
        try:
            answered = answer(self, caller, body)
            mine = later[:]
        finally:
            later[:] = outer
        if mine:
            self.database.write(lambda c: [work(c) for work in mine])
        return answered

    return [
        (devices, "store_receipts", lambda _c, *args: later.append(lambda c: store(c, *args))),
        (devices, "advance", lambda _c, *args: later.append(lambda c: advance(c, *args))),
        (rounds.Round, "answer_blocking", answer_then_store),
    ]


@fault
def a_number_seen_before_is_taken_again() -> Sequence[tuple[Any, str, Any]]:
    walk, store = PUSH.walk, devices.store_receipts

    def forget(connection: Connection, device: devices.Registration, sent: Any, versions: Any) -> Any:
        first = min((msgspec.json.decode(raw)["n"] for raw in sent), default=device.last_n + 1)
        return walk(connection, msgspec.structs.replace(device, last_n=min(device.last_n, first - 1)), sent, versions)

    def store_again(connection: Connection, device: devices.Registration, made: Any, now_ms: int) -> None:
        mine = (receipts.c.device_key == device.key, receipts.c.last_n >= made[0].n)
        connection.execute(delete(receipts).where(*mine))
        store(connection, device, made, now_ms)

    return [(push, "walk", forget), (devices, "store_receipts", store_again)]


@fault
def a_unit_lands_in_part() -> Sequence[tuple[Any, str, Any]]:
    real = push._take_unit

    def one_by_one(door: Any, taker: Any, device: Any, part: Any, sent: Any, now_ms: int) -> Any:
        return [r for item in part for r in real(door, taker, device, [item], sent, now_ms)]

    return [(push, "_take_unit", one_by_one)]


@fault
def a_refused_mutation_leaves_its_traces() -> Sequence[tuple[Any, str, Any]]:
    return [(Door, "undo_to", lambda _self, _mark: None)]


# -- the feed ---------------------------------------------------------------------------------------------------------


def _without(drop: Callable[[Cell, Entry], bool]) -> Callable[[Cell, Sequence[str]], list[Entry]]:
    real = feed.entries
    return lambda cell, before: [entry for entry in real(cell, before) if not drop(cell, entry)]


@fault
def tombstones_are_forgotten() -> Sequence[tuple[Any, str, Any]]:
    return [(feed, "entries", _without(lambda cell, entry: entry.gone and cell.gone))]


@fault
def the_old_bucket_is_not_told_of_a_move() -> Sequence[tuple[Any, str, Any]]:
    return [(feed, "entries", _without(lambda cell, entry: entry.gone and not cell.gone and not cell.aged))]


@fault
def the_new_bucket_is_not_told_of_a_move() -> Sequence[tuple[Any, str, Any]]:
    return [(feed, "entries", _without(lambda cell, entry: not entry.gone and not cell.touched))]


@fault
def the_feed_keeps_an_old_document() -> Sequence[tuple[Any, str, Any]]:
    first: dict[tuple[str, str], dict[str, Any]] = {}

    def old(cell: Cell) -> bytes:
        if cell.rev <= 1:
            first[cell.entity, cell.key] = cell.row
        row = first.get((cell.entity, cell.key), cell.row)
        return feed.ENCODER.encode({"entity": cell.entity, "key": cell.key, "rev": cell.rev, "row": row})

    return [(feed, "live_doc", old)]


@fault
def bucket_heads_stay_behind() -> Sequence[tuple[Any, str, Any]]:
    class Lazy:
        def run_values(self, connection: Connection, rows: Any) -> None:
            assert connection is not None
            assert rows is not None

    return [(feed, "_HEADS", Lazy())]


@fault
def sums_of_a_bucket_keep_a_row_that_moved_away() -> Sequence[tuple[Any, str, Any]]:
    real = digests._standing

    def standing(connection: Connection, found: Sequence[Any]) -> Any:
        gone = {(e.bucket, e.entity, e.key) for e in found if e.gone}
        return [row for row in real(connection, found) if tuple(row)[:3] not in gone]

    return [(digests, "_standing", standing)]


@fault
def sums_of_a_bucket_forget_which_revision_stood() -> Sequence[tuple[Any, str, Any]]:
    """The new revision is added and none is taken away."""
    return [(digests, "_standing", lambda _connection, _entries: ())]


@fault
def deleted_rows_are_told_where_they_never_lived() -> Sequence[tuple[Any, str, Any]]:
    real = cells._cells

    def forget(*args: Any) -> Iterator[Cell]:
        for cell in real(*args):
            cell.was_gone = False
            yield cell

    return [(cells, "_cells", forget)]


# -- where rows lie ---------------------------------------------------------------------------------------------------


@fault
def a_child_is_written_under_the_old_bucket() -> Sequence[tuple[Any, str, Any]]:
    """Its account moves in the same transaction, and the child looks where the account was stored."""
    real = Door.buckets

    def stale(self: Door, cell: Cell, *known: Any) -> tuple[str, ...]:
        place = next(iter(parents_of(cell)), None)
        if cell.stored or not cell.moved or place is None:
            return real(self, cell, *known)
        above = self.cell(place[0], place[1], "share")
        was = self.__dict__.setdefault("_was", {}).setdefault(place, above.buckets if above.stored else None)
        if was is None:
            return real(self, cell, *known)
        territory = next((b for b in was if b.startswith("territory:")), None)
        return buckets_of(cell.entity, cell.row, Parent(was, territory), ())

    return [(Door, "buckets", stale)]


@fault
def descendants_are_not_taken_along() -> Sequence[tuple[Any, str, Any]]:
    return [(writes, "read_children", lambda *_args: iter(()))]


@fault
def the_account_that_a_member_left_is_not_looked_at() -> Sequence[tuple[Any, str, Any]]:
    real = Door._settle

    def settle(self: Door) -> Any:
        for account, team in self._teams.items():
            self._teams[account] = {k: c for k, c in team.items() if c.row.get("account_key") == account}
        return real(self)

    return [(Door, "_settle", settle)]


@fault
def edges_of_trees_change_no_scope() -> Sequence[tuple[Any, str, Any]]:
    return [(writes, "DECIDES_SCOPE", WRITES.DECIDES_SCOPE - {"team_edges", "territory_edges"})]


@fault
def dated_assignments_are_not_made_effective() -> Sequence[tuple[Any, str, Any]]:
    standing, face = feed.standing, feed.face
    return [
        (scope, "make_due", lambda _connection, _now: False),
        (feed, "standing", lambda *args: standing(*args)._replace(due_at=None)),
        (feed, "face", lambda connection: face(connection)._replace(due_at=None)),
    ]


@fault
def the_next_dated_change_is_not_noted() -> Sequence[tuple[Any, str, Any]]:
    return [(scope, "next_change_after", lambda _organisation, _day: None)]


# -- the pull ---------------------------------------------------------------------------------------------------------


@fault
def scope_and_feed_are_read_in_two_snapshots() -> Sequence[tuple[Any, str, Any]]:
    real = pull.Scopes.held

    def older(self: pull.Scopes, connection: Connection, epoch: str, user: str, seq: int) -> frozenset[str]:
        kept = self._held.get((epoch, user))
        now = real(self, connection, epoch, user, seq)
        return kept[1] if kept is not None and kept[0] != seq else now

    return [(pull.Scopes, "held", older)]


@fault
def the_cursor_passes_a_page_that_was_cut() -> Sequence[tuple[Any, str, Any]]:
    real = pull._delta

    def skip(connection: Connection, held: Any, c: int, seq: int, *args: Any) -> tuple[int, bool]:
        return seq, real(connection, held, c, seq, *args)[1]

    return [(pull, "_delta", skip)]


@fault
def a_bucket_being_filled_gets_no_delta() -> Sequence[tuple[Any, str, Any]]:
    start, real = pull._start, pull._delta
    filling: set[str] = set()

    def note(*args: Any) -> Any:
        found = start(*args)
        filling.clear()
        filling.update(found[0].fills)
        return found

    def without(connection: Connection, held: Any, *args: Any) -> tuple[int, bool]:
        return real(connection, set(held) - filling, *args)

    return [(pull, "_start", note), (pull, "_delta", without)]


@fault
def the_purge_horizon_is_ignored() -> Sequence[tuple[Any, str, Any]]:
    real = feed.standing
    return [(feed, "standing", lambda *args: real(*args)._replace(horizon=0))]


@fault
def drops_are_not_sent() -> Sequence[tuple[Any, str, Any]]:
    real = pull._encode
    return [(pull, "_encode", lambda a, b, c, _drops, *rest: real(a, b, c, [], *rest))]


@fault
def caught_up_is_said_while_buckets_are_being_filled() -> Sequence[tuple[Any, str, Any]]:
    real = pull._encode
    return [(pull, "_encode", lambda moved, b, up, *rest: real(moved, b, up or bool(moved.fills), *rest))]


@fault
def keys_are_told_that_left_before_the_grant() -> Sequence[tuple[Any, str, Any]]:
    real = feed.news
    return [(feed, "news", lambda c, buckets, seq, limit, _met_by: real(c, buckets, seq, limit, {}))]


@fault
def a_tampered_cursor_is_believed() -> Sequence[tuple[Any, str, Any]]:
    class Trusting:
        def compare_digest(self, _one: bytes, _other: bytes) -> bool:
            return True

    return [(cursor, "hmac", Trusting())]


# -- merging ----------------------------------------------------------------------------------------------------------


@fault
def field_stamps_are_ignored() -> Sequence[tuple[Any, str, Any]]:
    return [(merge, "is_concurrent", lambda *_args: False), (take, "is_concurrent", lambda *_args: False)]


@fault
def the_whole_row_is_overwritten() -> Sequence[tuple[Any, str, Any]]:
    def whole(self: Taker, cell: Cell, values: Mapping[str, Any], base: int, _origin: Any) -> Merged:
        shape = SHAPES[cell.entity]
        row = {f: self.door.value_on(self.device, cell, base, f) for f in shape.types if f not in shape.references}
        return Merged({**row, **values}, frozenset(shape.groups), ())

    return [(Taker, "_merge", whole)]


@fault
def conflicts_are_not_written() -> Sequence[tuple[Any, str, Any]]:
    return [(conflicts, "write", lambda _door, key, _values, _origin: key)]


@fault
def a_losing_value_is_left_out_of_its_conflict() -> Sequence[tuple[Any, str, Any]]:
    real = conflicts.write
    return [(conflicts, "write", lambda door, key, values, origin: real(door, key, {**values, "losing": {}}, origin))]


@fault
def the_content_of_a_refusal_is_dropped() -> Sequence[tuple[Any, str, Any]]:
    return [(refusals, "content_of", lambda _item: None)]


@fault
def redirects_are_ignored() -> Sequence[tuple[Any, str, Any]]:
    return [(Door, "survivor", lambda _self, _entity, key: key)]


@fault
def the_times_of_devices_are_believed() -> Sequence[tuple[Any, str, Any]]:
    return [(push, "corrected_ms", lambda at, device_now, now: Corrected(at, device_now - now))]
