"""A run to its end: read off rows, answered by a real process, stored, and told."""

import asyncio
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from forecasting.outlook import store, telling
from forecasting.outlook.reading import read
from forecasting.outlook.store import DONE, Run, Said
from forecasting.outlook.telling import Wanted
from forecasting.outlook.values import COMPANY, Answer
from forecasting.outlook.work import ENGINE, answer
from forecasting.outlook.worker import START
from tests.builders import DAY_MS
from tests.forecasting.outlook.asked import question_of
from tests.forecasting.outlook.test_running import run, served
from tests.forecasting.selling import Q1, order, selling
from tests.office import Office

pytestmark = pytest.mark.xdist_group("ended runs")  # a whole run of the engine is made once

__all__ = ["selling"]


def test_a_company_that_sells_has_a_range_of_the_quarter_once_its_first_deal_is_won(selling: Office) -> None:
    order(selling, "deal.win", "deal-b", day=1)
    selling.clock.advance(DAY_MS)
    assert asyncio.run(served(selling, START)) == 1
    found = run(selling)
    assert (found.state, found.code, found.engine) == (DONE, None, ENGINE)
    told = selling.database.read(telling.outlook, "root", Wanted(node=COMPANY))
    company = told.items[0].periods[0]
    assert company.period_key == Q1
    assert company.won_minor == 100_000
    assert company.range is not None
    assert company.range.p10_minor >= company.won_minor
    below = [item.periods[0].range for item in told.items[1:]]
    assert company.range.mean_minor == sum(found.mean_minor for found in below if found is not None)


@pytest.fixture(scope="module")
def made() -> tuple[bytes, Answer]:
    """The bytes of a question about three years of a company, and what is answered."""
    question = question_of(7, reps=4, arrivals=0.5)
    return msgspec.json.encode(question), answer(question, lambda *_: None)


def kept(office: Office, made: tuple[bytes, Answer]) -> Run:
    now_ms = office.clock.now_ms()

    def work(connection: Connection) -> None:
        store.ask(connection, now_ms, "2026-11-22")
        store.claim(connection, now_ms, "me")
        store.began(connection, 1, "me", Said("2026-11-22", 5, "EUR"), store.packed_question(made[0]))
        store.finish(connection, now_ms, 1, "me", store.packed_answer(msgspec.json.encode(made[1])))

    office.database.write(work)
    return run(office)


def test_what_was_answered_is_kept_whole_and_told_as_it_was_answered(
    office: Office, made: tuple[bytes, Answer]
) -> None:
    found = kept(office, made)
    assert found.found_digest == store.digest_of(msgspec.json.encode(made[1]))
    told = office.database.read(telling.outlook, "root", Wanted(node=COMPANY))
    assert told.items[0].periods == made[1].nodes[0].periods
    assert {item.node for item in told.items[1:]} == {"team:0", "team:1"}
    honest = office.database.read(telling.scores, "root", Wanted(node="user:rep-03"))
    assert honest.items == [score for score in made[1].scores if score.node == "user:rep-03"]
    assert {score.view for score in honest.items} >= {"pipeline", "series", "last_period", "blend"}
    assert office.database.read(store.deals, 1, ["rep-00"]) == {"rep-00": made[1].deals["rep-00"]}


def test_rows_that_no_company_would_have_are_answered_with_figures_or_codes(selling: Office) -> None:
    """Money below zero and beyond all money, dates in the wrong order and of other ages, no rate, leavers."""
    office, now_ms = selling, selling.clock.now_ms()
    odd: dict[str, dict[str, Any]] = {
        "nothing": {"amount_minor": 0},
        "below": {"amount_minor": -70_000},
        "beyond": {"amount_minor": 10**15},
        "francs": {"amount_minor": 5, "currency": "CHF"},
        "backwards": {"amount_minor": 100, "opened_on": "2026-01-04", "close_on": "2025-12-01"},
        "old": {"amount_minor": 100, "opened_on": "0001-01-01", "close_on": "9999-12-31"},
        "to come": {"amount_minor": 100, "opened_on": "2027-06-01"},
        "bare": {"amount_minor": None, "currency": None},
    }
    base = {"owner_key": "bob", "stage_key": "lead", "currency": "EUR"}
    office.put(*(("deals", f"x-{n}", {"name": name, **base, **row}) for n, (name, row) in enumerate(odd.items())))
    for n in range(0, len(odd), 2):
        office.put_server_row("deals", f"x-{n}", {"closed_at": now_ms - n * 40 * DAY_MS, "stage_key": "won"})
    order(office, "deal.win", "x-1")
    order(office, "deal.lose", "x-5", reason="price")
    office.put_server_row("users", "bob", {"active": False})
    office.clock.advance(3 * DAY_MS)
    found = office.database.read(read, office.clock.now_ms(), 1)
    said = answer(found.question, lambda *_: None)
    assert msgspec.json.decode(msgspec.json.encode(said), type=Answer) == said
    assert found.unrated == 1
    assert said.code is None
    for node in said.nodes:
        for period in node.periods:
            assert (period.range is None) == (period.code is not None), node.node
            if period.range is not None:
                assert period.range.p10_minor <= period.range.p50_minor <= period.range.p90_minor
