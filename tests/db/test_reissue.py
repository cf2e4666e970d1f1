"""S7: documents are written anew in bounded batches, and nothing else changes."""

import pytest
from sqlalchemy import Connection, update

from sfa.db import reissue as batches
from sfa.db.reissue import reissue
from sfa.db.tables import feed
from tests.builders import NOW
from tests.office import Office


def test_every_document_is_told_again_and_revisions_stay(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """S7."""
    monkeypatch.setattr(batches, "BATCH_ROWS", 3)
    ana = office.phone("ana")
    ana.catch_up()

    def spoil(connection: Connection) -> None:
        connection.execute(update(feed).where(feed.c.entity == "users").values(doc=b'{"of":"an older version"}'))

    office.database.write(spoil)
    before = {row["key"]: row["rev"] for row in office.rows("users")}
    after: str | None = ""
    rounds = 0
    while after is not None:
        after = office.database.write(reissue, "users", after, NOW)
        rounds += 1
    assert rounds > 2
    assert {row["key"]: row["rev"] for row in office.rows("users")} == before
    told = {item.key: item.rev for page in ana.catch_up() for change in page.changes for item in change.items}
    assert told == before
