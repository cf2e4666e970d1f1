"""The one door: what it writes together, what it undoes, where rows lie (S6, S8, R54)."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from sfa.core.errors import Refused
from sfa.core.shapes import SHAPES
from sfa.crm import edits
from sfa.db.tables import ROWS
from sfa.db.tables import feed as entries
from sfa.db.writes import Door, Origin
from tests.builders import EVERYONE, NOW
from tests.office import Office

BY_NOBODY = Origin(author_key=None, at=NOW, stored_at=NOW)
BY_ANA = Origin(author_key="ana", at=NOW - 5, stored_at=NOW, device_key="d-ana", n=9, device_at=NOW - 7)


def test_a_write_stores_row_stamps_history_and_feed_together(office: Office) -> None:
    """S8."""

    def work(connection: Connection) -> int:
        door = Door(connection, NOW)
        door.put(door.cell("contacts", "carl"), {"phone": "2", "title": "Boss"}, BY_ANA, verbatim={"phone"})
        return door.flush()

    seq = office.database.write(work)
    row = office.row("contacts", "carl")
    assert (row["phone"], row["rev"], office.seq()) == ("2", 2, seq)
    assert row["stamps"]["phone"][:4] == [2, "d-ana", NOW - 5, "d-ana"]
    assert row["stamps"]["title"][:4] == [2, None, NOW - 5, "d-ana"]
    assert row["stamps"]["name"][0] == 1
    assert office.history("contacts", "carl")[-1]["rev"] == 2
    (entry,) = office.all(select(entries).where(entries.c.seq == seq))
    assert (entry["key"], entry["rev"], entry["gone"]) == ("carl", 2, False)


steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "add", "delete", "move", "mark", "undo"]),
        st.sampled_from(["carl", "new-1", "new-2"]),
        st.sampled_from(["1", "2", "3"]),
    ),
    max_size=12,
)


def picture(cells: list[Any]) -> list[Any]:
    return sorted((c.entity, c.key, c.rev, c.gone, c.row, c.stamps, c.touched) for c in cells)


@given(steps)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_undone_leaves_no_trace(shared_office: Office, steps: list[tuple[str, str, str]]) -> None:
    """S19: a door that undid everything writes nothing; one that undid a part writes as if it had never been."""

    def work(connection: Connection) -> None:
        door = Door(connection, NOW)
        marks: list[tuple[Any, list[Any]]] = []
        door.load("contacts", ("carl", "new-1", "new-2"))
        door.cell("accounts", "acme")
        outset = (door.mark(), picture(door.cells_of("contacts") + door.cells_of("accounts")))
        for step, key, value in steps:
            cell = door.cell("contacts", key)
            if step == "mark":
                marks.append((door.mark(), picture(door.cells_of("contacts") + door.cells_of("accounts"))))
            elif step == "undo" and marks:
                mark, then = marks.pop()
                door.undo_to(mark)
                assert picture(door.cells_of("contacts") + door.cells_of("accounts")) == then
            elif step == "move":
                door.put(door.cell("accounts", "acme"), {"territory_key": f"t-{value}"}, BY_NOBODY)
            elif step == "delete" and cell.exists:
                door.delete(cell, BY_NOBODY)
            elif step == ("put" if cell.rev else "add"):
                values = {"phone": value} if cell.rev else {"account_key": "acme", "name": value}
                door.put(cell, values, BY_NOBODY)
        door.undo_to(outset[0])
        assert picture(door.cells_of("contacts") + door.cells_of("accounts")) == outset[1]
        assert door.flush() == 0

    before = (shared_office.seq(), shared_office.row("contacts", "carl"), shared_office.row("accounts", "acme"))
    shared_office.database.write(work)
    assert (shared_office.seq(), shared_office.row("contacts", "carl"), shared_office.row("accounts", "acme")) == before


def test_a_transaction_inside_a_transaction_is_an_error(office: Office) -> None:
    """S6: one begin and one commit, or numbers would not follow commits."""

    def outer(connection: Connection) -> None:
        office.database.write(lambda _inner: None)

    with pytest.raises(RuntimeError):
        office.database.write(outer)
    office.put(("contacts", "carl", {"phone": "2"}))
    assert office.row("contacts", "carl")["phone"] == "2"


def test_the_value_at_a_revision_is_read_off_the_history(office: Office) -> None:
    """S24, R54: what was stored and what this transaction changed."""
    for phone in ("2", "3", "4"):
        office.put(("contacts", "carl", {"phone": phone}))

    def work(connection: Connection) -> list[Any]:
        door = Door(connection, NOW)
        cell = door.cell("contacts", "carl")
        door.put(cell, {"phone": "5"}, BY_NOBODY)
        return [door.value_on("nobody", cell, rev, "phone") for rev in range(1, 8)]

    assert office.database.write(work) == ["1", "2", "3", "4", "5", "5", "5"]


def test_rows_made_and_moved_in_one_transaction_lie_where_their_parents_end_up(office: Office) -> None:
    """S8: whatever the order."""
    office.put(
        ("accounts", "beta", {"name": "Beta", "territory_key": "t-north"}),
        ("contacts", "c1", {"account_key": "beta", "name": "C"}),
        ("deals", "d1", {"name": "D", "owner_key": "bob", "account_key": "beta", "stage_key": "lead"}),
        ("deal_lines", "l1", {"deal_key": "d1", "product_key": "pump"}),
        ("account_members", "am", {"account_key": "beta", "user_key": "cleo"}),
        ("accounts", "beta", {"territory_key": "t-south"}),
    )
    assert office.row("accounts", "beta")["buckets"] == ["territory:t-south", "user:cleo"]
    assert office.row("contacts", "c1")["buckets"] == ["territory:t-south", "user:cleo"]
    assert office.row("deals", "d1")["buckets"] == ["book:bob", "territory:t-south"]
    assert office.row("deal_lines", "l1")["buckets"] == ["book:bob", "territory:t-south"]


def test_a_deleted_child_moves_silently_and_comes_back_in_the_right_bucket(office: Office) -> None:
    """S8, S26."""
    office.delete("contacts", "carl")
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    keys = [e["bucket"] for e in office.all(select(entries).where(entries.c.key == "carl"))]
    assert keys == ["territory:t-north"]
    office.put(("contacts", "carl", {"phone": "2"}))
    live = office.all(select(entries.c.bucket).where(entries.c.key == "carl", ~entries.c.gone))
    assert live == [{"bucket": "territory:t-south"}]


def test_every_live_entry_of_the_feed_is_the_row_as_it_is_stored(office: Office) -> None:
    """S3, S7: field by field, after work of every kind."""
    ana = office.phone("ana")
    ana.do("create", "visits", "v1", set={"account_key": "acme", "planned_at": NOW})
    ana.do("visit.check_in", "visits", "v1", base=1, set={"latitude": 1, "longitude": 2.5})
    ana.edit("deals", "deal-a", splits=[{"user_key": "ana", "share_bp": 10_000}])
    ana.edit("accounts", "acme", tags=["ü", "😀"], latitude=1.25, longitude=-3.0)
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    office.delete("contacts", "zoe")
    found = {(e["bucket"], e["entity"], e["key"]): msgspec.json.decode(e["doc"]) for e in _live(office)}
    expected = {}
    for entity in ROWS:
        for row in office.rows(entity):
            doc = {"entity": entity, "key": row["key"], "rev": row["rev"]}
            for bucket in row["buckets"]:
                expected[bucket, entity, row["key"]] = {**doc, "row": {f: row[f] for f in SHAPES[entity].types}}
    assert found == expected


def _live(office: Office) -> list[dict[str, Any]]:
    return office.all(select(entries).where(~entries.c.gone))


def test_two_users_cannot_share_an_address_even_in_one_transaction(office: Office) -> None:
    """R53."""
    with pytest.raises(Refused) as refused:
        office.put(
            ("users", "u1", {"name": "U", "email": "new@example.com"}),
            ("users", "u2", {"name": "U", "email": "NEW@example.com"}),
        )
    assert refused.value.code == "duplicate_email"
    assert office.find("users", "u1") is None


def test_the_door_serves_imports_and_screens_by_the_same_rules(office: Office) -> None:
    """S8, R53: who sees everything still obeys form, references and invariants."""

    def work(connection: Connection, entity: str, values: dict[str, Any]) -> None:
        edits.create(Door(connection, NOW), EVERYONE, entity, "k", values, BY_NOBODY)

    for entity, values, code in (
        ("contacts", {"account_key": "nowhere", "name": "x"}, "reference_unknown"),
        ("contacts", {"account_key": "acme"}, "field_required"),
        ("accounts", {"name": "x", "latitude": 1.0}, "invariant_failed"),
        (
            "prices",
            {"product_key": "pump", "amount_minor": 1, "currency": "EUR", "valid_from": "2026-02-30"},
            "field_invalid",
        ),
    ):
        with pytest.raises(Refused) as refused:
            office.database.write(work, entity, values)
        assert refused.value.code == code
