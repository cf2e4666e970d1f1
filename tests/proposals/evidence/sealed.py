"""A server that seals what was accepted, with a press that prints nothing or a real one, and what it made."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import select

from proposals.evidence.sealer import Sealer, Sealing
from proposals.pdf.printing import print_pdf
from proposals.pdf.values import Finishing
from proposals.rendering.press import Press
from proposals.rendering.values import Order
from sfa.db.database import open_database
from sfa.db.tables import proposal_answers
from sfa.files.local import Folder
from sfa.files.service import Files
from sfa.web.secret import Secret
from tests.office import Office
from tests.proposals.pdf.pages import BODY, page

SECRET = "a secret of the tests that is long enough"


@cache
def paper() -> bytes:
    """Printed once for a process: a page with a field that can be sealed."""
    finishing = Finishing("accepted.json", "Data", "Seal of the company")
    return print_pdf(page(BODY), document_json=b"{}", title="Offer", language="en", made_at=0, finishing=finishing)


class Hand(Press):
    """Prints the same page for every order, or whatever `make` does."""

    def __init__(self, make: Callable[[Order], bytes] | None = None) -> None:
        super().__init__(1)
        self._make = make or (lambda _order: paper())
        self.orders: list[Order] = []
        self.hold: asyncio.Event | None = None
        self.begun = asyncio.Event()

    async def print(self, order: Order, _lines: int = 0) -> bytes:
        self.orders.append(order)
        self.begun.set()
        if self.hold is not None:
            await self.hold.wait()
        return self._make(order)


@asynccontextmanager
async def server(
    office: Office, folder: Path, press: Press, *, beat_s: float = 0.02, secret: str = SECRET, **said: str
) -> AsyncIterator[tuple[Sealer, Files]]:
    """A server of the same database, with connections of its own loop."""
    database = open_database(office.database.url, durable=False)
    files = Files(database, office.clock, Folder(folder))
    sealer = Sealer(files, press, Secret(secret), Sealing(public_url="https://offers.example", **said), beat_s)
    try:
        yield sealer, files
    finally:
        await sealer.close()
        await press.close()
        files.close()
        await database.close_async()


def sealed(office: Office, folder: Path, press: Press | None = None, **said: Any) -> int:
    """Everything that waits, by one server -> how many."""

    async def play() -> int:
        async with server(office, folder, press or Hand(), **said) as (sealer, _):
            return await sealer.run_all()

    return asyncio.run(play())


def answer(office: Office, key: str = "p1") -> dict[str, Any]:
    (row,) = office.all(select(proposal_answers).where(proposal_answers.c.proposal_key == key))
    return row


def content(folder: Path, sha256: str) -> bytes:
    return b"".join(Folder(folder).read(sha256, 0, 50_000_000))
