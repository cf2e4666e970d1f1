"""Concurrent edits as devices and tables see them: groups, deletions, conflicts and settling them (S1, S24, S26)."""

from typing import Any

import pytest

from tests.office import Office


def conflict(office: Office, key: str) -> dict[str, Any]:
    return office.row("conflicts", key)


def test_edits_of_different_fields_on_one_base_both_stand(office: Office) -> None:
    """S24."""
    ana, bob = office.phone("ana"), office.phone("bob")
    assert ana.edit("contacts", "carl", base=1, phone="2").outcome == "applied"
    assert bob.edit("contacts", "carl", base=1, title="Boss").outcome == "applied"
    row = office.row("contacts", "carl")
    assert (row["phone"], row["title"], row["rev"]) == ("2", "Boss", 3)
    assert office.rows("conflicts") == []


def test_the_later_edit_wins_and_the_earlier_one_is_kept(office: Office) -> None:
    """S1, S24: whichever arrives first."""
    ana, bob = office.phone("ana"), office.phone("bob")
    now = office.clock.now_ms()
    ana.do("update", "contacts", "carl", base=1, at=now - 1_000, set={"phone": "2"})
    receipt = bob.do("update", "contacts", "carl", base=1, at=now - 5_000, set={"phone": "3"})
    assert (receipt.outcome, receipt.conflicts, office.row("contacts", "carl")["phone"]) == (
        "merged",
        ["d-bob.1.0"],
        "2",
    )
    lost = conflict(office, "d-bob.1.0")
    assert (lost["losing"], lost["standing"], lost["status"]) == ({"phone": "3"}, {"phone": "2"}, "closed")
    assert (lost["author_key"], lost["device_key"], lost["n"]) == ("bob", "d-bob", 1)
    receipt = bob.do("update", "contacts", "carl", base=1, at=now, set={"phone": "4"})
    assert office.row("contacts", "carl")["phone"] == "4"
    won = conflict(office, receipt.conflicts[0])
    assert (won["losing"], won["standing"], won["device_key"]) == ({"phone": "2"}, {"phone": "4"}, "d-ana")


def test_fields_of_one_meaning_never_mix(office: Office) -> None:
    """S24: half of one address and half of another is nobody's address."""
    ana, bob = office.phone("ana"), office.phone("bob")
    now = office.clock.now_ms()
    ana.do("update", "accounts", "acme", base=1, at=now - 1, set={"street": "Low 1", "city": "Vigo"})
    bob.do("update", "accounts", "acme", base=1, at=now, set={"street": "High 2"})
    row = office.row("accounts", "acme")
    assert (row["street"], row["city"]) == ("High 2", "Bilbao")
    (lost,) = office.rows("conflicts")
    assert (lost["losing"]["street"], lost["losing"]["city"], lost["field_group"]) == ("Low 1", "Vigo", "address")


def test_amount_and_currency_of_a_deal_ask_as_one(office: Office) -> None:
    """S24: money is never settled by a clock."""
    office.phone("mia").edit("deals", "deal-a", base=1, amount_minor=7, currency="USD")
    receipt = office.phone("ana").edit("deals", "deal-a", base=1, amount_minor=9)
    assert receipt.outcome == "conflict"
    row, open_one = office.row("deals", "deal-a"), conflict(office, receipt.conflicts[0])
    assert (row["amount_minor"], row["currency"]) == (7, "USD")
    assert open_one["losing"] == {"amount_minor": 9, "currency": "EUR"}
    assert (open_one["status"], open_one["strategy"], open_one["author_key"]) == ("open", "ask", "ana")


def test_tags_added_and_removed_on_both_sides_all_count(office: Office) -> None:
    """S24."""
    office.put(("accounts", "acme", {"tags": ["a", "b", "c"]}))
    base = office.rev("accounts", "acme")
    office.phone("bob").edit("accounts", "acme", base, tags=["b", "c", "d"])
    receipt = office.phone("ana").edit("accounts", "acme", base, tags=["a", "c", "e"])
    assert receipt.outcome in ("applied", "merged")
    assert office.row("accounts", "acme")["tags"] == ["c", "d", "e"]
    assert office.rows("conflicts") == []


