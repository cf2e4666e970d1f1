"""S8, S11: scopes change while their users push, and while somebody else changes scopes.

Numbers prove the order: what a phone pushed into a territory must lie inside an interval in which its user held it.
"""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection, select

from sfa.core.errors import Refused
from sfa.db import scope
from sfa.db.database import Database, open_database
from sfa.db.tables import feed, scope_intervals
from tests.builders import DAY_MS, delete_row, put_rows
from tests.office import Office, Phone
from tests.races.crowd import Watcher, paused, run, send, slow_office
from tests.races.test_commit_order import lost_rows
from tests.races.truth import findings

pytestmark = pytest.mark.postgresql
ROUNDS = 8
NORTH = "territory:t-north"


async def organise(office: Office, work: Any, *args: Any) -> Any:
    """One transaction of whoever changes the organisation, with a pause on both sides."""
    return await office.database.write_async(paused, 0.002, 0.006, work, (*args, office.clock.now_ms()))


async def toggle(office: Office, entity: str, key: str, number: int) -> None:
    """A stored membership ends in one round and comes back in the next."""
    if number % 2 == 0:
        await organise(office, delete_row, entity, key)
    else:
        await organise(office, put_rows, [(entity, key, {"valid_from": "2025-01-01"})])


def outside_of_intervals(connection: Connection, user: str) -> list[str]:
    """Contacts that a user's phones brought into the north at a moment at which he did not hold it."""
    query = select(scope_intervals.c.since_seq, scope_intervals.c.until_seq)
    spans = connection.execute(query.where(scope_intervals.c.user_key == user, scope_intervals.c.bucket == NORTH)).all()
    brought = select(feed.c.key, feed.c.first).where(feed.c.bucket == NORTH, feed.c.key.like(f"c-d-{user}%"))
    return [
        f"{key} at {first}, held in {spans}"
        for key, first in connection.execute(brought)
        if not any(since <= first and (until is None or first < until) for since, until in spans)
    ]


class Shift:
    """Ana and Bob push from two phones each while both lose and regain the north."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.phones = [office.phone(user, f"d-{user}-{i}") for user in ("ana", "bob") for i in range(2)]
        self.outcomes: list[str] = []

    async def push(self, phone: Phone, number: int) -> None:
        for place in range(2):
            values = {"account_key": "acme", "name": "New"}
            key = f"c-{phone.device}-{number}-{place}"
            answer = await send(phone, phone.mutation("create", "contacts", key, set=values))
            self.outcomes.append(answer.receipts[0].code or answer.receipts[0].outcome)

    async def one_round(self, number: int) -> None:
        await asyncio.gather(
            *(self.push(phone, number) for phone in self.phones),
            toggle(self.office, "territory_members", "tm-ana", number),
            toggle(self.office, "team_members", "m-ana", number),
            toggle(self.office, "territory_members", "tm-bob", number + 1 if number else 0),
        )

    async def until_wrong(self, rounds: int) -> list[str]:
        for number in range(rounds):
            await self.one_round(number)
            database, now = self.office.database, self.office.clock.now_ms()
            wrong = await database.read_async(findings, now)
            for user in ("ana", "bob"):
                wrong += await database.read_async(outside_of_intervals, user)
            if wrong:
                return wrong
        return []


def test_nothing_lands_for_a_user_after_his_revocation_committed(postgres_company: Database) -> None:
    office = slow_office(postgres_company)
    shift = Shift(office)
    assert run(postgres_company, lambda: shift.until_wrong(ROUNDS)) == []
    assert {"applied", "handed_over"} == set(shift.outcomes)  # he held the customer once, so it is offered (S37)


def test_a_push_that_does_not_hold_its_scope_is_found_out(
    postgres_company: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checker bites."""
    held_now = scope.held_now

    def careless(connection: Connection, user: str, **_locked: bool) -> frozenset[str]:
        return held_now(connection, user)

    monkeypatch.setattr(scope, "held_now", careless)
    shift = Shift(slow_office(postgres_company))
    assert run(postgres_company, lambda: shift.until_wrong(4 * ROUNDS)) != []


def test_concurrent_changes_of_the_organisation_do_not_lose_each_other(postgres_company: Database) -> None:
    """Four people reorganise at once; afterwards everybody holds what all changes together say, and devices follow."""
    office = slow_office(postgres_company)
    watching = [Watcher(office.phone(user, f"d-{user}-eyes")) for user in ("ana", "bob", "cleo", "mia")]
    places = ("tm-ana", "tm-bob", "tm-cleo")

    async def rounds() -> list[str]:
        wrong: list[str] = []
        for number in range(ROUNDS):
            await asyncio.gather(
                *(toggle(office, "territory_members", key, number) for key in places),
                toggle(office, "team_members", "m-mia", number),
                *(watcher.poll() for watcher in watching),
            )
            wrong += await office.database.read_async(findings, office.clock.now_ms())
            await asyncio.gather(*(watcher.until_caught_up() for watcher in watching))
            wrong += await lost_rows(office, watching)
        return wrong

    assert run(postgres_company, rounds) == []
    assert len(office.history("territory_members", "tm-ana")) == 1 + ROUNDS


def test_two_edges_that_make_a_circle_together_are_not_both_taken(postgres_company: Database) -> None:
    """R19: each is fine alone."""
    office = slow_office(postgres_company)
    tops = [("team_edges", f"e-{team}", {"parent_key": "all-sales"}) for team in ("north", "south")]

    async def hang(team: str, under: str) -> str:
        try:
            await organise(office, put_rows, [("team_edges", f"e-{team}", {"parent_key": under})])
        except Refused as refused:
            return refused.code
        return "taken"

    async def rounds() -> list[list[str]]:
        found = []
        for _ in range(3):
            await organise(office, put_rows, tops)
            found.append(sorted(await asyncio.gather(hang("north", "south"), hang("south", "north"))))
        return found

    assert run(postgres_company, rounds) == [["hierarchy_cycle", "taken"]] * 3


def test_a_dated_assignment_is_stamped_once_by_many_processes(postgres_company: Database) -> None:
    """S11: the job of one process, the job of another one, and the first push of the day."""
    office = slow_office(postgres_company)
    office.put(
        ("territory_members", "tm-later", {"territory_key": "t-south", "user_key": "ana", "valid_from": "2026-01-07"})
    )
    office.clock.advance(3 * DAY_MS)
    other = open_database(postgres_company.url)
    ana, bob = office.phone("ana"), office.phone("bob")

    async def morning() -> list[Any]:
        now = office.clock.now_ms()
        try:
            return await asyncio.gather(
                *(database.write_async(scope.make_due, now) for database in (postgres_company, other) * 2),
                send(ana, ana.mutation("create", "contacts", "early", set={"account_key": "zeta", "name": "Early"})),
                send(bob, bob.mutation("create", "contacts", "late", set={"account_key": "acme", "name": "Late"})),
            )
        finally:
            await other.close_async()

    *stamped, by_ana, _ = run(postgres_company, morning)
    assert stamped.count(True) <= 1
    assert by_ana.receipts[0].outcome == "applied"
    mine = [row for row in postgres_company.read(scope.intervals, "ana") if row.bucket == "territory:t-south"]
    assert len(mine) == 1
    assert postgres_company.read(findings, office.clock.now_ms()) == []
