"""How a process attends to what waits in the database: at once after a commit, when something falls due, and every now
and then, because what was heard may have been lost."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

from sfa.core.clock import Clock

PAUSE_S = 0.05  # commits come in crowds: one look is for all of them
_log = logging.getLogger("sfa.attending")


async def attend(
    heard: asyncio.Event, clock: Clock, step: Callable[[], Awaitable[int | None]], *, look_s: float, what: str
) -> NoReturn:
    """Until it is cancelled. `step` begins what can be begun and answers when there may be more (ms; None: nobody
    knows); one that fails is done again by the next look. `what` is to be done, for the log: "to be printed"."""
    while True:
        heard.clear()
        wait_s = look_s
        try:
            next_at = await step()
            if next_at is not None:
                wait_s = min(look_s, max(0.0, (next_at - clock.now_ms()) / 1000))
        except Exception:
            _log.exception("cannot look what is %s; the next look does it", what)
        await asyncio.sleep(PAUSE_S)
        try:
            async with asyncio.timeout(wait_s):
                await heard.wait()
        except TimeoutError:
            pass
