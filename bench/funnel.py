"""The funnel and beats (docs/funnel.md, docs/opens.md): 100,000 versions of 60,000 proposals, and pages being read.

Rows are made by arithmetic and inserted in bulk: what is measured is reading, counting and answering for a director,
who sees all of it. The funnel's floor hands over the version, deal and first open of each and counts nothing. A beat is
what `opens.seen` does of a session that counted; its floor changes the same row by its key. Both write one by one.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, func, insert, select, text, update

from bench.attainment import SYSTEM, insert_rows
from bench.forecast import best
from bench.subjects import Figures
from proposals import funnel_reading
from proposals.buyer import opens
from proposals.buyer.links import Link
from proposals.buyer.opens import Beat
from proposals.buyer.people import Marks
from sfa.core.days import start_of_ms
from sfa.db.database import Database
from sfa.db.migrations import upgrade_database
from sfa.db.proposal_timeline import Visitor
from sfa.db.tables import ROWS, proposal_events, proposal_opens, proposal_versions, scope_intervals

START = start_of_ms("2026-01-01", "Europe/Madrid")
WINDOW = (START, start_of_ms("2027-01-01", "Europe/Madrid"))
STATES = ("accepted", "declined", "expired", "withdrawn", "viewed", "sent")
FUNNEL, FLOOR = "funnel by rep, from rows to JSON", "floor: the rows alone"
BEAT, ROW = "a beat of a session", "floor: its row changed by key"
AGENT = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/142.0 Mobile Safari/537.36"
TURNS, PEOPLE, DAY_MS = 3, 200, 86_400_000


class Size(Struct, frozen=True):
    proposals: int = 60_000
    revised: int = 40_000  # of them have a second version
    beats: int = 2_000


QUICK = Size(proposals=6_000, revised=4_000, beats=400)


def made(database: Database, size: Size) -> None:
    """The company in an empty database."""
    upgrade_database(database)
    database.write(_founded)
    every = range(size.proposals)
    deal = {"stage_key": "s", "closings": [], "splits": [], "overlays": [], "currency": "EUR", "amount_minor": 1}
    insert_rows(
        database,
        ROWS["deals"],
        ({**SYSTEM, **deal, "key": f"d{n}", "name": "D", "owner_key": f"u{n % PEOPLE}"} for n in every),
    )
    listed = ("discounts", "instalments", "sections", "enclosures", "needs")
    proposal: dict[str, Any] = {**dict.fromkeys(listed, ()), "tax_inclusive": False, "version": 1, "opens": 0}
    proposal |= {"title": "P", "language": "en", "currency": "EUR", "rounding": "half_up", "rounding_per": "line"}
    insert_rows(
        database,
        ROWS["proposals"],
        (
            {**SYSTEM, **proposal, "key": f"p{n}", "deal_key": f"d{n}", "author_key": "dirk", "status": "sent"}
            for n in every
        ),
    )
    insert_rows(database, proposal_versions, _versions(size))
    insert_rows(database, proposal_events, _events(size))
    database.write(lambda connection: connection.execute(text("ANALYZE")))


def _founded(connection: Connection) -> None:
    def put(entity: str, *rows: dict[str, Any]) -> None:
        blank = {column.name: None for column in ROWS[entity].c}
        connection.execute(insert(ROWS[entity]), [{**blank, **SYSTEM, **row} for row in rows])

    put("organisations", {"key": "org", "name": "Company", "zone": "Europe/Madrid", "currency": "EUR"})
    put("users", {"key": "dirk", "name": "Dirk", "email": "d@example.com", "role": "director", "active": True})
    names = (f"u{n}" for n in range(PEOPLE))
    put("users", *({"key": k, "name": k, "email": f"{k}@example.com", "role": "rep", "active": True} for k in names))
    held = {"user_key": "dirk", "bucket": "all", "since_seq": 0, "until_seq": None}
    connection.execute(insert(scope_intervals), held)


def _versions(size: Size) -> Iterator[dict[str, Any]]:
    said = {"document": b"{}", "digest": "0" * 64, "template_version": 1, "template_digest": "0" * 64}
    said |= {"language": "en", "currency": "EUR", "valid_until": "2027-01-01", "series": "Q"}
    for n in range(size.proposals):
        for version in range(1, 2 + (n < size.revised)):
            status = STATES[n % len(STATES)] if version == 1 + (n < size.revised) else "superseded"
            at = START + n * 7_919 % 340 * DAY_MS + n % 86_400 * 1_000 + version * DAY_MS
            yield {**said, "proposal_key": f"p{n}", "version": version, "deal_key": f"d{n}", "number": f"Q-{n}",
                   "ordinal": n, "total_minor": 10_000 + n, "sent_at": at, "status": status,
                   "ended_at": at + 5 * DAY_MS if status not in ("sent", "viewed") else None}  # fmt: skip


def _events(size: Size) -> Iterator[dict[str, Any]]:
    for one in _versions(size):
        if one["status"] != "sent":
            said = {"kind": "opened", "detail": b"{}", "before": "", "digest": ""}
            of = {"proposal_key": one["proposal_key"], "n": one["version"], "version": one["version"]}
            yield {**said, **of, "at": one["sent_at"] + 3_600_000}


# -- measuring --------------------------------------------------------------------------------------------------------


def measured(database: Database, size: Size) -> Iterator[tuple[str, Figures]]:
    """Of the company that `made` left in the database."""
    yield FUNNEL, best(TURNS, lambda: database.read(_funnel))
    yield FLOOR, best(TURNS, lambda: database.read(_rows))
    link = Link(link_key="l", proposal_key="p5", version=2, made_at=START)
    row = {"link_key": "l", "session": "s" * 22, "proposal_key": "p5", "version": 2, "began_at": START, "seconds": 0}
    row |= {"last_at": START, "sections": {}, "beats": 0, "counted": True}
    database.write(lambda connection: connection.execute(insert(proposal_opens), row))
    yield ROW, _each(size.beats, lambda n: database.write(_changed, n))
    yield BEAT, _each(size.beats, lambda n: database.write(_beat, n, link))


def _funnel(connection: Connection) -> int:
    found = funnel_reading.told(connection, "dirk", WINDOW[1], "2026-01-01", "2027-01-01", "rep")
    msgspec.json.encode(found)
    return found.total.sent


def _rows(connection: Connection) -> int:
    v, d, e = proposal_versions.c, ROWS["deals"].c, proposal_events.c
    first = select(e.proposal_key, e.version, func.min(e.at).label("at")).group_by(e.proposal_key, e.version).subquery()
    same = (first.c.proposal_key == v.proposal_key) & (first.c.version == v.version)
    query = select(v.proposal_key, v.version, v.status, v.sent_at, v.total_minor, d.owner_key, first.c.at)
    joined = query.join(ROWS["deals"], d.key == v.deal_key).join(first, same, isouter=True)
    return len(connection.execute(joined).all())


def _changed(connection: Connection, n: int) -> None:
    here = proposal_opens.c
    this = (here.link_key == "l", here.session == "s" * 22)
    connection.execute(update(proposal_opens).where(*this).values(seconds=n, last_at=START, sections={"@prices": n}))


def _beat(connection: Connection, n: int, link: Link) -> None:
    beat = Beat(session="s" * 22, seconds=n, sections={"@prices": n}, acted=True)
    if n % opens.BEATS_MAX == 0:  # a session takes so many; the next one begins
        connection.execute(update(proposal_opens).values(beats=0))
    opens.seen(connection, START + n * 15_000, link, beat, Marks(visitor=Visitor(None, AGENT)))


def _each(count: int, work: Callable[[int], object]) -> Figures:
    begun, used = time.perf_counter(), time.process_time()
    for n in range(1, count + 1):
        work(n)
    wall, cpu = time.perf_counter() - begun, time.process_time() - used
    return {"answers": count, "each_ms": round(wall / count * 1e3, 3), "each_cpu_ms": round(cpu / count * 1e3, 3)}
