"""New rows that are sealed in one place and written in another (S8)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from sfa.db import digests, sealed
from sfa.db.feed import Entry
from sfa.db.writes import Door, Origin
from tests.builders import NOW
from tests.office import Office

ORIGIN = Origin(author_key="ana", at=NOW - 5, stored_at=NOW)


def sealed_account(connection: Connection, key: str) -> sealed.Sealed:
    door = Door(connection, NOW)
    door.put(door.cell("accounts", key), {"name": "Ångström & Söhne", "territory_key": "north"}, ORIGIN)
    door.put(door.cell("contacts", f"{key}-c"), {"name": "Ida", "account_key": key}, ORIGIN)
    door.put(door.cell("contacts", f"{key}-c"), {"phone": "1"}, ORIGIN)
    return sealed.seal(door)


def test_what_was_sealed_is_written_with_its_versions_and_numbers(office: Office) -> None:
    before = office.seq()
    for key in ("a-one", "a-two"):
        found = sealed.unpacked(sealed.packed(office.database.read(sealed_account, key)))
        assert found.counts == {"accounts": 1, "contacts": 1}
        office.database.write(sealed.write, found)
    assert office.seq() == before + 4
    assert (office.row("contacts", "a-two-c")["phone"], office.row("contacts", "a-two-c")["rev"]) == ("1", 2)
    assert [(v["rev"], v["seq"]) for v in office.history("contacts", "a-two-c")] == [(1, before + 4), (2, before + 4)]
    assert office.row("accounts", "a-two")["buckets"] == ["territory:north"]
    assert office.database.read(digests.wrong) == {}


def test_a_key_that_is_taken_leaves_no_trace(office: Office) -> None:
    found = office.database.read(sealed_account, "a-one")
    office.database.write(sealed.write, found)
    before = office.seq()
    with pytest.raises(IntegrityError):
        office.database.write(sealed.write, found)
    assert office.seq() == before


@pytest.mark.parametrize("entity", ["contacts", "teams"])
def test_stored_rows_and_rows_that_decide_scopes_are_not_sealed(office: Office, entity: str) -> None:
    def work(connection: Connection) -> None:
        door = Door(connection, NOW)
        door.put(door.cell(entity, "carl" if entity == "contacts" else "t-new"), {"name": "New"}, ORIGIN)
        sealed.seal(door)

    with pytest.raises(ValueError, match="is not a new row of a customer"):
        office.database.read(work)


texts = st.text(st.characters(codec="utf-8"), max_size=5)
value = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | texts
entries = st.builds(Entry, texts, texts, texts, st.integers(1, 9), st.booleans(), st.binary())


@given(st.dictionaries(texts, st.lists(st.tuples(texts, value))), st.lists(entries), st.lists(st.tuples(value)))
def test_a_sealed_batch_arrives_as_it_was_sent(rows: dict[str, Any], told: list[Entry], versions: list[Any]) -> None:
    sent = sealed.Sealed(rows, [("a", "b", "c", "d")], told, versions)
    arrived = sealed.unpacked(sealed.packed(sent))
    assert arrived == sent
    assert repr(arrived) == repr(sent)  # 1 is not 1.0, nor True
