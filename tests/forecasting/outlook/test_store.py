"""Runs are claimed once, taken over when their process dies, and end once."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from forecasting.outlook import store
from forecasting.outlook.store import ATTEMPTS_MAX, CANCELLED, DONE, FAILED, KEPT_DAYS, RUNNING, STALE_MS, WAITING, Said
from forecasting.outlook.values import Answer, DealOutlook, NodeOutlook, Outlook, Score
from sfa.core.errors import Refused
from sfa.db.database import Database
from sfa.db.tables import outlook_found

DAY, NOW = "2026-02-16", 1_771_200_000_000
QUARTER = Outlook(period_key="q1", won_minor=1, open_minor=2, new_minor=3, adjusted_minor=0, range=None, views=[])
DEAL = DealOutlook(key="d", win_bp=1, within_bp=[1], expected_minor=[2], reasons=[], similar=None)
SCORE = Score(
    node="company", view="blend", days=30, periods=4, wape_bp=1, bias_bp=0, pinball_minor=2, held_bp=3, few=True
)
FOUND = Answer(learnt=None, nodes=[NodeOutlook("company", [QUARTER])], deals={"ana": [DEAL]}, scores=[SCORE])
SAID = Said(DAY, 7, "EUR")
ASKED, ANSWER = store.packed_question(b"{}"), store.packed_answer(msgspec.json.encode(FOUND))


def newest(database: Database, day: str | None = None) -> int | None:
    found = database.read(store.newest, day)
    return found.number if found is not None else None


def write(database: Database, work: Any, *said: Any) -> Any:
    return database.write(work, *said)


@pytest.fixture
def claimed(database: Database) -> Database:
    """One run, claimed by `me`, its question kept."""
    write(database, store.ask, NOW, DAY)
    assert write(database, store.claim, NOW, "me").state == RUNNING
    assert write(database, store.began, 1, "me", SAID, ASKED)
    return database


def test_who_asks_twice_on_a_day_asks_once_while_it_is_under_way(database: Database) -> None:
    first, is_new = write(database, store.ask, NOW, DAY, "mia")
    assert (first.number, first.state, is_new) == (1, WAITING, True)
    assert write(database, store.ask, NOW, DAY, "bob") == (first, False)
    assert write(database, store.ask, NOW, "2026-02-17") == (first, False)  # it will be of the day that makes it
    write(database, store.claim, NOW, "me")
    assert write(database, store.ask, NOW, DAY, "bob")[0].number == 1
    assert write(database, store.ask, NOW, "2026-02-17")[0].number == 2


def test_days_on_which_nobody_makes_a_run_do_not_pile_up(database: Database) -> None:
    asked = [write(database, store.ask_daily, NOW + day * store.DAY_MS) for day in range(30)]
    assert asked == [True, *[False] * 29]
    assert write(database, store.claim, NOW + 30 * store.DAY_MS, "me").number == 1
    assert write(database, store.claim, NOW + 30 * store.DAY_MS, "me") is None


def test_a_run_is_claimed_by_one_process_alone(claimed: Database) -> None:
    assert write(claimed, store.claim, NOW + STALE_MS, "other") is None
    assert not write(claimed, store.beat, NOW, 1, "other", "work", 5)
    assert not write(claimed, store.finish, NOW, 1, "other", ANSWER)
    assert write(claimed, store.beat, NOW, 1, "me", "work", 5)


def test_what_was_found_is_stored_with_the_end_of_the_run(claimed: Database) -> None:
    assert write(claimed, store.finish, NOW + 9, 1, "me", ANSWER)
    run = claimed.read(store.newest)
    assert run is not None
    assert (run.number, run.state, run.ended_at, run.seq, run.currency) == (1, DONE, NOW + 9, 7, "EUR")
    assert (run.digest, run.found_digest) == (store.digest_of(b"{}"), store.digest_of(msgspec.json.encode(FOUND)))
    assert claimed.read(store.nodes, 1, ["company", "team:x"]) == {"company": FOUND.nodes[0]}
    assert claimed.read(store.deals, 1, ["ana"]) == FOUND.deals
    assert claimed.read(store.scores, 1, ["company"]) == {"company": [SCORE]}
    assert not write(claimed, store.finish, NOW + 9, 1, "me", ANSWER)  # it ends once


def test_a_run_whose_process_died_is_taken_over_and_the_dead_one_stores_nothing(claimed: Database) -> None:
    later = NOW + STALE_MS + 1
    taken = write(claimed, store.claim, later, "other")
    assert (taken.number, taken.claimed_by, taken.attempts) == (1, "other", 2)
    assert not write(claimed, store.finish, later, 1, "me", ANSWER)
    assert write(claimed, store.began, 1, "other", SAID, ASKED)  # asked anew: the question of before is gone
    assert write(claimed, store.finish, later, 1, "other", ANSWER)


def test_a_run_that_kills_every_process_is_given_up(database: Database) -> None:
    write(database, store.ask, NOW, DAY)
    for attempt in range(ATTEMPTS_MAX):
        assert write(database, store.claim, NOW + attempt * 2 * STALE_MS, f"p{attempt}") is not None
    assert write(database, store.claim, NOW + ATTEMPTS_MAX * 2 * STALE_MS, "last") is None
    run = database.read(store.numbered, 1)
    assert (run.state, run.code) == (FAILED, "worker_died")


def test_a_run_is_cancelled_while_it_is_under_way_and_stores_nothing_then(claimed: Database) -> None:
    assert write(claimed, store.cancel, NOW, 1).state == CANCELLED
    assert write(claimed, store.cancel, NOW, 1).state == CANCELLED
    assert not write(claimed, store.beat, NOW, 1, "me", "work", 5)
    assert not write(claimed, store.finish, NOW, 1, "me", ANSWER)
    assert claimed.read(store.newest) is None
    assert claimed.read(store.nodes, 1, ["company"]) == {}


def test_a_run_that_beats_in_a_future_which_the_clock_was_turned_back_from_is_taken_over(claimed: Database) -> None:
    soon = NOW + store.TURNED_MS
    assert write(claimed, store.beat, soon, 1, "me", "work", 5)  # by a server whose clock is ahead
    assert write(claimed, store.claim, NOW, "other") is None
    assert write(claimed, store.beat, soon + 1, 1, "me", "work", 5)
    assert write(claimed, store.claim, NOW, "other").claimed_by == "other"


@pytest.mark.parametrize(("number", "code"), [(1, "run_ended"), (9, "not_found")])
def test_what_is_over_is_cancelled_no_more(claimed: Database, number: int, code: str) -> None:
    write(claimed, store.finish, NOW, 1, "me", ANSWER)
    with pytest.raises(Refused) as refused:
        write(claimed, store.cancel, NOW, number)
    assert refused.value.code == code


def test_a_run_that_failed_says_why_and_what_was_found_before_is_served(claimed: Database) -> None:
    write(claimed, store.finish, NOW, 1, "me", ANSWER)
    write(claimed, store.ask, NOW, "2026-02-17")
    write(claimed, store.claim, NOW, "me")
    assert write(claimed, store.fail, NOW, 2, "me", "timed_out")
    assert (claimed.read(store.numbered, 2).code, newest(claimed)) == ("timed_out", 1)


def test_of_a_day_the_last_run_that_is_not_younger_is_told(claimed: Database) -> None:
    write(claimed, store.finish, NOW, 1, "me", ANSWER)
    assert claimed.read(store.newest, "2026-02-15") is None
    assert newest(claimed, DAY) == 1
    assert newest(claimed, "2026-03-01") == 1


def test_of_old_runs_one_a_week_keeps_its_deals_and_its_question_and_all_keep_their_ranges(database: Database) -> None:
    days = ["2026-02-15", "2026-02-16", "2026-02-17", "2026-02-22", "2026-02-23"]  # a Sunday, a week, a Monday
    for number, day in enumerate(days, 1):
        write(database, store.ask, NOW, day)
        write(database, store.claim, NOW, "me")
        write(database, store.began, number, "me", Said(day, 7, "EUR"), ASKED)
        write(database, store.finish, NOW, number, "me", ANSWER)
    assert write(database, store.forget, NOW + KEPT_DAYS * store.DAY_MS) == "0 documents"
    assert write(database, store.forget, NOW + KEPT_DAYS * store.DAY_MS + 1) == "8 documents"

    assert kept(database, "deals") == kept(database, "question") == [1, 2, 5]
    assert kept(database, "parts") == kept(database, "where") == [1, 2, 5]
    assert kept(database, "node") == [1, 2, 3, 4, 5]
    assert (database.read(store.where, 2), database.read(store.where, 3)) == ({"d": "ana"}, None)
    assert write(database, store.forget, NOW + KEPT_DAYS * store.DAY_MS + 1) == "0 documents"


def kept(database: Database, kind: str) -> list[int]:
    """The runs of which something is kept."""
    query = select(outlook_found.c.number).where(outlook_found.c.kind == kind).order_by(outlook_found.c.number)
    return database.read(lambda connection: list(connection.execute(query).scalars()))


def ran(database: Database, now_ms: int, day: str, end: str = DONE, answer: Any = ANSWER) -> None:
    """A run of a day to one of its ends."""
    number = write(database, store.ask, now_ms, day)[0].number
    write(database, store.claim, now_ms, "me")
    write(database, store.began, number, "me", Said(day, 7, "EUR"), ASKED)
    if end == DONE:
        assert write(database, store.finish, now_ms, number, "me", answer)
    elif end == FAILED:
        assert write(database, store.fail, now_ms, number, "me", "timed_out")
    else:
        write(database, store.cancel, now_ms, number)


def test_the_run_of_a_week_that_is_kept_is_one_that_found_something(database: Database) -> None:
    nothing = store.packed_answer(
        msgspec.json.encode(Answer(learnt=None, nodes=[], deals={}, scores=[], code="no_periods"))
    )
    for day, end, answer in (
        ("2026-02-16", FAILED, ANSWER),
        ("2026-02-17", CANCELLED, ANSWER),
        ("2026-02-18", DONE, nothing),
        ("2026-02-19", DONE, ANSWER),
        ("2026-02-20", DONE, ANSWER),
        ("2026-02-23", DONE, ANSWER),
    ):
        ran(database, NOW, day, end, answer)
    write(database, store.forget, NOW + KEPT_DAYS * store.DAY_MS + 1)
    assert kept(database, "question") == kept(database, "where") == [4, 6]


def test_the_last_run_keeps_its_deals_for_as_long_as_it_is_told(database: Database) -> None:
    for day in ("2026-02-16", "2026-02-17", "2026-02-18"):
        ran(database, NOW, day)
    for days in (60, 61):  # the engine stands still for months
        write(database, store.forget, NOW + days * store.DAY_MS)
    assert kept(database, "deals") == [1, 3]
    ran(database, NOW + 63 * store.DAY_MS, "2026-04-20")
    write(database, store.forget, NOW + 64 * store.DAY_MS)
    assert kept(database, "deals") == [1, 4]


def test_what_was_asked_long_before_it_was_made_is_kept_from_its_end_on(database: Database) -> None:
    ran(database, NOW, "2026-02-16")
    write(database, store.ask, NOW, "2026-02-17")  # nobody runs it for 40 days
    late = NOW + 40 * store.DAY_MS
    write(database, store.claim, late, "me")
    write(database, store.began, 2, "me", Said("2026-03-28", 7, "EUR"), ASKED)
    write(database, store.forget, late)
    assert kept(database, "question") == [1, 2]  # somebody is at it
    assert write(database, store.finish, late, 2, "me", ANSWER)
    ran(database, late, "2026-03-28")
    write(database, store.forget, late)
    assert kept(database, "deals") == [1, 2, 3]
