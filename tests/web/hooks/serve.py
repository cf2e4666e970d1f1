"""A server process that posts webhooks of a database, until it is killed: `python -m tests.web.hooks.serve URL NOW`."""

import asyncio
import sys

from sfa.core.clock import VirtualClock
from sfa.db.database import open_database
from tests.web.hooks.posting import hooks_of


async def main(url: str, now_ms: int) -> None:
    hooks = hooks_of(open_database(url, durable=False), VirtualClock(now_ms))
    hooks.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
