"""Hand-overs when transactions really meet (S37): decided once, whoever is faster, never lost to a row that moves."""

import asyncio
from collections.abc import Iterator

import pytest

from sfa.db.database import open_database
from tests.builders import NOW
from tests.office import Office
from tests.races.crowd import run, send, slow_office
from tests.races.truth import findings

ROUNDS = 6


@pytest.fixture
def busy(company_url: str) -> Iterator[Office]:
    database = open_database(company_url)
    yield slow_office(database)
    database.close()


def test_of_several_who_decide_at_once_one_does(busy: Office) -> None:
    """Two accept, one declines: one of them is applied, and the row is changed once or not at all."""
    busy.put(
        ("territory_members", "tm", {"territory_key": "t-south", "user_key": "bob", "valid_from": "2025-01-01"}),
        ("accounts", "acme", {"territory_key": "t-south"}),
    )
    ana, cleo, bob, dirk = (busy.phone(user) for user in ("ana", "cleo", "bob", "dirk"))
    landed: list[bool] = []

    async def rounds() -> None:
        for number in range(ROUNDS):
            edit = ana.mutation("update", "accounts", "acme", base=1, set={"website": str(number)})
            key = str((await send(ana, edit)).receipts[0].suggestion)
            kinds = ((cleo, "accept"), (bob, "accept"), (dirk, "decline"))
            made = [(phone, phone.mutation(f"suggestion.{kind}", "suggestions", key, base=1)) for phone, kind in kinds]
            answers = await asyncio.gather(*(send(phone, mutation) for phone, mutation in made))
            codes = [answer.receipts[0].code or answer.receipts[0].outcome for answer in answers]
            assert sorted(codes) == ["applied", "conflict_closed", "conflict_closed"]
            landed.append(codes[2] != "applied")

    run(busy.database, rounds)
    reviewed = [entry for entry in busy.history("accounts", "acme") if entry["reviewed_by"] is not None]
    assert len(reviewed) == sum(landed)
    statuses = {(s["status"], busy.row("handovers", s["key"])["status"]) for s in busy.rows("suggestions")}
    assert statuses <= {("accepted", "accepted"), ("declined", "declined")}
    assert busy.database.read(findings, NOW) == []


def test_what_is_pushed_while_its_row_moves_lands_or_lies_where_the_row_lies(busy: Office) -> None:
    ana, dirk = busy.phone("ana"), busy.phone("dirk")
    outcomes: list[str] = []

    async def rounds() -> None:
        for number in range(2 * ROUNDS):
            territory = ("t-south", "t-north")[number % 2]
            moves = dirk.mutation("update", "accounts", "acme", base=1, set={"territory_key": territory})
            edit = ana.mutation("update", "contacts", "carl", base=1, set={"title": str(number)})
            visit = ana.mutation("create", "visits", f"v-{number}", set={"account_key": "acme"})
            answers = await asyncio.gather(send(dirk, moves), send(ana, edit, visit))
            assert answers[0].receipts[0].outcome == "applied"
            outcomes.extend(receipt.outcome for receipt in answers[1].receipts)

    run(busy.database, rounds)
    assert set(outcomes) <= {"applied", "handed_over"}
    assert len(busy.rows("suggestions")) == len(busy.rows("handovers")) == outcomes.count("handed_over")
    assert busy.database.read(findings, NOW) == []
