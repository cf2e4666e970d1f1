"""Jobs: each slot is run once, and late rather than never."""

import asyncio

from sqlalchemy import select

from sfa.app.jobs import JOBS, scheduler
from sfa.core.clock import VirtualClock
from sfa.db.database import open_database
from sfa.db.tables import job_runs
from tests.builders import NOW

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
