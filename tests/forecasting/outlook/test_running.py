"""A run from the question to what is kept, in a real process, and what becomes of it when somebody is in the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from forecasting.outlook import store
from forecasting.outlook.running import Outlooks
from forecasting.outlook.store import CANCELLED, DONE, FAILED, RUNNING, Run
from forecasting.outlook.worker import Worker
from sfa.db.database import Database, open_database
from tests.forecasting.outlook.test_worker import PROGRAM, SLEEPS
from tests.office import Office

FOUND = "return work.Answer(learnt=None, nodes=[], deals={}, scores=[], code='no_history')"
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
