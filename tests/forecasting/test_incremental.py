"""A snapshot read off what changed is the one read off everything, whatever happened in between (R27); and what is
written lately of deals is found by an index."""

import random
from contextlib import suppress

import pytest
from sqlalchemy import Connection, select, text

from forecasting import taking
from forecasting.documents import DEAL, DONE
from sfa.core.errors import Refused
from sfa.db.tables import OF_DEALS, forecast_snapshots, forecast_versions, history
from tests.forecasting.selling import DOLLARS, order, take
from tests.forecasting.test_moving import some_day
from tests.forecasting.test_snapshots import at_day, documents, is_whole
from tests.office import Office


class Undone(Exception):
    """What was read is not to be kept."""


def as_whole(office: Office) -> dict[tuple[str, str], str]:
    """Every document of today, as a snapshot is that has none before it."""
    found: dict[tuple[str, str], str] = {}

    def everything(connection: Connection) -> None:
        connection.execute(forecast_versions.delete())
        connection.execute(forecast_snapshots.delete())
        taken = taking.look(connection, office.clock.now_ms())
        assert taken is not None
        found.update({(kind, key): doc for kind, key, doc in taken.begun})
        raise Undone

    with pytest.raises(Undone):
        office.database.write(everything)
    return found


def beside(choice: random.Random, office: Office, day: int) -> None:
    """What changes deals that nobody edits."""
    keys = [row["key"] for row in office.rows("deals") if not row["gone"]]
    match choice.randint(0, 8):
        case 0:
            office.put(
                ("accounts", choice.choice(["acme", "zeta"]), {"territory_key": choice.choice(["t-north", None])})
            )
        case 1:
            rate = {**DOLLARS, "rate": f"0.{choice.randint(3, 9)}", "valid_from": f"2026-01-{choice.randint(1, 28):02}"}
            office.put(("rates", f"r{choice.randint(1, 3)}", rate))
        case 2:
            office.put(("stages", "offer", {"probability_bp": choice.randint(1, 99) * 100}))
        case 3:
            event = choice.choice(["won", "signed", "invoiced"])
            office.put(("credit_rules", "rule", {"event": event, "valid_from": "2025-01-01"}))
        case 4:
            line = {"deal_key": choice.choice(keys), "product_key": "pump", "unit_price_minor": choice.randint(1, 9)}
            office.put(("deal_lines", "line-b1", line))
        case 5 if len(keys) > 3:
            office.delete("deals", choice.choice(keys))
        case 6:
            office.put(("users", choice.choice(["bob", "cleo"]), {"active": choice.choice([True, False])}))
        case 7:
            office.put(("teams", "south", {"name": f"South {day}"}))
        case 8:
            key = choice.choice(keys)
            row = office.row("deals", key)
            if row["closed_at"] is not None and row["invoiced_at"] is None:
                office.phone("root").do("deal.invoice", "deals", key, base=row["rev"])


@pytest.mark.parametrize("seed", [0, 1])
def test_a_day_after_any_other_days_is_what_it_would_be_without_them_r27(selling: Office, seed: int) -> None:
    choice = random.Random(seed)
    for day in range(7):
        for happens in (some_day, beside, beside):
            with suppress(Refused):  # a rate of that day is there already
                happens(choice, selling, day)
        take(selling, day)
        found = {(kind, key): doc for kind, key, doc in documents(selling, day + 1)}
        assert found == as_whole(selling), day


def test_the_territory_of_a_customer_changes_the_documents_of_its_closed_deals_r27(selling: Office) -> None:
    order(selling, "deal.win", "deal-a")
    for day in (1, 2):
        selling.put(("deals", "deal-b", {"amount_minor": day}))  # so that nobody reads the other again
        at_day(selling, day)
    selling.put(("accounts", "acme", {"territory_key": "t-south"}))
    at_day(selling, 3)
    assert is_whole(selling)


def test_a_deal_that_is_deleted_and_made_again_is_the_same_deal_r27(selling: Office) -> None:
    row = selling.row("deals", "deal-c")
    for day, is_there in ((0, True), (1, False), (2, True)):
        if day == 1:
            selling.delete("deals", "deal-c")
        if day == 2:
            selling.put(("deals", "deal-c", {name: row[name] for name in ("name", "owner_key", "stage_key")}))
        at_day(selling, day)
        assert is_whole(selling)
        found = {key for kind, key, _ in documents(selling, day + 1) if kind in (DEAL, DONE)}
        assert ("deal-c" in found) == is_there, day


def test_what_was_written_of_deals_lately_is_found_by_an_index(selling: Office) -> None:
    """PostgreSQL would rather read the few rows of a test one after the other."""
    query = select(history.c.entity, history.c.key, history.c.changes).where(OF_DEALS, history.c.seq >= 7)

    def plan(connection: Connection) -> str:
        is_sqlite = connection.dialect.name == "sqlite"
        if not is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        said = str(query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
        explain = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
        return "\n".join(str(tuple(row)) for row in connection.exec_driver_sql(explain + said))

    assert "ix_history_of_deals" in selling.database.read(plan)
    found = selling.database.read(lambda c: list(c.execute(query)))
    assert {row.entity for row in found} <= {"deals", "deal_lines", "accounts"}
    assert found
