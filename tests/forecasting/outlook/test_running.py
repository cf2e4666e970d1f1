"""A run from the question to what is kept, in a real process, and what becomes of it when somebody is in the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from forecasting.outlook import running, store, telling
from forecasting.outlook.running import Outlooks
from forecasting.outlook.store import CANCELLED, DONE, FAILED, RUNNING, Run
from forecasting.outlook.telling import Wanted
from forecasting.outlook.values import Answer, Learnt
from forecasting.outlook.worker import Worker
from sfa.core.errors import Refused
from sfa.db.database import Database, open_database
from tests.forecasting.outlook.test_worker import PROGRAM, SLEEPS
from tests.office import Office

FOUND = "return work.Answer(learnt=None, nodes=[], deals={}, scores=[], code='no_history')"
NOTHING = msgspec.json.encode(Answer(learnt=None, nodes=[], deals={}, scores=[], code="no_history"))
OF_ANA = {"name": "Deal", "owner_key": "ana", "stage_key": "lead"}
FINDS_NOTHING = PROGRAM.replace("WHAT", FOUND)


@asynccontextmanager
async def server(office: Office, program: str) -> AsyncIterator[tuple[Database, Outlooks]]:
    """A server of the same database, with connections of its own loop, and what it runs."""
    database = open_database(office.database.url, durable=False)
    try:
        yield database, Outlooks(database, office.clock, Worker(program=program), beat_s=0.05)
    finally:
        await database.close_async()


async def served(office: Office, program: str) -> int:
    """A server asks for the run of the day, and runs what waits -> how many."""
    async with server(office, program) as (_, outlooks):
        await outlooks.ask_daily()
        return await outlooks.run_all()


async def working(database: Database) -> None:
    """Once the process has said how far it is."""
    while (await database.read_async(store.numbered, 1)).progress == 0:  # noqa: ASYNC110 - as a screen asks
        await asyncio.sleep(0.02)


def run(office: Office, number: int = 1) -> Run:
    return office.database.read(store.numbered, number)


def test_the_run_of_a_day_is_asked_once_and_comes_to_its_end(office: Office) -> None:
    assert [asyncio.run(served(office, FINDS_NOTHING)) for _ in range(2)] == [1, 0]
    found = run(office)
    assert (found.state, found.progress, found.code) == (DONE, 1_000, "no_history")
    data, question = office.database.read(store.question, 1)
    assert store.digest_of(data) == found.digest
    assert question.seed == found.seed


def test_a_run_that_somebody_cancels_ends_its_process_and_keeps_nothing(office: Office) -> None:
    async def story() -> Run | None:
        async with server(office, SLEEPS) as (database, outlooks):
            await outlooks.ask_daily()
            task = asyncio.create_task(outlooks.run_next())
            await working(database)
            await database.write_async(store.cancel, office.clock.now_ms(), 1)
            return await asyncio.wait_for(task, 20)

    found = asyncio.run(story())
    assert found is not None
    assert found.state == CANCELLED
    assert office.database.read(store.newest) is None


def test_a_server_that_stops_leaves_a_run_that_the_next_one_takes_over(office: Office) -> None:
    async def stopped() -> None:
        async with server(office, SLEEPS) as (database, outlooks):
            await outlooks.ask_daily()
            task = asyncio.create_task(outlooks.run_next())
            await working(database)
            task.cancel()
            await asyncio.wait({task})

    asyncio.run(stopped())
    assert run(office).state == RUNNING
    assert asyncio.run(served(office, FINDS_NOTHING)) == 0  # who knows whether it is dead
    office.clock.advance(store.STALE_MS + 1)
    assert asyncio.run(served(office, FINDS_NOTHING)) == 1
    assert (run(office).state, run(office).attempts) == (DONE, 2)


def test_an_engine_that_fails_is_told_with_its_code(office: Office) -> None:
    asyncio.run(served(office, PROGRAM.replace("WHAT", "raise ValueError('odd')")))
    assert (run(office).state, run(office).code) == (FAILED, "engine_failed")


class Quick:
    """A worker that has its answer after a while."""

    def __init__(self, answer: bytes = NOTHING, after_s: float = 0.0) -> None:
        self._answer, self._after_s = answer, after_s

    async def answer(self, _question: bytes, _told: object) -> bytes:
        await asyncio.sleep(self._after_s)
        return self._answer


class Busy:
    """A database that has no time for some writes, as often as is said."""

    def __init__(self, of: Database, **often: int) -> None:
        self._of, self._often = of, often

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of, name)

    async def write_async(self, work: Any, *said: Any) -> Any:
        if self._often.get(work.__name__, 0) > 0:
            self._often[work.__name__] -= 1
            raise Refused("server_busy", "another process holds the database's write lock")
        return await self._of.write_async(work, *said)


async def played(office: Office, worker: Any, **busy: int) -> None:
    database = open_database(office.database.url, durable=False)
    try:
        troubled: Any = Busy(database, **busy)
        outlooks = Outlooks(troubled, office.clock, worker, beat_s=0.02)
        await outlooks.ask_daily()
        assert await outlooks.run_all() == 1
    finally:
        await database.close_async()


def test_an_answer_that_is_none_fails_the_run_at_once_and_not_one_process_after_another(office: Office) -> None:
    learnt = Learnt(engine="1", cut_off=1, closed_deals=0, signal=False, said={"odd": float("nan")})
    odd = msgspec.json.encode(Answer(learnt=learnt, nodes=[], deals={}, scores=[]))
    asyncio.run(played(office, Quick(odd)))
    found = run(office)
    assert (found.state, found.code, found.attempts) == (FAILED, "engine_failed", 1)


def test_rows_that_cannot_be_read_fail_the_run_with_a_code(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def circle(*_: object) -> None:
        raise Refused("hierarchy_cycle", child="a", parent="b", on="2026-01-01")

    monkeypatch.setattr(running, "read", circle)
    asyncio.run(played(office, Quick()))
    assert (run(office).state, run(office).code) == (FAILED, "engine_failed")


def test_how_much_money_has_no_rate_is_told_with_the_figures_that_it_is_not_in(office: Office) -> None:
    office.put(("deals", "francs", {**OF_ANA, "amount_minor": 5, "currency": "CHF"}), ("deals", "none", OF_ANA))
    asyncio.run(played(office, Quick()))
    assert office.database.read(telling.outlook, "root", Wanted()).unrated == 1


def test_a_database_that_is_busy_for_a_while_costs_no_work(office: Office) -> None:
    asyncio.run(played(office, Quick(after_s=0.2), beat=2, finish=3))
    found = run(office)
    assert (found.state, found.code, found.attempts) == (DONE, "no_history", 1)


def test_what_is_not_stored_in_time_is_left_to_who_takes_it_over(office: Office) -> None:
    with pytest.raises(Refused):
        asyncio.run(played(office, Quick(), finish=running.TRIES))
    assert run(office).state == RUNNING
    office.clock.advance(store.STALE_MS + 1)
    asyncio.run(played(office, Quick()))
    assert (run(office).state, run(office).attempts) == (DONE, 2)


def test_of_two_servers_one_makes_the_run(office: Office) -> None:
    async def both() -> list[int]:
        async with server(office, FINDS_NOTHING) as (one, _), server(office, FINDS_NOTHING) as (two, _):
            worker: Any = Quick(after_s=0.1)
            servers = [Outlooks(database, office.clock, worker, beat_s=0.02) for database in (one, two)]
            asked = await asyncio.gather(*(outlooks.ask_daily() for outlooks in servers))
            assert sorted(asked) == [False, True]
            return await asyncio.gather(*(outlooks.run_all() for outlooks in servers))

    assert sorted(asyncio.run(both())) == [0, 1]
    assert (run(office).state, run(office).attempts) == (DONE, 1)
    assert office.database.read(store.listing, None, 9) == [run(office)]


class Cancelled(Busy):
    """A database in which somebody takes the run back in the moment in which its answer is stored."""

    async def write_async(self, work: Any, *said: Any) -> Any:
        if work is store.finish:
            await self._of.write_async(store.cancel, 1, 1)
        return await self._of.write_async(work, *said)


def test_who_cancels_in_the_last_moment_is_not_told_that_the_run_came_to_its_end(office: Office) -> None:
    async def story() -> None:
        async with server(office, FINDS_NOTHING) as (database, _):
            troubled: Any = Cancelled(database)
            worker: Any = Quick()
            outlooks = Outlooks(troubled, office.clock, worker)
            await outlooks.ask_daily()
            await outlooks.run_all()

    asyncio.run(story())
    assert run(office).state == CANCELLED
    assert office.database.read(store.newest) is None
    assert office.database.read(store.where, 1) is None
