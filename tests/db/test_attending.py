"""Looking for what waits: at once after news, when something falls due, every now and then, and after a failure."""

import asyncio
from collections.abc import Callable

import pytest

from sfa.core.clock import SystemClock
from sfa.db.attending import attend

LONG_S, CLOCK = 60.0, SystemClock()


def looks(answers: list[int | Exception | None], *, tell: bool = False, look_s: float = LONG_S) -> int:
    """How many looks there were when the answers are used up, each told at once where `tell` says so."""
    count = 0

    async def play() -> None:
        heard, done = asyncio.Event(), asyncio.Event()

        async def step() -> int | None:
            nonlocal count
            count += 1
            if count > len(answers):
                done.set()
                return None
            if tell:
                heard.set()
            answer = answers[count - 1]
            if isinstance(answer, Exception):
                raise answer
            return answer

        task = asyncio.create_task(attend(heard, CLOCK, step, look_s=look_s, what="to be tried"))
        async with asyncio.timeout(30):
            await done.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(play())
    return count


@pytest.mark.parametrize(
    "play",
    [
        lambda: looks([None, None], tell=True),
        lambda: looks([CLOCK.now_ms() - 5, CLOCK.now_ms() + 20]),
        lambda: looks([None, None], look_s=0.01),
        lambda: looks([RuntimeError("the database is away")] * 2, look_s=0.01),
    ],
    ids=["news", "due", "now and then", "failed"],
)
def test_it_is_looked_again(play: Callable[[], int]) -> None:
    assert play() == 3


def test_what_is_heard_while_it_looks_is_not_lost() -> None:
    """News of the very moment of a look make another one, although nothing is due."""
    assert looks([None], tell=True) == 2