def test_a_device_never_conflicts_with_its_own_edits_on_an_old_base(office: Office) -> None:
    """S24: five offline saves on one base."""
    ana = office.phone("ana")
    answer = ana.push(*(ana.mutation("update", "contacts", "carl", base=1, set={"phone": str(i)}) for i in range(2, 7)))
    assert [r.outcome for r in answer.receipts] == ["applied"] * 5
    assert (office.row("contacts", "carl")["phone"], office.rows("conflicts")) == ("6", [])


def test_a_merged_value_counts_as_foreign_to_its_own_device(office: Office) -> None:
    """S24: ana has not seen what the union became."""
    office.put(("accounts", "acme", {"tags": ["a"]}))
    base = office.rev("accounts", "acme")
    office.phone("bob").edit("accounts", "acme", base, tags=["a", "b"])
    ana = office.phone("ana")
    ana.edit("accounts", "acme", base, tags=["a", "x"])
    ana.edit("accounts", "acme", base, tags=["a", "x", "y"])
    assert set(office.row("accounts", "acme")["tags"]) == {"a", "b", "x", "y"}


def test_conflicts_lie_where_their_row_lies_and_move_with_it(office: Office) -> None:
    """S8, S10."""
    office.phone("mia").edit("deals", "deal-a", base=1, amount_minor=7)
    (key,) = office.phone("ana").edit("deals", "deal-a", base=1, amount_minor=9).conflicts
    assert conflict(office, key)["buckets"] == office.row("deals", "deal-a")["buckets"]
    cleo = office.phone("cleo")
    cleo.catch_up()
    office.put(("deals", "deal-a", {"owner_key": "cleo"}))
    cleo.catch_up()
    assert cleo.keys("conflicts") == {key}


# -- what contradicts itself only once merged ------------------------------------------------------------------------


def test_two_edits_that_contradict_each_other_only_together_open_a_conflict(office: Office) -> None:
    """S24: mia gives the deal to bob, ana splits it with cleo; each was right."""
    office.phone("mia").edit("deals", "deal-a", base=1, owner_key="bob")
    shares = [{"user_key": "ana", "share_bp": 5_000}, {"user_key": "mia", "share_bp": 5_000}]
    receipt = office.phone("mia", "tablet").edit("deals", "deal-a", base=1, splits=shares)
    assert (receipt.outcome, receipt.code) == ("conflict", None)
    (found,) = office.rows("conflicts")
    assert (found["strategy"], found["status"], found["losing"]) == ("invariant", "open", {"splits": shares})
    assert office.row("deals", "deal-a")["splits"] == []


# -- deletions -------------------------------------------------------------------------------------------------------


def test_a_deletion_of_what_nobody_else_touched_deletes(office: Office) -> None:
    """S26: an own edit before it does not stand in its way."""
    ana = office.phone("ana")
    ana.edit("contacts", "carl", base=1, phone="2")
    assert ana.do("delete", "contacts", "carl", base=1).outcome == "applied"
    assert office.row("contacts", "carl")["gone"]
    assert ana.do("delete", "contacts", "carl", base=1).outcome == "applied"


def test_a_deletion_against_a_newer_edit_opens_a_conflict_and_the_row_stays(office: Office) -> None:
    """S26: the last to arrive does not win; the deletion is offered again and can be carried out."""
    ana = office.phone("ana")
    office.phone("bob").edit("contacts", "carl", base=1, phone="2")
    receipt = ana.do("delete", "contacts", "carl", base=1)
    assert receipt.outcome == "conflict"
    assert not office.row("contacts", "carl")["gone"]
    (key,) = receipt.conflicts
    found = conflict(office, key)
    assert (found["status"], found["reason"], found["author_key"]) == ("open", "deleted", "ana")
    assert (found["losing"], found["standing"]) == ({"gone": True}, {"phone": "2"})
    assert ana.do("conflict.restore", "conflicts", key).outcome == "applied"
    assert office.row("contacts", "carl")["gone"]
    assert conflict(office, key)["status"] == "restored"


