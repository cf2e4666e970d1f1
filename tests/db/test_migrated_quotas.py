"""Quotas of before there were units keep what they counted, and can still be changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from sfa.core.rules import broken
from sfa.db import migrations
from sfa.db.cells import read_cells
from sfa.db.database import Database, open_database


def _up_to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _insert(connection: Connection, key: str, measure: str, currency: str | None) -> None:
    values: dict[str, Any] = {"key": key, "measure": measure, "currency": currency}
    columns = "key, rev, gone, aged, stamps, buckets, user_key, period_key, measure, target, currency"
    said = ":key, 1, false, false, '{}', '[]', 'ana', 'q', :measure, 5, :currency"
    connection.execute(text(f"INSERT INTO quotas ({columns}) VALUES ({said})"), values)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    on_postgres = request.param == "postgresql"
    url = request.getfixturevalue("bare_postgres_url") if on_postgres else f"sqlite:///{tmp_path}/old.db"
    opened = open_database(url, durable=False)
    yield opened
    opened.close()


def test_a_quantity_of_before_there_were_units_counts_pieces_and_is_sound(empty_database: Database) -> None:
    def work(connection: Connection) -> dict[str, dict[str, Any]]:
        _up_to(connection, "0022")
        _insert(connection, "amount", "revenue", "EUR")
        _insert(connection, "pieces", "quantity", None)
        _up_to(connection, "head")
        return {cell.key: cell.row for cell in read_cells(connection, "quotas", ("amount", "pieces"))}

    rows = empty_database.write(work)
    assert {key: row["unit"] for key, row in rows.items()} == {"amount": None, "pieces": "piece"}
    assert [broken("quotas", row) for row in rows.values()] == [None, None]
