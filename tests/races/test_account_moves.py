"""S8: a child written while its account moves, or while the account team changes, lies where the account lies.

Six phones add contacts, visits, notes and deals to one customer while a director moves it from territory to territory
and back, and finance changes its team. At the end every stored place and every live entry of the feed must be what the
rows themselves say, and the phones of both territories must hold exactly that.
"""

import asyncio
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from sfa.db import cells
from sfa.db.cells import Lock
from sfa.db.database import Database
from sync.decisions import COMMANDS
from sync.push import Push, push
from tests.builders import NOW, delete_row, put_rows
from tests.office import Office, Phone
from tests.races.crowd import Watcher, paused, run, send, slow_office, watched
from tests.races.test_commit_order import lost_rows
from tests.races.truth import Truth, feed_errors, findings, misplaced

pytestmark = pytest.mark.postgresql
WORKERS = ("dirk", "dirk", "dirk", "ana", "cleo", "bob")
WATCHING = ("ana", "cleo", "bob", "dirk", "mia")
TERRITORIES = ("t-south", "t-north")
ROUNDS = 6
LATE_S = 0.02  # when the phones have begun, and have not committed


def children(phone: Phone, name: str) -> list[Any]:
    """A contact who consents, a visit with its note that is submitted and corrected, and a deal with a line, all of one
    customer: every storey that there is below one."""
    owner, acme = phone.user, {"account_key": "acme"}
    deal = {"name": "Deal", "owner_key": owner, "stage_key": "lead"}
    rows = [
        ("contacts", f"c-{name}", {**acme, "name": "New"}),
        ("visits", f"v-{name}", {**acme, "owner_key": owner, "purpose": "Look"}),
        ("notes", f"n-{name}", {**acme, "visit_key": f"v-{name}", "body": "Words"}),
        ("deals", f"d-{name}", {**acme, **deal}),
        ("deal_lines", f"l-{name}", {"deal_key": f"d-{name}", "product_key": "pump"}),
        ("consents", f"k-{name}", {"contact_key": f"c-{name}", "purpose": "news", "granted": True}),
    ]
    correction = {"values": {"purpose": "Talk"}, "reason": "It was no look"}
    done = [("visit.no_show", {}), ("visit.submit", {}), ("visit.amend", correction)]
    made = [phone.mutation("create", entity, key, set=values) for entity, key, values in rows]
    return made + [phone.mutation(kind, "visits", f"v-{name}", base=1, set=values) for kind, values in done]


def move(phone: Phone, number: int) -> list[Any]:
    values = {"territory_key": TERRITORIES[number % 2]}
    return [phone.mutation("update", "accounts", "acme", base=1, set=values)]


async def change_team_online(office: Office, number: int) -> None:
    """Mia joins the team in one round and leaves it in the next, at the office's own screen."""
    key, now = f"am-mia-{number // 2}", office.clock.now_ms()
    rows = [("account_members", key, {"account_key": "acme", "user_key": "mia"})]
    if number % 2 == 0:
        await office.database.write_async(paused, LATE_S, 0.0, put_rows, (rows, now))
    else:
        await office.database.write_async(paused, LATE_S, 0.0, delete_row, ("account_members", key, now))


def change_team(phone: Phone, number: int) -> list[Any]:
    """Bob and Cleo join the team in one round and leave it in the next."""
    place = number // 2
    changes: list[Any] = []
    for user in ("bob", "cleo"):
        key = f"am-{user}-{place}"
        if number % 2 == 0:
            values = {"account_key": "acme", "user_key": user}
            changes.append(phone.mutation("create", "account_members", key, set=values))
        else:
            changes.append(phone.mutation("delete", "account_members", key, base=1))
    return changes


