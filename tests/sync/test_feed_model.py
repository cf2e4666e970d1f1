"""Cursor, scope intervals and feed against every order of events: grants, revocations, writes, moves, purges, pages.

One user, three buckets, a few rows, pages of one row, on the real feed, scope and pull. Each page that says `caught_up`
must leave the device equal to what the user may see then (S14); no page may carry a row that is not visible, nor tell
the key of a row that the user never could see (S13); whatever happens, the device comes to rest.
"""

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from sfa.db import feed, scope
from sfa.db.cells import Cell
from sfa.db.scope import Change, Plan
from sync import pull
from sync.protocol import Page
from sync.pull import Puller, Scopes
from tests.builders import NOW, put_rows, register
from tests.simulation.databases import Worlds, worlds_of
from tests.simulation.faults import FAULTS

BUCKETS, KEYS, USER, DEVICE = "ABC", "rst", "zed", "d-zed"
SECRET = b"0" * 32
PEACE_PAGES_MAX = 40
TRACES_MAX = 400
NOBODY = {"name": "Zed", "email": "zed@example.com", "active": False}  # holds only what a step grants

puts = st.tuples(st.just("put"), st.sampled_from(KEYS), st.frozensets(st.sampled_from(BUCKETS), max_size=2))
scopes = st.tuples(st.sampled_from(["grant", "revoke"]), st.sampled_from(BUCKETS))
purges = st.tuples(st.just("purge"), st.integers(0, 6))
transactions = st.lists(st.one_of(puts, puts, scopes), min_size=1, max_size=3)
pages = st.tuples(st.just("page"), st.sampled_from([1, 1, 1, 2]))
losses = st.tuples(st.just("lose"))
steps = st.one_of(transactions, transactions, pages, pages, pages, purges, losses)


class Server:
    """The real tables, and beside them what must be in them."""

    def __init__(self, worlds: Worlds) -> None:
        self.database = worlds.fresh()
        self.rows: dict[str, tuple[frozenset[str], int]] = {}
        self.held: set[str] = set()
        self.allowed: set[str] = set()
        self.known = False
        self.kept = Scopes()
        self.database.write(self._begin)

    def _begin(self, connection: Connection) -> None:
        put_rows(connection, [("users", USER, NOBODY)])
        register(connection, DEVICE, USER)

    def visible(self) -> dict[str, int]:
        return {key: version for key, (buckets, version) in self.rows.items() if buckets & self.held}

    def commit(self, connection: Connection, writes: list[Any]) -> None:
        for write in writes:
            if write[0] == "put":
                self._put(connection, write[1], write[2])
            else:
                self._hold(connection, write[1], write[0] == "grant")
            self.allowed.update(self.visible())  # each write has its numbers, as if it were alone

    def _put(self, connection: Connection, key: str, buckets: frozenset[str]) -> None:
        before, version = self.rows.get(key, (frozenset(), 0))
        self.rows[key] = (buckets, version + 1)
        cell = Cell("tasks", key)
        cell.rev, cell.row, cell.touched = version + 1, {"version": version + 1}, True
        cell.gone, cell.buckets = not buckets, tuple(sorted(buckets))
        entries = feed.entries(cell, sorted(before))
        feed.write(connection, entries, feed.take(connection, len(entries)))

    def _hold(self, connection: Connection, bucket: str, held: bool) -> None:
        if (bucket in self.held) == held:
            return
        (self.held.add if held else self.held.remove)(bucket)
        plan = Plan((Change(USER, bucket, held),), () if self.known else (USER,), None)
        self.known = True
        scope.write(connection, plan, feed.take(connection, 1))

    def purge(self, connection: Connection, kept: int) -> None:
        feed.purge(connection, max(0, feed.face(connection).seq - kept))

    def page(self, cursor: str | None, rows: int) -> Page:
        found = self.database.read(pull.page, Puller(USER, DEVICE), cursor, NOW, SECRET, self.kept, rows)
        return msgspec.json.decode(found.body, type=Page)


