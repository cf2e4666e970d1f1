"""The process that draws: apart from the server, kept busy by few, replaced when it dies."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from forecasting.pictures.drawing import Order
from forecasting.pictures.shown import exact
from forecasting.pictures.studio import WAITING_MAX, Studio
from forecasting.pictures.values import RollupPicture
from sfa.core.errors import Refused
from tests.forecasting.pictures.drawn import ACCURACY, MOVEMENT, ROLLUP

ONE = Order("vl", ROLLUP)


@asynccontextmanager
async def studio(idle_s: float = 60.0, within_s: float = 120.0) -> AsyncIterator[Studio]:
    found = Studio(idle_s, within_s)
    try:
        yield found
    finally:
        found.close()


def play(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def test_pictures_are_drawn_by_one_process_that_is_replaced_when_it_dies() -> None:
    async def work() -> None:
        async with studio() as found:
            assert not found.is_running  # nobody has asked
            spec, svg = await asyncio.gather(found.draw(ONE), found.draw(Order("svg", ACCURACY)))
            assert json.loads(spec)["title"]["text"].startswith("Forecast 2026-Q4")
            assert svg.startswith(b"<svg")
            process = found._process
            assert process is not None
            assert await found.draw(ONE) is spec  # from memory
            process.kill()
            process.wait()
            again = await found.draw(Order("svg", MOVEMENT))
            assert again.startswith(b"<svg")
            assert found._process is not process

    play(work)


def test_one_that_draws_too_long_is_ended_and_the_next_is_drawn() -> None:
    async def work() -> None:
        async with studio(within_s=0.01) as found:
            with pytest.raises(Refused) as refused:
                await found.draw(ONE)
            assert refused.value.code == "server_busy"
            assert not found.is_running
            found._within_s = 120.0
            assert json.loads(await found.draw(ONE))

    play(work)


def test_who_comes_while_many_wait_is_told_so_and_an_idle_process_ends() -> None:
    async def work() -> None:
        async with studio(idle_s=0.05) as found:
            orders = [Order("vl", ROLLUP, scale) for scale in range(1, WAITING_MAX + 3)]
            told = await asyncio.gather(*map(found.draw, orders), return_exceptions=True)
            codes = [one.code for one in told if isinstance(one, Refused)]
            assert codes == ["server_busy"] * 2
            assert len({one for one in told if isinstance(one, bytes)}) == 1
            process = found._process
            if process is not None:  # it has not ended yet
                await asyncio.to_thread(process.wait, 60)
            assert not found.is_running

    play(work)


def test_equal_orders_at_once_are_one_that_whoever_goes_leaves_to_the_others() -> None:
    async def work() -> None:
        async with studio() as found:
            asked = [asyncio.create_task(found.draw(ONE)) for _ in range(WAITING_MAX + 3)]
            await asyncio.sleep(0)
            asked[0].cancel()
            first, *others = await asyncio.gather(*asked, return_exceptions=True)
            assert isinstance(first, asyncio.CancelledError)
            assert isinstance(others[0], bytes)
            assert all(one is others[0] for one in others)  # nobody was sent away, and it was drawn once

    play(work)


def test_what_nobody_waits_for_makes_room() -> None:
    async def work() -> None:
        async with studio() as found:
            for _ in range(2):
                asked = [asyncio.create_task(found.draw(Order("vl", ROLLUP, n))) for n in range(WAITING_MAX)]
                await asyncio.sleep(0)
                for task in asked:
                    task.cancel()
                told = await asyncio.gather(*asked, return_exceptions=True)
                assert all(isinstance(one, asyncio.CancelledError) for one in told)
            assert json.loads(await found.draw(ONE))

    play(work)


def test_what_cannot_be_drawn_fails_alone() -> None:
    async def work() -> None:
        async with studio() as found:
            with pytest.raises(RuntimeError, match="was not drawn"):
                await found.draw(Order("vl", _broken()))
            process = found._process
            assert json.loads(await found.draw(ONE))
            assert found._process is process

    play(work)


def test_amounts_of_any_size_are_drawn() -> None:
    async def work() -> None:
        async with studio() as found:
            whole = replace(ROLLUP.whole, amounts={"closed": 5 * 10**24, "commit": -(2**65)})
            spec = json.loads(await found.draw(Order("vl", replace(ROLLUP, whole=whole, parts=[]))))
            assert exact(5 * 10**24, "EUR") in spec["description"]

    play(work)


def _broken() -> RollupPicture:
    return replace(ROLLUP, about=replace(ROLLUP.about, currency="XQQ"))
