"""S18: the same thing twice in one moment happens once: a request, a key, an e-mail, a job. Deadlocks stay inside."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, select

from sfa.app import jobs
from sfa.app.jobs import JOBS
from sfa.core.clock import VirtualClock
from sfa.db.database import Database, open_database
from sfa.db.tables import job_runs
from sync.decisions import COMMANDS
from sync.protocol import Receipt
from sync.push import Push, push
from tests.builders import DAY_MS, NOW
from tests.office import Office, Phone
from tests.races.crowd import pause, run, send, send_body, slow_office
from tests.races.truth import findings

ROUNDS = 6


def fields(receipts: list[Receipt]) -> list[tuple[Any, ...]]:
    return [msgspec.structs.astuple(receipt) for receipt in receipts]


class TwoServers:
    """Two processes on one database, each with its own `Database` and its own round trip."""

    def __init__(self, url: str) -> None:
        self.databases = [open_database(url), open_database(url)]
        self.offices = [slow_office(database, seed) for seed, database in enumerate(self.databases)]
        self.office = self.offices[0]

    def run(self, main: Callable[[], Any]) -> Any:
        first, second = self.databases

        async def inner() -> Any:
            try:
                return await main()
            finally:
                if second.dialect == "postgresql":
                    await second.close_async()

        return run(first, inner)

    async def send_to(self, server: int, phone: Phone, body: bytes) -> list[Receipt]:
        there = Phone(self.offices[server], phone.user, phone.device)
        return (await send_body(there, body)).receipts

    def close(self) -> None:
        for database in self.databases:
            database.close()


@pytest.fixture
def servers(company_url: str) -> Any:
    opened = TwoServers(company_url)
    yield opened
    opened.close()


def test_one_device_that_syncs_twice_at_once_is_answered_the_same_twice(servers: TwoServers) -> None:
    """S18: an impatient app repeats its request to both servers before the first answer came."""
    ana = servers.office.phone("ana")

    async def rounds() -> None:
        for number in range(ROUNDS):
            body = ana.body(
                [
                    ana.mutation("create", "contacts", f"c-{number}", set={"account_key": "acme", "name": "New"}),
                    ana.mutation("update", "accounts", "acme", base=1, set={"phone": str(number)}),
                    ana.mutation("create", "contacts", f"x-{number}", set={"account_key": "zeta", "name": "Refused"}),
                ]
            )
            answers = await asyncio.gather(*(servers.send_to(place % 2, ana, body) for place in range(4)))
            assert [r.outcome for r in answers[0]] == ["applied", "applied", "refused"]
            assert all(fields(receipts) == fields(answers[0]) for receipts in answers)

    servers.run(rounds)
    office = servers.office
    assert office.device("d-ana")["last_n"] == 3 * ROUNDS
    assert len(office.history("accounts", "acme")) == 1 + ROUNDS
    assert len(office.rows("refusals")) == ROUNDS
    assert office.database.read(findings, NOW) == []


def test_a_key_made_by_two_devices_at_once_is_created_once_and_merged_once(servers: TwoServers) -> None:
    """S18: who comes second merges as an update."""
    ana, bob = servers.office.phone("ana"), servers.office.phone("bob")

    async def rounds() -> None:
        for number in range(ROUNDS):
            bodies = [
                (phone, phone.body([phone.mutation("create", "contacts", f"c-{number}", set=values)]))
                for phone, values in (
                    (ana, {"account_key": "acme", "name": "New", "phone": "1"}),
                    (bob, {"account_key": "acme", "name": "New", "mobile": "2"}),
                )
            ]
            await asyncio.gather(*(servers.send_to(i, phone, body) for i, (phone, body) in enumerate(bodies)))

    servers.run(rounds)
    for number in range(ROUNDS):
        kinds = [entry["kind"] for entry in servers.office.history("contacts", f"c-{number}")]
        row = servers.office.row("contacts", f"c-{number}")
        assert kinds == ["create", "update"]
        assert (row["phone"], row["mobile"]) == ("1", "2")
    assert servers.office.database.read(findings, NOW) == []


def test_a_key_made_at_once_by_two_who_do_not_see_each_other_is_taken_for_the_second(servers: TwoServers) -> None:
    """S18: `key_taken`, whoever comes second."""
    ana, cleo = servers.office.phone("ana"), servers.office.phone("cleo")

    async def rounds() -> None:
        for number in range(ROUNDS):
            bodies = [
                (phone, phone.body([phone.mutation("create", "contacts", f"c-{number}", set=values)]))
                for phone, values in (
                    (ana, {"account_key": "acme", "name": "Of Ana"}),
                    (cleo, {"account_key": "zeta", "name": "Of Cleo"}),
                )
            ]
            answers = await asyncio.gather(*(servers.send_to(i, p, body) for i, (p, body) in enumerate(bodies)))
            assert sorted(a[0].code or a[0].outcome for a in answers) == ["applied", "key_taken"]

    servers.run(rounds)
    assert servers.office.database.read(findings, NOW) == []


def test_an_e_mail_given_to_two_people_at_once_is_refused_for_the_second(servers: TwoServers) -> None:
    """One `duplicate_email`, and nobody's request fails for it."""
    phones = [servers.office.phone("root"), servers.office.phone("root", "d-root-2")]

    async def rounds() -> None:
        for number in range(ROUNDS):
            bodies = [
                phone.body(
                    [
                        phone.mutation(
                            "create",
                            "users",
                            f"u-{number}-{i}",
                            set={"name": "New", "email": f"{case}-{number}@x.example"},
                        )
                    ]
                )
                for i, (phone, case) in enumerate(zip(phones, ("new", "NEW"), strict=True))
            ]
            answers = await asyncio.gather(*(servers.send_to(i, phones[i], body) for i, body in enumerate(bodies)))
            assert sorted(a[0].code or a[0].outcome for a in answers) == ["applied", "duplicate_email"]

    servers.run(rounds)
    assert servers.office.database.read(findings, NOW) == []


