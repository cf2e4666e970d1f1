"""Credits under several writers at once (R9, S8): two server processes change lines and costs of one won deal."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Barrier

import pytest
from sqlalchemy import Connection, delete, select

from sfa.db import feed
from sfa.db.credits import rebuild
from sfa.db.database import Database, open_database
from sfa.db.tables import credited, credited_quantities
from sfa.db.writes import Door, Origin
from tests.builders import NOW
from tests.quotas.ledger import Row, line, won

WRITERS = 4
ROUNDS = 4

pytestmark = pytest.mark.postgresql


def put(connection: Connection, rows: list[Row], meet: Callable[[], object] | None = None) -> None:
    door, origin = Door(connection, NOW), Origin(author_key=None, at=NOW, stored_at=NOW)
    for entity, key, values in rows:
        door.put(door.cell(entity, key), values, origin, "update")
    if meet is not None:
        meet()
    door.flush()


def together(databases: list[Database], rows: list[list[Row]]) -> None:
    """Each list in a transaction of its own, all of them about to flush at the same moment."""
    barrier = Barrier(len(rows))

    def once() -> Callable[[], object]:
        met: list[bool] = []

        def meet() -> None:
            if not met:  # a transaction that is tried again has met the others before
                met.append(True)
                barrier.wait(10)

        return meet

    with ThreadPoolExecutor(len(rows)) as pool:
        work = zip(databases, rows, strict=True)
        for done in [pool.submit(database.write, put, of, once()) for database, of in work]:
            done.result(60)


def test_lines_and_costs_that_come_at_once_are_all_credited(postgres_company_url: str) -> None:
    databases = [open_database(postgres_company_url, durable=False) for _ in range(WRITERS + 1)]
    try:
        databases[0].write(put, [won("a", "2026-01-10")])
        for turn in range(ROUNDS):
            lines = [[line(f"l{turn}-{n}", "a", "1")] for n in range(WRITERS)]
            cost: Row = ("unit_costs", "c-pump", {"amount_minor": 10_00 + turn})
            together(databases, [*lines, [cost]])
            (micro,) = databases[0].read(
                lambda c: c.execute(select(credited_quantities.c.quantity_micro)).scalars().all()
            )
            (spent,) = databases[0].read(lambda c: c.execute(select(credited.c.cost_minor)).scalars().all())
            assert micro == (turn + 1) * WRITERS * 1_000_000
            assert spent == (turn + 1) * WRITERS * (10_00 + turn)
            assert databases[0].write(rebuild) == 0
    finally:
        for database in databases:
            database.close()


def test_a_deal_that_is_won_while_its_cost_changes_is_credited_with_the_new_cost(postgres_company_url: str) -> None:
    databases = [open_database(postgres_company_url, durable=False) for _ in range(WRITERS + 1)]
    try:
        for turn in range(ROUNDS * 2):
            deals = [[won(f"d{turn}-{n}", "2026-01-10"), line(f"l{turn}-{n}", f"d{turn}-{n}")] for n in range(WRITERS)]
            together(databases, [*deals, [("unit_costs", "c-pump", {"amount_minor": 10_00 + turn})]])
            assert databases[0].write(rebuild) == 0, turn
    finally:
        for database in databases:
            database.close()


def test_r2_a_rebuild_waits_for_whoever_holds_the_clock_as_a_closing_does(postgres_company_url: str) -> None:
    one, other = (open_database(postgres_company_url, durable=False) for _ in range(2))

    def hold(connection: Connection) -> tuple[list[object], bool]:
        feed.take(connection, 0)
        rebuilt = pool.submit(other.write, rebuild)
        early = bool(wait([rebuilt], 0.5).done)
        return list(connection.execute(select(credited.c.deal_key)).scalars()), early

    try:
        one.write(put, [won("a", "2026-01-10")])
        one.write(lambda c: c.execute(delete(credited)))
        with ThreadPoolExecutor(1) as pool:
            assert one.write(hold) == ([], False)
        assert one.read(lambda c: c.execute(select(credited.c.deal_key)).scalars().all()) == ["a"]
    finally:
        one.close()
        other.close()
