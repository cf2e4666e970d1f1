"""Statements are put into words once for a process, and what is kept for one is never taken for another."""

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import column, literal, select, table

import sfa
from sfa.db.changed import changed
from sfa.db.collation import as_key, as_name
from sfa.db.database import Database, open_database
from sfa.db.later import later_of
from sfa.db.places import lies_in
from sfa.db.prepared import among, listed
from sfa.db.statements import STATEMENTS
from sfa.db.tables import ROWS
from sfa.quotas.spans import past_indexes
from tests.office import Office

ONE, OTHER = table("t", column("one")).c.one, table("t", column("other")).c.other
# Each operator of ours, with everything that makes one of them different from another.
DIFFERENT: dict[Any, list[Any]] = {
    among: [among(ONE, "keys"), among(OTHER, "keys"), among(ONE, "others")],
    lies_in: [lies_in(ONE, "held"), lies_in(OTHER, "held"), lies_in(ONE, "others")],
    changed: [changed(ONE, "stage_key"), changed(OTHER, "stage_key"), changed(ONE, "owner_key")],
    as_key: [as_key(ONE), as_key(OTHER), as_name(ONE), ONE],
    as_name: [as_name(ONE), as_name(OTHER), as_key(ONE)],
    past_indexes: [past_indexes(ONE), past_indexes(OTHER), ONE],
    later_of: [later_of(ONE, OTHER), later_of(OTHER, ONE), later_of(ONE, ONE)],
}


def key_of(element: Any) -> Any:
    found = select(literal(1)).where(element == 1)._generate_cache_key()
    assert found is not None, f"{element!r} is put into words each time"
    return found.key


def test_every_operator_of_ours_is_looked_at_here() -> None:
    root = Path(sfa.__file__).parent.parent
    texts = [path.read_text() for package in ("sfa", "sync", "forecasting") for path in (root / package).rglob("*.py")]
    found = {name for text in texts for name in re.findall(r"^@compiles\((\w+)", text, re.MULTILINE)}
    assert found == {operator.__name__ for operator in DIFFERENT}


@pytest.mark.parametrize("operator", DIFFERENT)
def test_two_that_differ_are_never_taken_for_one_another(operator: Any) -> None:
    keys = [key_of(element) for element in DIFFERENT[operator]]
    assert len(set(keys)) == len(keys)


def test_another_server_of_the_same_kind_finds_what_the_first_one_put_into_words(database: Database) -> None:
    query = select(literal(20).label(f"for_{database.dialect}") + literal(3))
    assert database.read(lambda connection: connection.execute(query).scalar()) == 23
    kept = len(STATEMENTS)
    other = open_database(database.url, durable=False)
    again = select(literal(30).label(f"for_{database.dialect}") + literal(4))
    try:
        assert other.read(lambda connection: connection.execute(again).scalar()) == 34
    finally:
        other.close()
    assert len(STATEMENTS) == kept


def test_a_list_is_that_of_the_call_whatever_was_asked_before(office: Office) -> None:
    users = ROWS["users"].c
    query = select(users.key).where(among(users.key, "keys")).order_by(users.key)
    for keys in (["ana"], ["bob", "root"], [], ["ana", "mia"]):
        bound = {"keys": office.database.read(listed, keys)}
        assert [row["key"] for row in office.all(query.params(bound))] == keys
