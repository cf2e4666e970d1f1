"""Proposals (docs/proposals.md): from a document to stored bytes against WeasyPrint alone, in one run.

Raw is the library in this process on finished HTML, with the same fonts and the same kind of file, warm, and what was
imported before frozen: no template, no queue, no accessibility. Ours is everything: the order in the database, the
template, printing in a process of its own, the bytes in their folder, attachment and proposal. Both are counted by CPU,
of the server and its processes together, as documents a minute and core. Beside them a table of 500 lines, a stored PDF
over HTTP, and a preview.
"""

import asyncio
import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import psutil
from msgspec import Struct
from sqlalchemy import Connection

from bench import company
from bench.client import hammer
from bench.server import SECRET, TTL_S, running
from bench.subjects import Figures
from proposals import typed
from proposals.document import Document, canonical
from proposals.rendering import keeping, process, queue
from proposals.rendering.press import Press
from proposals.rendering.queue import Asked
from proposals.rendering.running import Renders
from proposals.rendering.values import Order
from proposals.templates.template import BUILT_IN
from proposals.typed import TypedLine, TypedOffer
from sfa.core.clock import SystemClock
from sfa.core.ids import KeyMaker
from sfa.db.database import Database, open_database
from sfa.db.migrations import upgrade_database
from sfa.db.writes import Door, Origin
from sfa.files.service import Files, open_place
from sfa.web.secret import Secret
from sfa.web.tokens import AccessTokens

TEMPLATE = BUILT_IN["classic"]
SAMPLE = Path(typed.__file__).parent / "sample.json"
RAW, OURS = "WeasyPrint alone, in one process", "from document to stored bytes"
LONG = 500


class Size(Struct, frozen=True):
    documents: int = 60
    gets: int = 400
    previews: int = 50


QUICK = Size(documents=15, gets=100, previews=15)


def four_pages() -> Document:
    """The sample, with lines enough for four pages."""
    offer = msgspec.json.decode(SAMPLE.read_bytes(), type=TypedOffer)
    more = tuple(_line(place) for place in range(20))
    return typed.document_of(msgspec.structs.replace(offer, lines=offer.lines + more), "2026-03-04")


def long() -> Document:
    offer = msgspec.json.decode(SAMPLE.read_bytes(), type=TypedOffer)
    lines = tuple(_line(place) for place in range(LONG))
    return typed.document_of(msgspec.structs.replace(offer, lines=lines, sections=()), "2026-03-04")


def _line(place: int) -> TypedLine:
    name = f"Spare part {place:03}, galvanised"
    return TypedLine(key=f"s{place}", name=name, sku=f"SP-{place:04}", unit="pcs", quantity="3", unit_price_minor=1_250)


def measured(database: Database, size: Size) -> Iterator[tuple[str, Figures]]:
    """The database is empty, and a file."""
    paper = four_pages()
    upgrade_database(database)
    company.found(database)
    database.write(company.put, _offers(size.documents))
    yield RAW, _raw(paper, size.documents)
    yield OURS, asyncio.run(_ours(database, paper, size.documents))
    yield f"{LONG} lines, as printed", _once(lambda: process.made(_order(long(), "pdf")))
    yield f"{LONG} lines, WeasyPrint alone", _once(_raw_once(long()))
    yield "a stored PDF over HTTP", _served(database, size.gets)
    yield "a preview, by its process", asyncio.run(_previews(paper, size.previews))


def _order(paper: Document, form: Any) -> Order:
    return Order(canonical(paper), TEMPLATE, {}, form)


def _raw_once(paper: Document) -> Callable[[], bytes]:
    from proposals.pdf.engine import font_configuration, weasyprint

    html = process.made(_order(paper, "print")).decode()

    def once() -> bytes:
        laid = weasyprint().HTML(string=html).render(font_config=font_configuration(), pdf_variant="pdf/a-3a")
        made: bytes = laid.write_pdf(pdf_variant="pdf/a-3a")
        return made

    return once


def _raw(paper: Document, count: int) -> Figures:
    once = _raw_once(paper)
    size = len(once())
    gc.collect()
    gc.freeze()  # the collector would look through the whole bench with each document
    begun, used = time.perf_counter(), time.process_time()
    for _ in range(count):
        once()
    return _figures(count, time.process_time() - used, time.perf_counter() - begun, size)


