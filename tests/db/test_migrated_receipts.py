"""Receipts of before they were private are so after the upgrade, without another command (R45, S7)."""

from typing import Any

import pytest
from sqlalchemy import Connection, select, text, update

from sfa.db import reissue
from sfa.db.database import Database
from sfa.db.migrations import upgrade_database
from sfa.db.tables import ROWS
from tests.crm.desk import opened
from tests.db.test_migrated_quotas import _up_to, empty_database  # noqa: F401 - a fixture
from tests.office import Office

FILE = {"name": "r.txt", "media_type": "text/plain", "size": 1, "sha256": "0" * 64, "author_key": "ana"}
NORTH = '["territory:t-north"]'


def _before_it_was_private(connection: Connection) -> None:
    """A customer's file of a schema in which every file lay with its customer."""
    _up_to(connection, "0027")
    common = "rev, gone, aged, stamps, buckets"
    said = f"1, false, false, '{{}}', '{NORTH}'"
    connection.execute(text(f"INSERT INTO accounts (key, {common}, name, tags) VALUES ('acme', {said}, 'A', '[]')"))
    columns = "account_key, author_key, name, kind, media_type, size, sha256, stored"
    for key, kind in (("slip", "receipt"), ("plan", "photo")):
        values = f"'{key}', {said}, 'acme', 'ana', 'r', '{kind}', 'text/plain', 1, '0', false"
        connection.execute(text(f"INSERT INTO attachments (key, {common}, {columns}) VALUES ({values})"))


def _lie(connection: Connection) -> dict[str, list[str]]:
    table = ROWS["attachments"].c
    return {key: list(buckets) for key, buckets in connection.execute(select(table.key, table.buckets))}


def test_the_upgrade_lays_receipts_into_the_book_of_their_author(empty_database: Database) -> None:  # noqa: F811
    empty_database.write(_before_it_was_private)
    upgrade_database(empty_database)
    assert empty_database.read(_lie) == {"slip": ["book:ana"], "plan": ["territory:t-north"]}

    def told(connection: Connection) -> set[Any]:
        return {tuple(row) for row in connection.execute(text("SELECT bucket, gone FROM feed WHERE key = 'slip'"))}

    assert empty_database.read(told) == {("territory:t-north", True), ("book:ana", False)}


def test_colleagues_lose_the_receipts_that_they_had(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """On devices with their next delta and at screens at once; an upgrade again finds nothing."""
    monkeypatch.setattr(reissue, "BATCH_ROWS", 2)
    slips = [f"slip-{n}" for n in range(5)]
    office.put(*(("attachments", key, {**FILE, "account_key": "acme"}) for key in (*slips, "plan")))
    table = ROWS["attachments"]

    def call_receipts(connection: Connection) -> None:
        connection.execute(update(table).where(table.c.key.in_(slips)).values(kind="receipt"))

    office.database.write(call_receipts)
    bob, ana = office.phone("bob"), office.phone("ana")
    for phone in (bob, ana):
        phone.catch_up()
        assert ("attachments", "slip-4") in phone.sees()
    upgrade_database(office.database, office.clock)
    files = []
    for phone in (bob, ana):
        phone.catch_up()
        files.append({key for entity, key in phone.sees() if entity == "attachments"})
    assert files == [{"plan"}, {*slips, "plan"}]
    with opened(office) as desk:
        assert [desk.get(who, "/api/attachments/slip-0").status_code for who in ("bob", "ana", "mia")] == [
            404,
            200,
            200,
        ]

    def number(connection: Connection) -> int:
        return int(connection.execute(text("SELECT seq FROM clock")).scalar_one())

    stood = office.database.read(number)
    upgrade_database(office.database, office.clock)
    assert office.database.read(number) == stood