class Crew:
    """The phones of one test."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.workers = [office.phone(user, f"d-{user}-{place}") for place, user in enumerate(WORKERS)]
        self.mover, self.planner = office.phone("dirk"), office.phone("fay")
        self.watching = [Watcher(office.phone(user, f"d-{user}-eyes")) for user in WATCHING]

    async def one_round(self, number: int) -> None:
        await asyncio.gather(
            *(send(worker, *children(worker, f"{worker.device}-{number}")) for worker in self.workers),
            send(self.mover, *move(self.mover, number)),
            send(self.planner, *change_team(self.planner, number)),
            change_team_online(self.office, number),
        )

    async def until_wrong(self, rounds: int) -> list[str]:
        """What was wrong after the first round that left something wrong."""
        for number in range(rounds):
            await watched(self.watching, self.one_round(number))
            wrong = await self.office.database.read_async(places_and_entries, self.office.clock.now_ms())
            wrong += await lost_rows(self.office, self.watching)
            if wrong:
                return wrong
        return []


def places_and_entries(connection: Connection, now_ms: int) -> list[str]:
    truth = Truth(connection, now_ms)
    return [*misplaced(truth), *feed_errors(connection, truth)]


def test_children_written_while_their_account_moves_lie_where_it_lies(postgres_company: Database) -> None:
    office = slow_office(postgres_company)
    crew = Crew(office)
    assert run(postgres_company, lambda: crew.until_wrong(ROUNDS)) == []
    assert len(office.rows("contacts")) >= 2 + 3 * ROUNDS  # the director's always land, whoever holds the customer
    for entity in ("consents", "visit_amendments", "deal_lines", "notes"):
        assert len(office.rows(entity)) >= 3 * ROUNDS, entity
    assert len(office.history("accounts", "acme")) == 1 + ROUNDS
    assert postgres_company.read(findings, office.clock.now_ms()) == []


def test_a_parent_read_without_its_lock_is_found_out(
    postgres_company: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checker bites."""
    locked = cells._by_key

    def careless(entity: str, lock: Lock) -> Any:
        return locked(entity, "none" if lock == "share" else lock)

    monkeypatch.setattr(cells, "_by_key", careless)
    crew = Crew(slow_office(postgres_company))
    assert run(postgres_company, lambda: crew.until_wrong(4 * ROUNDS)) != []


def test_the_last_of_two_reasons_to_hold_a_customer_decides(postgres_company: Database) -> None:
    """Bob is in the team twice by mistake: one entry goes while another one comes, many times over."""
    office = slow_office(postgres_company)
    office.put(("account_members", "am-0", {"account_key": "acme", "user_key": "bob"}))
    first, second = office.phone("fay"), office.phone("fay", "d-fay-2")

    async def rounds() -> None:
        for number in range(3 * ROUNDS):
            leaves = first.mutation("delete", "account_members", f"am-{number}", base=1)
            comes = second.mutation(
                "create", "account_members", f"am-{number + 1}", set={"account_key": "acme", "user_key": "bob"}
            )
            await asyncio.gather(send(first, leaves), send(second, comes))

    run(postgres_company, rounds)
    assert [row["key"] for row in office.rows("account_members")] == [f"am-{3 * ROUNDS}"]
    assert "user:bob" in office.row("accounts", "acme")["buckets"]
    assert postgres_company.read(findings, office.clock.now_ms()) == []


def test_a_team_changed_at_the_office_waits_for_the_children_on_their_way(postgres_company: Database) -> None:
    """The office names the customer before it knows that this will move it, so it shares the lock at first."""
    office = Office(postgres_company)
    dirk = office.phone("dirk")
    raw = [msgspec.Raw(msgspec.json.encode(mutation)) for mutation in children(dirk, "late")]
    sent = Push("dirk", "d-dirk", NOW, raw)
    write = postgres_company.write_async

    async def both() -> None:
        pushed = write(paused, 0.0, 4 * LATE_S, push, (sent, NOW, COMMANDS))
        await asyncio.gather(pushed, change_team_online(office, 0))

    run(postgres_company, both)
    assert "user:mia" in office.row("contacts", "c-late")["buckets"]
    assert postgres_company.read(findings, NOW) == []
