"""Runs of the engine, one after another: claimed, asked, answered, stored; cancelled at the next beat.

The database is read in one snapshot and let go before the work begins; the work is in a process of its own. A server
that is stopped leaves a run that nobody beats for, which the next one takes over.
"""

import asyncio
import logging

import msgspec

from forecasting.outlook import store
from forecasting.outlook.process import Step
from forecasting.outlook.reading import Read, read
from forecasting.outlook.store import Run, Said
from forecasting.outlook.worker import Told, Worker
from sfa.core.apart import Failed
from sfa.core.clock import Clock
from sfa.core.ids import KeyMaker
from sfa.db.database import Database

BEAT_S = 5.0
_log = logging.getLogger("sfa.forecast")


class _NotMine(Exception):
    """Cancelled, or taken over by somebody who thought that this process was dead."""


class Outlooks:
    """What one server process runs; `told` hears each step of it."""

    def __init__(
        self, database: Database, clock: Clock, worker: Worker, beat_s: float = BEAT_S, told: Told | None = None
    ) -> None:
        self._told = told
        self._database, self._clock, self._worker, self._beat_s = database, clock, worker, beat_s
        self._me = KeyMaker(clock).new()

    async def ask_daily(self, minute: int = 0) -> bool:
        """Today's run, once the day is so many minutes old."""
        return await self._database.write_async(store.ask_daily, self._clock.now_ms(), minute)

    async def run_all(self) -> int:
        """Every run that waits -> how many came to an end."""
        count = 0
        while await self.run_next() is not None:
            count += 1
        return count

    async def run_next(self) -> Run | None:
        """One run, to its end; None where none waits."""
        run = await self._database.write_async(store.claim, self._clock.now_ms(), self._me)
        if run is None:
            return None
        try:
            await self._answered(run.number, run.seed)
        except _NotMine:
            _log.info("run %d is not wanted any more", run.number)
        except Failed as failed:
            _log.warning("run %d: %s", run.number, failed)
            now_ms = self._clock.now_ms()
            await self._database.write_async(store.fail, now_ms, run.number, self._me, failed.code)
        return await self._database.read_async(store.numbered, run.number)

    async def _answered(self, number: int, seed: int) -> None:
        asked: Read = await self._database.read_apart_async(read, self._clock.now_ms(), seed)
        question = await asyncio.to_thread(msgspec.json.encode, asked.question)
        said = Said(asked.as_of, asked.seq, asked.question.currency)
        self._check(await self._database.write_async(store.began, number, self._me, said, question))
        answer = await self._beating(number, question)
        now_ms = self._clock.now_ms()
        self._check(await self._database.write_async(store.finish, now_ms, number, self._me, answer))

    async def _beating(self, number: int, question: bytes) -> bytes:
        """The answer, while every few seconds it is said how far it is, and asked whether anybody wants it."""
        step = Step("waiting", 0)

        async def note(told: Step) -> None:
            nonlocal step
            step = told
            if self._told is not None:
                await self._told(told)

        work = asyncio.create_task(self._worker.answer(question, note))
        try:
            while not (await asyncio.wait({work}, timeout=self._beat_s))[0]:
                now_ms, told = self._clock.now_ms(), (step.name, step.progress)
                self._check(await self._database.write_async(store.beat, now_ms, number, self._me, *told))
            return work.result()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work})

    @staticmethod
    def _check(is_mine: bool) -> None:
        if not is_mine:
            raise _NotMine
