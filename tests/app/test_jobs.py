"""Jobs: each slot is run once, and late rather than never."""

import asyncio

from sqlalchemy import select

from forecasting.outlook import store
from forecasting.outlook.running import Outlooks
from forecasting.outlook.worker import Worker
from sfa.app.jobs import JOBS, run_outlooks, scheduler
from sfa.core.clock import VirtualClock
from sfa.core.days import start_of_ms
from sfa.db import scope
from sfa.db.database import Database, open_database
from sfa.db.tables import job_runs
from tests.builders import NOW
from tests.forecasting.outlook.test_running import FINDS_NOTHING

TRIES_MAX = 200


def test_a_run_whose_time_has_passed_is_done_all_the_same(sqlite_url: str) -> None:
    """A server that slept through the moment of a daily job would otherwise wait for another day."""
    database = open_database(sqlite_url, durable=False)

    def finished() -> set[str]:
        query = select(job_runs.c.name).where(job_runs.c.finished_at.is_not(None))
        return set(database.read(lambda c: c.execute(query).scalars().all()))

    async def play() -> None:
        running = scheduler(database, VirtualClock(NOW))  # the first run is due at NOW, long ago
        running.start()
        for _ in range(TRIES_MAX):
            if finished() == set(JOBS):
                break
            await asyncio.sleep(0.01)
        running.shutdown(wait=False)

    asyncio.run(play())
    assert finished() == set(JOBS)
    database.close()


def test_a_run_of_the_engine_is_made_by_who_runs_it_also_where_another_server_had_the_slot(sqlite_url: str) -> None:
    """A server that runs none asks as well; it must not keep the others from running."""
    database, clock = open_database(sqlite_url, durable=False), VirtualClock(NOW)
    job = JOBS["make_outlook"]

    async def play() -> None:
        early = minutes_of(database, NOW) + 1
        await run_outlooks(database, clock, job, None, early)
        assert await database.read_async(store.under_way) is None  # the day is too young for it
        clock.advance(60_000)
        await run_outlooks(database, clock, job, None, 0)
        assert (await database.read_async(store.numbered, 1)).state == store.WAITING
        await run_outlooks(database, clock, job, Outlooks(database, clock, Worker(program=FINDS_NOTHING)), 0)
        assert (await database.read_async(store.numbered, 1)).state == store.DONE

    asyncio.run(play())
    database.close()


def minutes_of(database: Database, now_ms: int) -> int:
    """How old the company's day is."""
    began_at = database.read(lambda c: start_of_ms(scope.today(c, now_ms), scope.zone(c)))
    return (now_ms - began_at) // 60_000
