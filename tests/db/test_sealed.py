"""New rows that are sealed in one place and written in another (S8)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select

from sfa.core.errors import Refused
from sfa.db import sealed
from sfa.db.feed import face
from sfa.db.tables import ROWS, history
from sfa.db.writes import Door, Origin
from tests.builders import NOW
from tests.office import Office

ORIGIN = Origin(author_key="ana", at=NOW - 5, stored_at=NOW)


def sealed_account(connection: Connection, key: str, after: int) -> sealed.Sealed:
    door = Door(connection, NOW)
    door.put(door.cell("accounts", key), {"name": "Ångström & Söhne", "territory_key": "north"}, ORIGIN)
    door.put(door.cell("contacts", f"{key}-c"), {"name": "Ida", "account_key": key}, ORIGIN)
    door.put(door.cell("contacts", f"{key}-c"), {"phone": "1"}, ORIGIN)
    return sealed.seal(door, after)


def count(connection: Connection, table: Any) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_what_was_sealed_is_written_with_its_versions_and_numbers(office: Office) -> None:
    before = office.seq()
    found = office.database.read(sealed_account, "a-new", before)
    assert (found.counts, found.taken, found.last) == ({"accounts": 1, "contacts": 1}, 2, before + 2)
    office.database.write(sealed.write, sealed.unpacked(sealed.packed(found)))
    assert office.seq() == before + 2
    assert (office.row("contacts", "a-new-c")["phone"], office.row("contacts", "a-new-c")["rev"]) == ("1", 2)
    assert [version["rev"] for version in office.history("contacts", "a-new-c")] == [1, 2]
    assert office.row("accounts", "a-new")["buckets"] == ["territory:north"]


def test_nothing_is_written_where_somebody_else_wrote_meanwhile(office: Office) -> None:
    database = office.database
    first, second = (database.read(sealed_account, key, office.seq()) for key in ("a-one", "a-two"))
    database.write(sealed.write, first)
    tables = (ROWS["accounts"], ROWS["contacts"], history)
    before = [database.read(count, table) for table in tables]
    with pytest.raises(Refused) as refused:
        database.write(sealed.write, second)
    assert refused.value.code == "server_busy"
    assert [database.read(count, table) for table in tables] == before
    assert database.read(face).seq == first.last


@pytest.mark.parametrize("entity", ["contacts", "teams"])
def test_stored_rows_and_rows_that_decide_scopes_are_not_sealed(office: Office, entity: str) -> None:
    def work(connection: Connection) -> None:
        door = Door(connection, NOW)
        door.put(door.cell(entity, "carl" if entity == "contacts" else "t-new"), {"name": "New"}, ORIGIN)
        sealed.seal(door, 0)

    with pytest.raises(ValueError, match="is not a new row of a customer"):
        office.database.read(work)


texts = st.text(st.characters(codec="utf-8"), max_size=5)
values = st.tuples(texts, st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False))


@given(st.dictionaries(texts, st.lists(values)), st.lists(st.tuples(texts, st.binary())))
def test_a_sealed_batch_arrives_as_it_was_sent(rows: dict[str, list[Any]], entries: list[Any]) -> None:
    sent = sealed.Sealed({"accounts": 1}, 2, 3, rows, [], entries, [], [])
    arrived = sealed.unpacked(sealed.packed(sent))
    assert arrived == sent
    assert repr(arrived) == repr(sent)  # 1 is not 1.0, nor True
