"""Customers made and sealed in batches, where there are many in a process of their own: one makes, the other writes.

The same order makes the same batches in the same sequence, wherever they are made. The maker reads nothing but its
order; whoever goes first, the other ends: a maker whose reader is gone stops, and a reader whose maker is gone raises
`RuntimeError`. A process is started anew and not forked, on every system, so it inherits neither locks nor connections.
"""

import gc
import multiprocessing
import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection as Pipe

from msgspec import Struct
from sqlalchemy import create_engine

from sfa.app.seed.company import make_company
from sfa.app.seed.customers import Customers
from sfa.app.seed.made import Days, Dice, Made, key_maker
from sfa.core.profiles import Profiles
from sfa.db.cells import Cell
from sfa.db.sealed import Sealed, packed, seal, unpacked
from sfa.db.writes import Door, Origin

BATCH_ROWS = 16_000
APART_FROM = 2_000  # customers: fewer are made before another process has started
BATCHES_WAITING = 1
READER_WAIT_S = 0.05
LAST = b""


class Order(Struct, frozen=True):
    """What is to be made, by the profiles of the company."""

    reps: int
    accounts: int
    seed: int
    today: str
    profiles: Profiles
    batch_rows: int = BATCH_ROWS


def sealed_batches(order: Order, *, apart: bool) -> Generator[Sealed, None, None]:
    """The customers of a company with their history, in the order in which they are to be written."""
    return _from_another_process(order) if apart else _made_here(order)


def put(door: Door, rows: Iterable[Made]) -> None:
    """Made rows and their later changes, as new ones: no query looks for them."""
    cells: dict[tuple[str, str], Cell] = {}
    for row in rows:
        place = (row.entity, row.key)
        cell = cells.get(place)
        if cell is None:
            cell = cells[place] = Cell(*place)
        door.put(cell, row.values, Origin(author_key=row.author, at=row.at, stored_at=row.at), row.kind)


@contextmanager
def without_collector() -> Iterator[None]:
    """Rows make no cycles, and looking for some in a batch's half million values would cost a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _made_here(order: Order) -> Generator[Sealed, None, None]:
    days, dice = Days(order.today), Dice(order.seed)
    company = make_company(order.reps, days, dice)  # again: its dice are where customers begin
    customers = Customers(company, order.accounts, days, dice, key_maker(order.seed, days))
    with create_engine("sqlite://").connect() as nothing:  # whatever the door would read here is not there
        for batch in batches((customers.make(number) for number in range(order.accounts)), order.batch_rows):
            door = Door(nothing, days.now_ms, order.profiles)
            put(door, batch)
            yield seal(door)


def batches(customers: Iterable[list[Made]], batch_rows: int) -> Iterator[list[Made]]:
    """At least so many rows each, but for the last; a customer is never parted."""
    batch: list[Made] = []
    for rows in customers:
        batch += rows
        if len(batch) >= batch_rows:
            yield batch
            batch = []
    if batch:
        yield batch


def _from_another_process(order: Order) -> Generator[Sealed, None, None]:
    spawning = multiprocessing.get_context("spawn")
    here, there = spawning.Pipe(duplex=False)
    maker = spawning.Process(target=_make, args=(order, there), name="sfa-seed-maker", daemon=True)
    maker.start()
    there.close()  # the maker has its own: when that is gone, the pipe ends
    arrived: queue.Queue[bytes | None] = queue.Queue(BATCHES_WAITING)
    reader = threading.Thread(target=_receive, args=(here, arrived), name="sfa-seed-reader", daemon=True)
    reader.start()
    try:
        while (content := arrived.get()) != LAST:
            if content is None:
                raise RuntimeError("the process that makes up customers ended before its work did")
            yield unpacked(content)
    finally:
        maker.terminate()
        maker.join()
        while reader.is_alive():  # until it has put away what it held and finds the pipe at its end
            with suppress(queue.Empty):
                arrived.get(timeout=READER_WAIT_S)
        reader.join()
        here.close()


def _make(order: Order, there: Pipe) -> None:
    """The maker's process. Its terminal's Ctrl-C is the reader's to answer."""
    with suppress(BrokenPipeError, KeyboardInterrupt), without_collector():
        for sealed in _made_here(order):
            there.send_bytes(packed(sealed))
        there.send_bytes(LAST)


def _receive(here: Pipe, arrived: "queue.Queue[bytes | None]") -> None:
    """Take what was made as it comes, so that the maker goes on while a batch is written; None where it broke off."""
    content: bytes | None = None
    while content != LAST:
        try:
            content = here.recv_bytes()
        except (EOFError, OSError):
            content = None
        arrived.put(content)
        if content is None:
            return
