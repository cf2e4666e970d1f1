"""The clock and the feed: numbers in commit order, one entry per place, purge (S6, S7, S15)."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from sfa.db import feed
from sfa.db.cells import Cell
from sfa.db.database import Database, open_database
from sfa.db.tables import bucket_heads, scope_intervals
from sfa.db.tables import feed as entries
from tests.builders import put_rows
from tests.office import Office

names = st.sets(st.sampled_from("abcd"))
WRITERS = 6
WRITES = 8


def placed(buckets: set[str], gone: bool, touched: bool) -> Cell:
    cell = Cell("contacts", "k")
    cell.rev, cell.gone, cell.touched, cell.buckets = 3, gone, touched, tuple(sorted(buckets))
    return cell


@given(names, names, st.booleans(), st.booleans())
def test_entries_say_gone_where_a_row_no_longer_lies_and_the_row_where_it_does(
    before: set[str], after: set[str], gone: bool, touched: bool
) -> None:
    """S7, S8: a row that only moved is not sent again where it stays."""
    found = feed.entries(placed(after, gone, touched), tuple(sorted(before)))
    left = {e.bucket for e in found if e.gone}
    got = {e.bucket for e in found if not e.gone}
    if gone:
        assert got == set()
        assert left == before
    else:
        assert left == before - after
        assert got == (after if touched else after - before)
    assert {e.rev for e in found} <= {3}
    assert len(found) == len(left) + len(got)


def test_a_place_has_one_entry_that_moves_to_a_new_number(office: Office) -> None:
    """S7: it remembers when it first came."""
    where = (entries.c.bucket == "territory:t-north", entries.c.entity == "contacts", entries.c.key == "carl")
    (old,) = office.all(select(entries).where(*where))
    seq = 0
    for phone in ("2", "3"):
        seq = office.put(("contacts", "carl", {"phone": phone}))
    (new,) = office.all(select(entries).where(*where))
    assert (new["seq"], new["first"], new["rev"]) == (seq, old["first"], 3)
    assert b'"phone":"3"' in new["doc"]


def test_the_numbers_of_all_entries_differ_and_heads_are_the_last(office: Office) -> None:
    """S6, S7."""
    numbers = [row["seq"] for row in office.all(select(entries.c.seq))]
    assert len(numbers) == len(set(numbers))
    assert max(numbers) <= office.seq()
    heads = {row["bucket"]: row["seq"] for row in office.all(select(bucket_heads))}
    for bucket, head in heads.items():
        assert head == max(r["seq"] for r in office.all(select(entries.c.seq).where(entries.c.bucket == bucket)))


def test_a_write_that_changes_nothing_takes_no_number(office: Office) -> None:
    """S6."""
    before = office.seq()
    assert office.put() == 0
    assert office.phone("ana").edit("contacts", "carl", phone="1").rev == 1
    assert office.seq() == before


def test_a_failed_transaction_takes_no_number(office: Office) -> None:
    """S6: numbers are as much of the transaction as the rows."""

    def fails(connection: Connection) -> None:
        put_rows(connection, [("contacts", "carl", {"phone": "2"})])
        raise RuntimeError("the power went")

    before = office.seq()
    with pytest.raises(RuntimeError):
        office.database.write(fails)
    assert (office.seq(), office.row("contacts", "carl")["phone"]) == (before, "1")


def _news(connection: Connection, position: int) -> list[tuple[int, str, bytes]]:
    return list(feed.news(connection, ["territory:t-north"], position, 1_000, {}))


def test_numbers_follow_the_order_of_commits_under_concurrency(office: Office) -> None:
    """S6: a reader that goes on from what it saw never misses a number that commits later."""
    rng = random.Random(7)

    async def run() -> tuple[list[int], list[int]]:
        database = open_database(office.database.url, durable=False)
        done = asyncio.Event()
        seen: list[int] = []
        taken: list[int] = []

        async def writes(name: int) -> None:
            for i in range(WRITES):
                row = ("contacts", f"w{name}-{i}", {"account_key": "acme", "name": "W"})
                await asyncio.sleep(rng.uniform(0, 0.005))
                taken.append(await database.write_async(put_rows, [row]))

        async def reads() -> None:
            position = office_seq
            while True:
                last = done.is_set()
                found = await database.read_async(_news, position)
                seen.extend(number for number, _, _ in found)
                position = max([position, *(number for number, _, _ in found)])
                if last:
                    return
                await asyncio.sleep(0)

        reader = asyncio.create_task(reads())
        await asyncio.gather(*(writes(i) for i in range(WRITERS)))
        done.set()
        await reader
        await database.close_async()
        return taken, seen

    office_seq = office.seq()
    taken, seen = asyncio.run(run())
    assert len(set(taken)) == WRITERS * WRITES
    assert seen == sorted(taken)


def test_purge_forgets_tombstones_and_ended_intervals_and_keeps_live_rows(office: Office) -> None:
    """S15."""
    office.delete("contacts", "carl")
    office.put(("territory_members", "tm-ana", {"valid_to": "2026-01-05"}))
    live = office.all(select(entries).where(~entries.c.gone).order_by(entries.c.seq))
    open_ones = office.all(select(scope_intervals).where(scope_intervals.c.until_seq.is_(None)))
    late = office.delete("contacts", "zoe")
    office.database.write(feed.purge, late - 1)
    left = office.all(select(entries).where(~entries.c.gone).order_by(entries.c.seq))
    assert left == [e for e in live if e["key"] != "zoe"]
    assert [e["key"] for e in office.all(select(entries).where(entries.c.gone))] == ["zoe"]
    assert office.all(select(scope_intervals)) == open_ones
    assert office.row("contacts", "carl")["gone"]


def test_the_horizon_never_goes_back(office: Office) -> None:
    """S15."""
    for seq in (20, 5):
        office.database.write(feed.purge, seq)
    ana = office.database.read(feed.standing, "ana", "d-ana")
    assert ana.horizon == 20


def test_a_fill_reads_on_by_key_and_skips_what_is_gone(database: Database) -> None:
    """S13c: `database` is empty; the feed alone is looked at."""

    def build(connection: Connection) -> None:
        found = [feed.Entry("b", "contacts", f"k{i}", 1, i % 3 == 0, b"{}") for i in range(9)]
        feed.write(connection, found, feed.take(connection, len(found)))

    database.write(build)
    read: list[str] = []
    after = ("", "")
    while rows := database.read(feed.fill, "b", after, 2):
        read += [key for _, key, _ in rows]
        after = (rows[-1][0], rows[-1][1])
    assert read == ["k1", "k2", "k4", "k5", "k7", "k8"]
    assert database.read(feed.heads_after, ["a", "b"], 8) == ["b"]
    assert database.read(feed.heads_after, ["a", "b"], 9) == []
