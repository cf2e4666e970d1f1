"""S30: duplicates are found among what changed, suggested once where both rows lie, and accepted or declined."""

from typing import Any

import pytest
from sqlalchemy import select

from sfa.crm import finder
from sfa.crm.finder import suggestion_key
from sfa.db.tables import likeness_blocks
from tests.office import Office

TWIN = suggestion_key("contacts", "carl", "karl")


def find(office: Office) -> tuple[int, int]:
    return office.database.write(finder.find, office.clock.now_ms())


def twins(office: Office) -> dict[str, Any]:
    """carl, and karl who was created later with the same number; -> the suggestion."""
    find(office)
    office.put(("contacts", "carl", {"name": "Carl Ruiz", "phone": "+34 944 123 456"}))
    office.clock.advance(1000)
    office.put(("contacts", "karl", {"account_key": "acme", "name": "Karl Ruiz", "phone": "944 123 456"}))
    find(office)
    (found,) = office.rows("suggestions")
    return found


def test_a_duplicate_is_suggested_to_whoever_sees_the_row(office: Office) -> None:
    found = twins(office)
    assert (found["key"], found["entity"], found["row_key"], found["other_key"]) == (TWIN, "contacts", "karl", "carl")
    assert (found["status"], found["reasons"]) == ("open", ["name", "phone", "account"])
    assert found["buckets"] == office.row("contacts", "karl")["buckets"]
    for user, sees in {"ana": {TWIN}, "cleo": set()}.items():
        phone = office.phone(user)
        phone.catch_up()
        assert phone.keys("suggestions") == sees


def test_accepting_merges_and_the_suggestion_says_so(office: Office) -> None:
    """S22."""
    twins(office)
    ana = office.phone("ana")
    assert ana.do("suggestion.accept", "suggestions", TWIN, base=1).outcome == "applied"
    assert (office.row("contacts", "karl")["gone"], office.row("contacts", "carl")["gone"]) == (True, False)
    assert office.row("suggestions", TWIN)["status"] == "accepted"
    assert ana.edit("contacts", "karl", 1, title="Buyer").key == "carl"
    ana.catch_up()
    assert ana.sees() == office.visible("ana")
    assert ana.do("suggestion.decline", "suggestions", TWIN).code == "conflict_closed"


def test_what_was_declined_is_not_suggested_again(office: Office) -> None:
    twins(office)
    assert office.phone("ana").do("suggestion.decline", "suggestions", TWIN, base=1).outcome == "applied"
    office.put(("contacts", "karl", {"title": "Buyer"}))
    assert find(office) == (1, 0)
    assert office.row("suggestions", TWIN)["status"] == "declined"
    assert not office.row("contacts", "karl")["gone"]


def test_who_may_not_merge_may_not_accept_or_decline(office: Office) -> None:
    """R53."""
    twins(office)
    assert office.phone("cleo").do("suggestion.accept", "suggestions", TWIN).code == "row_unknown"
    for command in ("suggestion.accept", "suggestion.decline"):
        assert office.phone("fay").do(command, "suggestions", TWIN).code == "not_permitted"


def test_a_merge_by_hand_makes_the_suggestion_come_true(office: Office) -> None:
    twins(office)
    office.phone("mia").do("contact.merge", "contacts", "karl", base=1, set={"into": "carl"})
    assert office.row("suggestions", TWIN)["row_key"] == "carl"
    assert office.phone("mia").do("suggestion.accept", "suggestions", TWIN).outcome == "applied"
    assert office.row("suggestions", TWIN)["status"] == "accepted"


def test_the_finder_notices_a_merge_by_hand(office: Office) -> None:
    twins(office)
    office.phone("mia").do("contact.merge", "contacts", "karl", base=1, set={"into": "carl"})
    find(office)
    assert office.row("suggestions", TWIN)["status"] == "accepted"


