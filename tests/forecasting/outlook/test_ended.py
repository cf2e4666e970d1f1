"""A run to its end: read off rows, answered by a real process, stored, and told."""

import asyncio

import msgspec
import pytest
from sqlalchemy import Connection

from forecasting.outlook import store, telling
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
