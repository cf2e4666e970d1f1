"""The ledger of commission under several writers at once (R41, S8): server processes win deals of one person, and give
him a plan, at the same moment."""

from sqlalchemy import select

from sfa.db.commissions import rebuild, verify
from sfa.db.database import Database, open_database
from sfa.db.tables import commission_entries
from tests.builders import NOW
from tests.db.test_commissions import has, plan
from tests.quotas.ledger import Row, rate, won
from tests.races.test_credits import ROUNDS, WRITERS, put, pytestmark, together

__all__ = ["pytestmark"]


def rows_of(database: Database) -> list[tuple[str, int, int]]:
    e = commission_entries.c
    query = select(e.period_key, e.number, e.amount_minor).order_by(e.period_key, e.number)
    return [(row[0], row[1], row[2]) for row in database.read(lambda c: c.execute(query).all())]


def test_deals_of_one_person_that_are_won_at_once_are_numbered_and_rated_one_after_the_other(
    postgres_company_url: str,
) -> None:
    databases = [open_database(postgres_company_url, durable=False) for _ in range(WRITERS)]
    try:
        databases[0].write(put, [plan(mode="whole"), has()])
        for turn in range(ROUNDS):
            together(databases, [[won(f"d{turn}-{n}", "2026-01-10", 30_00)] for n in range(WRITERS)])
            found = rows_of(databases[0])
            assert [number for _, number, _ in found] == list(range(1, len(found) + 1))
            assert sum(amount for _, _, amount in found) == (turn + 1) * WRITERS * 3_00  # the tier was crossed at once
            assert databases[0].read(verify) == []
    finally:
        for database in databases:
            database.close()


def test_deals_that_are_won_while_a_plan_is_given_or_a_rate_comes_are_all_paid(postgres_company_url: str) -> None:
    databases = [open_database(postgres_company_url, durable=False) for _ in range(WRITERS + 1)]
    try:
        databases[0].write(put, [plan(f"p{turn}", currency="EUR") for turn in range(ROUNDS * 2)])
        for turn in range(ROUNDS * 2):
            day = f"2026-01-{10 + turn}"
            deals = [[won(f"d{turn}-{n}", day, 30_00, currency="USD")] for n in range(WRITERS)]
            settings: list[Row] = [rate("USD", "EUR", "0.5", day)]
            if turn % 2:
                settings = [has("ana", f"p{turn}", valid_from=day)]
            together(databases, [*deals, settings])
            assert databases[0].read(verify) == [], turn
        assert rows_of(databases[0])
        assert databases[0].write(rebuild, NOW) == 0
    finally:
        for database in databases:
            database.close()