def test_rows_of_two_territories_are_not_put_side_by_side(office: Office) -> None:
    """S13: nobody is told a key that he may not see."""
    office.put(("accounts", "acme-2", {"name": "Acme", "territory_key": "t-south", "city": "Bilbao"}))
    find(office)
    assert office.rows("suggestions") == []
    office.put(("accounts", "acme-2", {"territory_key": "t-north"}))
    find(office)
    assert [row["row_key"] for row in office.rows("suggestions")] == ["acme-2"]


def test_a_suggestion_whose_rows_part_is_withdrawn_and_comes_again_with_them(office: Office) -> None:
    """S13: nobody who sees one of the two only is told the key of the other."""
    twins(office)
    office.put(("accounts", "sur", {"name": "Sur", "territory_key": "t-south"}))
    office.put(("contacts", "karl", {"account_key": "sur"}))
    assert find(office)[1] == 0
    assert office.row("suggestions", TWIN)["status"] == "withdrawn"
    assert office.phone("ana").do("suggestion.accept", "suggestions", TWIN).code is not None
    office.put(("contacts", "karl", {"account_key": "acme"}))
    assert find(office)[1] == 1
    assert office.row("suggestions", TWIN)["status"] == "open"


def test_a_suggestion_about_a_row_that_was_deleted_is_withdrawn(office: Office) -> None:
    twins(office)
    phone = office.phone("ana")
    phone.catch_up()
    assert phone.do("delete", "contacts", "carl", base=office.row("contacts", "carl")["rev"]).outcome == "applied"
    find(office)
    assert office.row("suggestions", TWIN)["status"] == "withdrawn"


def test_a_suggestion_moves_with_its_row(office: Office) -> None:
    """S8."""
    twins(office)
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    assert office.row("suggestions", TWIN)["buckets"] == ["territory:t-south"]


def test_each_run_looks_only_at_what_changed_and_at_a_bounded_batch(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S5."""
    monkeypatch.setattr(finder, "ROWS_MAX", 3)
    office.put(*(("contacts", f"c-{i}", {"account_key": "acme", "name": "Dora Ruiz"}) for i in range(4)))
    looked: list[int] = []
    while (found := find(office))[0]:
        looked.append(found[0])
    assert max(looked) <= 3
    assert sum(looked) == len(office.rows("accounts")) + len(office.rows("contacts"))
    assert len(office.rows("suggestions")) == 6
    assert find(office) == (0, 0)


def test_a_name_that_everybody_has_costs_no_more_than_a_heap(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder, "HEAP_MAX", 2)
    office.put(*(("contacts", f"c-{i}", {"account_key": "acme", "name": "Dora Ruiz"}) for i in range(6)))
    find(office)
    assert office.rows("suggestions") == []


def test_a_batch_goes_through_a_bounded_window_of_numbers(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much was changed that is no customer, and however many numbers nothing has any more."""
    monkeypatch.setattr(finder, "WINDOW", 2)
    while find(office)[0]:
        pass
    for i in range(12):
        office.put(("visits", f"v-{i % 3}", {"account_key": "acme", "owner_key": "ana", "planned_at": i}))
    office.put(("contacts", "karl", {"account_key": "acme", "name": "Carl", "phone": "1"}))
    assert find(office)[0] == 1
    assert find(office) == (0, 0)


def test_the_finder_goes_through_everything_in_windows_and_passes_over_numbers_that_say_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "ROWS_MAX", 2)
    monkeypatch.setattr(finder, "WINDOW", 3)
    office.put(*(("tasks", f"t-{i}", {"owner_key": "ana", "title": "x"}) for i in range(9)))
    office.put(*(("contacts", f"c-{i}", {"account_key": "acme", "name": f"Dora {i}"}) for i in range(6)))
    looked: list[int] = []
    while (found := office.database.write(finder.find, office.clock.now_ms())[0]) or not looked:
        looked.append(found)
    assert max(looked) <= 2
    indexed = office.database.read(lambda connection: connection.execute(select(likeness_blocks.c.key)).scalars().all())
    assert {*indexed} >= {f"c-{i}" for i in range(6)}