def test_an_edit_of_a_deleted_row_restores_it_and_says_so(office: Office) -> None:
    """S26."""
    ana, bob = office.phone("ana"), office.phone("bob")
    bob.catch_up()
    ana.do("delete", "contacts", "carl", base=1)
    receipt = bob.edit("contacts", "carl", base=1, phone="2")
    assert (receipt.restored, receipt.outcome) == (True, "merged")
    row = office.row("contacts", "carl")
    assert (row["gone"], row["phone"], row["name"]) == (False, "2", "Carl")
    (key,) = receipt.conflicts
    found = conflict(office, key)
    assert (found["losing"], found["status"], found["device_key"]) == ({"gone": True}, "closed", "d-ana")
    bob.catch_up()
    assert bob.sees() == office.visible("bob")
    assert ana.do("conflict.restore", "conflicts", key).outcome == "applied"
    assert office.row("contacts", "carl")["gone"]


def test_writing_a_child_restores_its_deleted_parent(office: Office) -> None:
    """S26."""
    ana, bob = office.phone("ana"), office.phone("bob")
    assert ana.do("delete", "accounts", "acme", base=1).outcome == "applied"
    receipt = bob.do("create", "contacts", "c1", set={"account_key": "acme", "name": "C"})
    assert receipt.outcome == "applied"
    assert not office.row("accounts", "acme")["gone"]
    assert [h["kind"] for h in office.history("accounts", "acme")] == ["create", "delete", "restore"]


def test_restoring_a_child_restores_its_deleted_parent(office: Office) -> None:
    """S26."""
    ana, bob = office.phone("ana"), office.phone("bob")
    ana.do("delete", "contacts", "carl", base=1)
    ana.do("delete", "accounts", "acme", base=1)
    assert bob.edit("contacts", "carl", base=1, phone="2").restored
    assert not office.row("accounts", "acme")["gone"]
    bob.catch_up()
    assert bob.sees() == office.visible("bob")


def test_two_storeys_of_deleted_parents_come_back_together(office: Office) -> None:
    """S26: a line's deal and the deal's customer."""
    ana = office.phone("ana")
    ana.do("create", "deal_lines", "l1", set={"deal_key": "deal-a", "product_key": "pump"})
    for entity, key in (("deal_lines", "l1"), ("deals", "deal-a"), ("accounts", "acme")):
        assert ana.do("delete", entity, key, base=office.rev(entity, key)).outcome == "applied"
    assert ana.edit("deal_lines", "l1", quantity="2").restored
    assert [office.row("deals", "deal-a")["gone"], office.row("accounts", "acme")["gone"]] == [False, False]


# -- settling --------------------------------------------------------------------------------------------------------


def test_a_losing_value_comes_back_with_one_call(office: Office) -> None:
    """S1, S24."""
    office.phone("mia").edit("deals", "deal-a", base=1, amount_minor=7)
    ana = office.phone("ana")
    (key,) = ana.edit("deals", "deal-a", base=1, amount_minor=9).conflicts
    assert ana.do("conflict.restore", "conflicts", key).outcome == "applied"
    assert office.row("deals", "deal-a")["amount_minor"] == 9
    assert office.history("deals", "deal-a")[-1]["kind"] == "restore"
    again = ana.do("conflict.restore", "conflicts", key)
    assert again.code == "conflict_closed"
    assert ana.do("conflict.dismiss", "conflicts", key).code == "conflict_closed"


def test_a_dismissed_conflict_changes_nothing_and_stays_readable(office: Office) -> None:
    """S1, S24."""
    office.phone("mia").edit("deals", "deal-a", base=1, amount_minor=7)
    ana = office.phone("ana")
    (key,) = ana.edit("deals", "deal-a", base=1, amount_minor=9).conflicts
    before = office.row("deals", "deal-a")
    assert ana.do("conflict.dismiss", "conflicts", key).outcome == "applied"
    assert office.row("deals", "deal-a") == before
    assert (conflict(office, key)["status"], conflict(office, key)["losing"]["amount_minor"]) == ("dismissed", 9)


