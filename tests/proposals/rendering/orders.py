"""Proposals whose documents are to be printed, a press without processes, and a server that runs them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from proposals.document import Document
from proposals.rendering import keeping, queue
from proposals.rendering.press import Press
from proposals.rendering.queue import DRAFT, Asked, Render
from proposals.rendering.running import Renders
from proposals.rendering.values import Order
from proposals.templates.template import BUILT_IN
from sfa.db.database import Database, open_database
from sfa.db.writes import Door, Origin
from sfa.files.local import Folder
from sfa.files.service import Files
from tests.office import Office
from tests.proposals import builders

SAMPLE = builders.document(number=None)


def document(title: str = "Pumps", **more: Any) -> Document:
    return msgspec.structs.replace(SAMPLE, title=title, **more)


def asked(key: str = "prop-a", title: str = "Pumps", **more: Any) -> Asked:
    """A draft that somebody waits for, unless more is said."""
    said = {"kind": DRAFT, "asked_by": "ana", "name": f"{title}.pdf", **more}
    paper = said.pop("document", None) or document(title)
    return Asked(proposal_key=key, document=paper, template=BUILT_IN["classic"], **said)


def proposal(office: Office, key: str = "prop-a", **more: Any) -> str:
    office.put(
        ("proposals", key, {"deal_key": "deal-a", "author_key": "ana", "title": "Pumps", "currency": "EUR", **more})
    )
    return key


def ordered(office: Office, *wanted: Asked) -> list[Render]:
    """As a command does it: the order and what the proposal says of it, in one transaction."""

    def work(connection: Any) -> list[Render]:
        now_ms, made = office.clock.now_ms(), []
        door, origin = Door(connection, now_ms), Origin(author_key="ana", at=now_ms, stored_at=now_ms)
        for one in wanted:
            render = queue.ask(connection, now_ms, one)
            door.put(door.cell("proposals", one.proposal_key), keeping.said_of(render), origin)
            made.append(render)
        door.flush()
        return made

    return office.database.write(work)


def standing(office: Office, render: Render) -> Render:
    return office.database.read(queue.read, render.proposal_key, render.digest)


class Hand(Press):
    """Prints without a process: what `make` gives for an order, or whatever it raises."""

    def __init__(self, make: Callable[[Document], bytes] | None = None, workers: int = 1) -> None:
        super().__init__(workers)
        self._make = make or (lambda paper: b"%PDF- " + paper.title.encode())
        self.printed: list[str] = []
        self.hold: asyncio.Event | None = None

    async def print(self, order: Order, _lines: int = 0) -> bytes:
        paper = msgspec.json.decode(order.document, type=Document)
        self.printed.append(paper.title)
        if self.hold is not None:
            await self.hold.wait()
        return self._make(paper)


@asynccontextmanager
async def server(
    office: Office, folder: Path, press: Press, beat_s: float = 0.02
) -> AsyncIterator[tuple[Database, Renders, Files]]:
    """A server of the same database, with connections of its own loop, and what it prints."""
    database = open_database(office.database.url, durable=False)
    files = Files(database, office.clock, Folder(folder))
    renders = Renders(files, press, beat_s)
    try:
        yield database, renders, files
    finally:
        await renders.close()
        files.close()
        await database.close_async()


def printed(office: Office, folder: Path, press: Press | None = None) -> int:
    """Everything that waits, by one server -> how many orders it began."""

    async def play() -> int:
        async with server(office, folder, press or Hand()) as (_, renders, _files):
            return await renders.run_all()

    return asyncio.run(play())