async def _ours(database: Database, paper: Document, count: int) -> Figures:
    """One process prints; what it uses before its first order is not counted, as the import of the library is not."""
    clock = SystemClock()
    files = Files(database, clock, open_place("", database.url))
    renders = Renders(files, Press(1))
    try:
        await _asked(database, clock, paper, "warm")
        await renders.run_all()
        (pid,) = renders.press.pids
        child = psutil.Process(pid)
        begun, used, printed = time.perf_counter(), time.process_time(), sum(child.cpu_times()[:2])
        for place in range(count):
            await _asked(database, clock, paper, f"p{place}")
        ended = await renders.run_all()
        cpu = time.process_time() - used + sum(child.cpu_times()[:2]) - printed
        found = await database.read_async(queue.newest, f"p{count - 1}")
        if ended != count or found is None or found.size is None:
            raise RuntimeError(f"{ended} of {count} documents were printed")
        return _figures(count, cpu, time.perf_counter() - begun, found.size)
    finally:
        await renders.close()
        files.close()


async def _asked(database: Database, clock: SystemClock, paper: Document, key: str) -> None:
    own = msgspec.structs.replace(paper, title=f"{paper.title} {key}")
    wanted = Asked(
        proposal_key=key, document=own, template=TEMPLATE, kind=queue.FINAL, name=f"{key}.pdf", asked_by="rep-0"
    )

    def work(connection: Connection, now_ms: int) -> None:
        door, render = Door(connection, now_ms), queue.ask(connection, now_ms, wanted)
        origin = Origin(author_key="rep-0", at=now_ms, stored_at=now_ms)
        door.put(door.cell("proposals", key), keeping.said_of(render), origin)
        door.flush()

    await database.write_async(work, clock.now_ms())


def _offers(count: int) -> company.Rows:
    said = {"deal_key": "deal", "author_key": "rep-0", "title": "Offer", "currency": "EUR"}
    deal = {"name": "Deal", "owner_key": "rep-0", "account_key": "a-0", "stage_key": "lead"}
    rows: company.Rows = [("stages", "lead", {"name": "Lead", "position": 1}), ("deals", "deal", deal)]
    return rows + [("proposals", key, said) for key in ("warm", *(f"p{place}" for place in range(count)))]


def _figures(count: int, cpu_s: float, wall_s: float, size: int) -> Figures:
    return {
        "a_minute_and_core": round(count * 60 / cpu_s, 1),
        "cpu_ms": round(cpu_s / count * 1000, 1),
        "wall_ms": round(wall_s / count * 1000, 1),
        "kib": round(size / 1024, 1),
    }


def _once(work: Callable[[], bytes]) -> Figures:
    begun, used = time.perf_counter(), time.process_time()
    made = work()
    return _figures(1, time.process_time() - used, time.perf_counter() - begun, len(made))


def _served(database: Database, count: int) -> Figures:
    """By a server of its own, which finds the bytes where they were stored."""
    clock = SystemClock()
    tokens = AccessTokens(Secret(SECRET), clock, TTL_S)
    device = company.register(database, tokens, clock.now_ms(), KeyMaker(clock), of_a_rep=1, name="pdf")[0]
    head = "GET /api/proposals/p0/pdf HTTP/1.1\r\nhost: bench\r\n"
    asked = f"{head}authorization: Bearer {device.token}\r\n\r\n".encode()
    sizes: set[int] = set()
    with running(database.url) as server:
        asyncio.run(hammer(server.port, [[asked] * 20]))
        used = server.cpu_s()
        times = asyncio.run(hammer(server.port, [[asked] * count], lambda body: sizes.add(len(body))))
        used = server.cpu_s() - used
    return {
        "p50_ms": round(statistics.median(times), 2),
        "p99_ms": round(statistics.quantiles(times, n=100)[98], 2),
        "cpu_ms": round(used / count * 1000, 2),
        "kib": round(max(sizes) / 1024, 1),
    }


async def _previews(paper: Document, count: int) -> Figures:
    press = Press(0)
    try:
        order, times = _order(paper, "screen"), []
        html = await press.preview(order)
        used = time.process_time()
        for _ in range(count):
            begun = time.perf_counter()
            await press.preview(order)
            times.append((time.perf_counter() - begun) * 1000)
        return {
            "p50_ms": round(statistics.median(times), 2),
            "p99_ms": round(statistics.quantiles(times, n=100)[98], 2),
            "server_cpu_ms": round((time.process_time() - used) / count * 1000, 2),
            "kib": round(len(html) / 1024, 1),
        }
    finally:
        await press.close()


def bench(url: str, size: Size) -> Iterator[tuple[str, Figures]]:
    with closing(open_database(url)) as database:
        yield from measured(database, size)
