"""Edits without a device: screens, imports and jobs obey the same rules (R53, S22, S26)."""

from typing import Any

import pytest
from sqlalchemy import Connection

from sfa.core.errors import Refused
from sfa.crm import edits
from sfa.crm.edits import Who
from sfa.db import scope
from sfa.db.writes import Door, Origin
from tests.builders import NOW, USERS
from tests.office import Office


def as_user(office: Office, user: str, work: Any, *arguments: Any) -> None:
    """Run `work(door, who, origin, ...)` as a request of that person would."""

    def run(connection: Connection) -> None:
        door = Door(connection, NOW)
        who = Who(user, USERS[user], scope.held_now(connection, user, locked=True))
        work(door, who, Origin(author_key=user, at=NOW, stored_at=NOW), *arguments)
        door.flush()

    office.database.write(run)


def create(door: Door, who: Who, origin: Origin, entity: str, key: str, values: dict[str, Any]) -> None:
    edits.create(door, who, entity, key, values, origin)


def update(door: Door, who: Who, origin: Origin, entity: str, key: str, values: dict[str, Any]) -> None:
    edits.update(door, who, edits.visible_cell(door, who, entity, key), values, origin)


def delete(door: Door, who: Who, origin: Origin, entity: str, key: str) -> None:
    edits.delete(door, who, edits.visible_cell(door, who, entity, key), origin)


def code_of(office: Office, user: str, work: Any, *arguments: Any) -> str:
    seq = office.seq()
    with pytest.raises(Refused) as refused:
        as_user(office, user, work, *arguments)
    assert office.seq() == seq, "a refusal changes nothing"
    return refused.value.code


def test_an_edit_without_a_device_is_nobodys_own_word_on_any_device(office: Office) -> None:
    """S24: the screen's edit is foreign to ana's phone, although ana made both."""
    as_user(office, "ana", update, "contacts", "carl", {"phone": "screen"})
    office.clock.advance(1_000)
    receipt = office.phone("ana").edit("contacts", "carl", base=1, phone="phone")
    assert (receipt.outcome, len(receipt.conflicts)) == ("merged", 1)
    assert office.row("contacts", "carl")["phone"] == "phone"


@pytest.mark.parametrize(("entity", "key"), [("contacts", "zoe"), ("contacts", "nobody"), ("unit_costs", "c-pump")])
def test_what_is_hidden_does_not_exist(office: Office, entity: str, key: str) -> None:
    """S10."""
    assert code_of(office, "ana", update, entity, key, {"phone": "1"}) == "row_unknown"
    assert code_of(office, "ana", delete, entity, key) == "row_unknown"


def test_a_refused_edit_of_another_users_work_changes_nothing(office: Office) -> None:
    """S10, R53."""
    assert code_of(office, "bob", update, "deals", "deal-a", {"next_step": "x"}) == "not_permitted"
    assert code_of(office, "bob", delete, "deals", "deal-a") == "not_permitted"
    assert code_of(office, "fay", delete, "contacts", "carl") == "not_permitted"


def test_an_author_is_written_into_what_he_creates(office: Office) -> None:
    """R54."""
    as_user(office, "bob", create, "notes", "n1", {"account_key": "acme", "body": "hello"})
    row = office.row("notes", "n1")
    assert (row["author_key"], row["created_by"], row["created_at"]) == ("bob", "bob", NOW)


def test_a_note_is_not_written_in_anothers_name(office: Office) -> None:
    """R54."""
    note = {"account_key": "acme", "author_key": "ana"}
    assert code_of(office, "bob", create, "notes", "n1", note) == "field_not_permitted"


def test_a_parent_that_is_hidden_cannot_be_named(office: Office) -> None:
    """S10."""
    assert code_of(office, "ana", create, "contacts", "c1", {"account_key": "zeta", "name": "C"}) == "reference_unknown"
    assert code_of(office, "ana", create, "deal_lines", "l1", {"deal_key": "d", "product_key": "pump"}) == (
        "reference_unknown"
    )


def test_a_deleted_row_is_no_reference_unless_it_is_the_parent_that_comes_back(office: Office) -> None:
    """S26."""
    office.delete("contacts", "carl")
    visit = {"account_key": "acme", "contact_key": "carl"}
    assert code_of(office, "ana", create, "visits", "v1", visit) == "reference_unknown"
    office.delete("accounts", "acme")
    as_user(office, "ana", create, "visits", "v1", {"account_key": "acme"})
    assert not office.row("accounts", "acme")["gone"]


def test_an_address_of_a_user_is_free_again_when_its_owner_is_deleted(office: Office) -> None:
    """R53: without regard to case."""
    user = {"name": "New", "email": "BOB@example.com"}
    assert code_of(office, "root", create, "users", "bob2", user) == "duplicate_email"
    office.delete("users", "bob")
    as_user(office, "root", create, "users", "bob2", user)


def test_an_edge_that_holds_a_tree_together_cannot_be_deleted(office: Office) -> None:
    """R19: the teams below would hang in the air."""
    assert code_of(office, "root", delete, "team_edges", "e-all") == "hierarchy_orphan"