def test_a_job_is_run_once_a_slot_by_two_processes(servers: TwoServers) -> None:
    """Each slot is claimed once, however many timers strike."""
    clock, job = VirtualClock(NOW), JOBS["mark_clock"]

    async def days() -> list[list[str | None]]:
        found = []
        for _ in range(ROUNDS):
            found.append(await asyncio.gather(*(jobs.run(db, clock, job) for db in servers.databases * 2)))
            clock.advance(DAY_MS)
        return found

    assert [len(list(filter(None, outcomes))) for outcomes in servers.run(days)] == [1] * ROUNDS
    runs = servers.office.all(select(job_runs))
    assert [row["outcome"] for row in runs] == ["noted"] * ROUNDS


# -- deadlocks ------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_deadlocks_are_tried_again_and_nobody_sees_them(postgres_company: Database) -> None:
    """Two people settle two customers each in one transaction, in opposite order, and both succeed."""
    office = Office(postgres_company)
    begun: list[str] = []

    def settle(connection: Connection, phone: Phone, numbered: list[dict[str, Any]]) -> list[str]:
        begun.append(phone.device)
        outcomes: list[str] = []
        for mutation in numbered:
            raw = [msgspec.Raw(msgspec.json.encode(mutation))]
            sent = Push(phone.user, phone.device, NOW, raw)
            outcomes.append(push(connection, sent, NOW, COMMANDS).receipts[0].outcome)
            pause(connection, 0.02)
        return outcomes

    phones = [office.phone("dirk", f"d-dirk-{i}") for i in range(2)]

    async def rounds() -> None:
        for number in range(ROUNDS):
            pair = [
                [
                    phone.mutation("update", "accounts", account, base=1, set={field: str(number)})
                    for account in accounts
                ]
                for phone, field, accounts in (
                    (phones[0], "phone", ("acme", "zeta")),
                    (phones[1], "industry", ("zeta", "acme")),
                )
            ]
            write = postgres_company.write_async
            answers = await asyncio.gather(*(write(settle, p, m) for p, m in zip(phones, pair, strict=True)))
            assert answers == [["applied", "applied"], ["applied", "applied"]]

    run(postgres_company, rounds)
    assert len(begun) > 2 * ROUNDS, "there was no deadlock to be tried again"
    for account in ("acme", "zeta"):
        row = office.row("accounts", account)
        assert (row["phone"], row["industry"], row["rev"]) == (str(ROUNDS - 1), str(ROUNDS - 1), 1 + 2 * ROUNDS)
    assert postgres_company.read(findings, NOW) == []


@pytest.mark.postgresql
def test_pushes_that_lock_upwards_end_well_too(postgres_company: Database) -> None:
    """A line of a deal locks the deal and then its customer; a move of the customer locks the other way round."""
    office = slow_office(postgres_company)
    ana, dirk = office.phone("ana"), office.phone("dirk")

    async def rounds() -> None:
        for number in range(ROUNDS):
            line = {"deal_key": "deal-a", "product_key": "pump", "quantity": str(number + 1)}
            to = ("t-south", "t-north")[number % 2]
            await asyncio.gather(
                send(ana, ana.mutation("create", "deal_lines", f"l-{number}", set=line)),
                send(dirk, dirk.mutation("update", "accounts", "acme", base=1, set={"territory_key": to})),
            )

    run(postgres_company, rounds)
    assert len(office.rows("deal_lines")) == ROUNDS  # her own deal is hers wherever the customer lies
    assert postgres_company.read(findings, NOW) == []
