"""Runs of the engine, one after another: claimed, asked, answered, stored; cancelled at the next beat.

The database is read in one snapshot and let go before the work begins; the work is in a process of its own. A server
that is stopped leaves a run that nobody beats for, which the next one takes over; so does a database that is away for
longer than that, while shorter troubles are waited for: what took minutes is not thrown away for one lock. What goes
wrong in any other way, would go wrong again: the run failed.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec
from sqlalchemy.exc import InterfaceError, OperationalError

from forecasting.outlook import store
from forecasting.outlook.process import ENGINE_FAILED, Step
from forecasting.outlook.reading import Read, read
from forecasting.outlook.store import Packed, Run, Said
from forecasting.outlook.worker import Told, Worker
from sfa.core.apart import Failed
from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sfa.db.database import Database

BEAT_S = 5.0
BUSY = ("server_busy", "storage_full")
TRIES = store.STALE_MS // 5_000  # at storing an answer, a beat apart
FIRST = Step("reading", 0)
T = TypeVar("T")
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
        self._step = FIRST

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
        except Exception as error:
            if _is_passing(error):
                raise
            _log.exception("run %d", run.number)
            now_ms = self._clock.now_ms()
            await self._database.write_async(store.fail, now_ms, run.number, self._me, ENGINE_FAILED)
        return await self._database.read_async(store.numbered, run.number)

    async def _answered(self, number: int, seed: int) -> None:
        self._step = FIRST
        question, said, kept = await self._beating(number, self._asked(seed))
        self._check(await self._database.write_async(store.began, number, self._me, said, kept))
        answer = await self._beating(number, self._worker.answer(question, self._note))
        await self._store(number, await asyncio.to_thread(store.packed_answer, answer))

    async def _asked(self, seed: int) -> tuple[bytes, Said, Packed]:
        asked: Read = await self._database.read_apart_async(read, self._clock.now_ms(), seed)
        question = await asyncio.to_thread(msgspec.json.encode, asked.question)
        kept = await asyncio.to_thread(store.packed_question, question, asked.shared, asked.unrated)
        return question, Said(asked.as_of, asked.seq, asked.question.currency), kept

    async def _store(self, number: int, answer: Packed) -> None:
        for more in reversed(range(TRIES)):
            try:
                now_ms = self._clock.now_ms()
                self._check(await self._database.write_async(store.finish, now_ms, number, self._me, answer))
                return
            except Exception as error:
                if not (more and _is_passing(error)):
                    raise
                _log.warning("run %d is not stored yet: %s", number, error)
            await asyncio.sleep(self._beat_s)

    async def _note(self, step: Step) -> None:
        self._step = step
        if self._told is not None:
            await self._told(step)

    async def _beating(self, number: int, working: Coroutine[Any, Any, T]) -> T:
        """What comes of it, while every few seconds it is said how far it is, and asked whether anybody wants it."""
        work = asyncio.create_task(working)
        try:
            while not (await asyncio.wait({work}, timeout=self._beat_s))[0]:
                now_ms, told = self._clock.now_ms(), (self._step.name, self._step.progress)
                try:
                    self._check(await self._database.write_async(store.beat, now_ms, number, self._me, *told))
                except Exception as error:
                    if not _is_passing(error):
                        raise
                    _log.warning("run %d does not beat: %s", number, error)  # the next beat finds out whose it is
            return work.result()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work})

    @staticmethod
    def _check(is_mine: bool) -> None:
        if not is_mine:
            raise _NotMine


def _is_passing(error: Exception) -> bool:
    """Whether it is the database, which was busy or away, and not what was asked of it."""
    if isinstance(error, Refused):
        return error.code in BUSY
    return isinstance(error, OperationalError | InterfaceError | OSError)