class Model:
    """A device of one map: (bucket, key) -> (version, generation)."""

    def __init__(self) -> None:
        self.cursor: str | None = None
        self.has: dict[tuple[str, str], tuple[int, int]] = {}
        self.generation = 0

    def take(self, page: Page, server: Server) -> None:
        if page.reset is not None:
            self.generation += 1
        for place in [place for place in self.has if place[0] in page.drops]:
            del self.has[place]
        for changes in page.changes:
            assert changes.bucket in server.held, f"bucket {changes.bucket} is told of after its revocation"
            for item in changes.items:
                assert item.key in server.allowed, f"{item.key} could never be seen"
                if item.gone:
                    self.has.pop((changes.bucket, item.key), None)
                else:
                    assert server.rows[item.key] == (server.rows[item.key][0], item.rev)
                    assert changes.bucket in server.rows[item.key][0]
                    self.has[changes.bucket, item.key] = (item.rev, self.generation)
        self.cursor = page.cursor
        if page.caught_up:
            self.has = {place: held for place, held in self.has.items() if held[1] == self.generation}
            assert {key: version for (_, key), (version, _) in self.has.items()} == server.visible()


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    with worlds_of("sqlite") as found:
        yield found


A = frozenset("A")
REGRANT = [[("grant", "A")], [("put", "r", A)], [("put", "s", A)], *[("page", 1)] * 3, [("put", "r", A)]]
REGRANT += [[("revoke", "A")], ("page", 1), [("put", "s", frozenset())], [("grant", "B")]]
REGRANT += [[("put", "t", frozenset("B"))], ("page", 1), [("grant", "A")]]


def play(worlds: Worlds, trace: list[Any]) -> None:
    server, device = Server(worlds), Model()
    for step in trace:
        if step[0] == "page":
            device.take(server.page(device.cursor, step[1]), server)
        elif step[0] == "purge":
            server.database.write(server.purge, step[1])
        elif step[0] == "lose":
            device.cursor = None
        else:
            server.database.write(server.commit, step)
    for _ in range(PEACE_PAGES_MAX):
        page = server.page(device.cursor, 1)
        device.take(page, server)
        if page.caught_up:
            return
    raise AssertionError("the device never catches up")


@given(st.lists(steps, max_size=16))
@example(REGRANT)
@settings(max_examples=250)
def test_every_caught_up_page_leaves_exactly_what_the_user_may_see(worlds: Worlds, trace: list[Any]) -> None:
    play(worlds, trace)


@pytest.mark.parametrize(
    "name",
    [
        "numbers_are_taken_before_the_work",
        "tombstones_are_forgotten",
        "bucket_heads_stay_behind",
        "scope_and_feed_are_read_in_two_snapshots",
        "the_cursor_passes_a_page_that_was_cut",
        "a_bucket_being_filled_gets_no_delta",
        "the_purge_horizon_is_ignored",
        "drops_are_not_sent",
        "caught_up_is_said_while_buckets_are_being_filled",
        "keys_are_told_that_left_before_the_grant",
    ],
)
def test_the_model_finds_a_planted_fault(worlds: Worlds, name: str) -> None:
    rng = random.Random(1)
    with FAULTS[name]():
        assert any(_fails(worlds, random_trace(rng)) for _ in range(TRACES_MAX))


def random_trace(rng: random.Random) -> list[Any]:
    sets = [frozenset(), *map(frozenset, ("A", "B", "C", "AB", "AC", "BC"))]
    writes: list[tuple[Any, ...]] = [("put", key, buckets) for key in KEYS for buckets in sets]
    writes += [(kind, bucket) for bucket in BUCKETS for kind in ("grant", "revoke")]
    others = (("page", 1), ("page", 1), ("page", 1), ("purge", rng.randrange(4)), ("lose",))
    weights = (10, 10, 10, 3, 1)
    return [
        rng.choices(others, weights)[0] if rng.random() < 0.5 else rng.sample(writes, rng.choice((1, 1, 2, 3)))
        for _ in range(rng.randint(4, 18))
    ]


def _fails(worlds: Worlds, trace: list[Any]) -> bool:
    try:
        play(worlds, trace)
    except AssertionError:
        return True
    return False