def test_restoring_obeys_the_rights_of_who_restores(office: Office) -> None:
    """S10, S24: bob sees the deal's conflict through the territory, and it is not his deal."""
    office.phone("mia").edit("deals", "deal-a", base=1, amount_minor=7)
    (key,) = office.phone("ana").edit("deals", "deal-a", base=1, amount_minor=9).conflicts
    bob = office.phone("bob")
    assert bob.do("conflict.restore", "conflicts", key).code == "not_permitted"
    assert bob.do("conflict.dismiss", "conflicts", key).code == "not_permitted"
    assert office.phone("fay").do("conflict.dismiss", "conflicts", key).code == "not_permitted"
    assert conflict(office, key)["status"] == "open"


def test_a_base_newer_than_the_row_loses_nothing(office: Office) -> None:
    """S21, S24: the server was restored from a backup and gave that revision to nobody."""
    ana, bob = office.phone("ana"), office.phone("bob")
    now = office.clock.now_ms()
    bob.do("update", "contacts", "carl", base=1, at=now, set={"phone": "2"})
    receipt = ana.do("update", "contacts", "carl", base=99, at=now - 1, set={"phone": "3", "title": "Boss"})
    row = office.row("contacts", "carl")
    assert (receipt.outcome, row["phone"], row["title"]) == ("merged", "2", "Boss")
    assert {"phone": "3"} in [c["losing"] for c in office.rows("conflicts")]


def test_a_tag_added_and_removed_again_offline_goes_although_others_edited(office: Office) -> None:
    """S24: of a list only what a device's own edits added and removed counts, also of its earlier edits on one base."""
    ana, bob = office.phone("ana"), office.phone("bob")
    bob.edit("accounts", "acme", base=1, tags=["b"])
    ana.edit("accounts", "acme", base=1, tags=["a"])
    ana.edit("accounts", "acme", base=1, tags=[])
    assert office.row("accounts", "acme")["tags"] == ["b"]


def test_a_group_named_in_part_is_completed_by_the_devices_own_earlier_edit(office: Office) -> None:
    """S24: the second half of an address is not completed by what the device itself had replaced."""
    ana, bob = office.phone("ana"), office.phone("bob")
    bob.edit("accounts", "acme", base=1, street="Foreign street")
    office.clock.advance(1_000)
    ana.edit("accounts", "acme", base=1, city="Getxo")
    ana.edit("accounts", "acme", base=1, street="Own street")
    row = office.row("accounts", "acme")
    assert (row["street"], row["city"]) == ("Own street", "Getxo")


def test_a_conflict_names_the_author_whose_value_lost(office: Office) -> None:
    """S24: whoever typed the losing value, on a phone or on a screen, can find it."""
    ana, bob = office.phone("ana"), office.phone("bob")
    ana.edit("contacts", "carl", base=1, phone="2")
    office.clock.advance(1_000)
    (conflict,) = bob.edit("contacts", "carl", base=1, phone="3").conflicts
    assert office.row("conflicts", conflict)["author_key"] == "ana"


@pytest.mark.parametrize("base", [0, 1])
def test_an_edit_of_a_part_of_a_group_that_others_changed_is_taken_or_said_to_have_lost(
    office: Office, base: int
) -> None:
    """S24: a device that never had the row (base 0) names the amount alone: the currency stays what it is."""
    charge = {
        "deal_key": "deal-a",
        "kind": "freight",
        "amount_minor": 100,
        "currency": "EUR",
        "booked_on": "2026-01-05",
    }
    office.put(("deal_charges", "freight", charge))
    office.clock.advance(1_000)
    office.phone("dirk").edit("deal_charges", "freight", amount_minor=101, currency="EUR")
    office.clock.advance(1_000)
    receipt = office.phone("fay").do("update", "deal_charges", "freight", base=base, set={"amount_minor": 102})
    assert receipt.outcome == "merged", receipt
    row = office.row("deal_charges", "freight")
    assert (row["amount_minor"], row["currency"]) == (102, "EUR")
