"""Hand-overs accepted and declined: by whom, once, as a push would do it, and what their author is told (S37)."""

from typing import Any

import pytest

from sync.protocol import Receipt
from tests.office import Office, Phone


@pytest.fixture
def moved(office: Office) -> Office:
    """Acme goes from Ana's territory to Cleo's."""
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    return office


def waits(receipt: Receipt) -> str:
    assert receipt.outcome == "handed_over", receipt
    return str(receipt.suggestion)


def accept(phone: Phone, key: str) -> Receipt:
    return phone.do("suggestion.accept", "suggestions", key, base=1)


def decline(phone: Phone, key: str, **arguments: Any) -> Receipt:
    return phone.do("suggestion.decline", "suggestions", key, base=1, set=arguments)


def statuses(office: Office, key: str) -> set[str]:
    return {office.row("suggestions", key)["status"], office.row("handovers", key)["status"]}


def is_left_open(office: Office, receipt: Receipt, key: str, code: str) -> bool:
    return (receipt.outcome, receipt.code) == ("refused", code) and statuses(office, key) == {"open"}


# -- accepting --------------------------------------------------------------------------------------------------------


def test_what_is_accepted_lands_as_its_authors_work_of_that_time(moved: Office) -> None:
    ana, cleo = moved.phone("ana"), moved.phone("cleo")
    at = moved.clock.now_ms()
    key = waits(ana.edit("accounts", "acme", base=1, phone="555"))
    moved.clock.advance(3_600_000)
    assert accept(cleo, key).outcome == "applied"
    assert moved.row("accounts", "acme")["phone"] == "555"
    last = moved.history("accounts", "acme")[-1]
    assert (last["author_key"], last["device_key"], last["n"], last["at"]) == ("ana", "d-ana", 1, at)
    assert (last["reviewed_by"], last["device_at"]) == ("cleo", at)
    assert last["stored_at"] == moved.clock.now_ms()
    assert statuses(moved, key) == {"accepted"}


def test_its_author_is_told_what_was_decided_and_nothing_of_the_row(moved: Office) -> None:
    ana, cleo = moved.phone("ana"), moved.phone("cleo")
    taken = waits(ana.edit("accounts", "acme", base=1, phone="555"))
    thrown = waits(ana.edit("contacts", "carl", base=1, phone="777"))
    ana.catch_up()
    accept(cleo, taken)
    decline(cleo, thrown, reason="Carl has left")
    pages = ana.catch_up()
    told = {item.entity for page in pages for change in page.changes for item in change.items}
    assert told == {"handovers"}
    seen = [ana.sees()["handovers", key] for key in (taken, thrown)]
    assert [(row["status"], row["reason"], row["decided_by"]) for row in seen] == [
        ("accepted", None, "cleo"),
        ("declined", "Carl has left", "cleo"),
    ]


def test_it_merges_on_the_revision_that_its_author_had(moved: Office) -> None:
    """Edits of others since then conflict as ever, whoever accepts."""
    ana, cleo = moved.phone("ana"), moved.phone("cleo")
    key = waits(ana.edit("accounts", "acme", base=1, phone="555", website="a"))
    moved.clock.advance(60_000)
    cleo.edit("accounts", "acme", phone="777")
    assert accept(cleo, key).outcome == "applied"
    row = moved.row("accounts", "acme")
    assert (row["phone"], row["website"]) == ("777", "a")
    (conflict,) = moved.rows("conflicts")
    assert (conflict["key"], conflict["losing"], conflict["status"]) == ("d-ana.1.0", {"phone": "555"}, "closed")
    assert conflict["author_key"] == "ana"


def test_texts_of_notes_merge_word_by_word(moved: Office) -> None:
    moved.put(("notes", "n", {"account_key": "zeta", "author_key": "ana", "body": "one three"}))
    ana, cleo = moved.phone("ana"), moved.phone("cleo")
    moved.put(("territory_members", "tm", {"territory_key": "t-south", "user_key": "ana", "valid_from": "2025-01-01"}))
    moved.delete("territory_members", "tm")
    cleo.edit("notes", "n", body="one three four")
    key = waits(ana.edit("notes", "n", base=1, body="one two three"))
    accept(cleo, key)
    assert moved.row("notes", "n")["body"] == "one two three four"


def test_a_visit_that_its_author_made_stays_his(moved: Office) -> None:
    ana, cleo = moved.phone("ana"), moved.phone("cleo")
    made = ana.mutation("create", "visits", "v", set={"account_key": "acme", "purpose": "hello"})
    there = ana.mutation("visit.check_in", "visits", "v")
    done = ana.mutation("visit.check_out", "visits", "v", set={"outcome": "sold"})
    keys = {waits(receipt) for receipt in ana.push(made, there, done).receipts}
    assert accept(cleo, keys.pop()).outcome == "applied"
    visit = moved.row("visits", "v")
    assert (visit["owner_key"], visit["status"], visit["outcome"]) == ("ana", "completed", "sold")
    assert visit["buckets"] == ["territory:t-south"]
    assert [h["kind"] for h in moved.history("visits", "v")] == ["create", "visit.check_in", "visit.check_out"]


def test_a_new_customer_becomes_one_of_the_territory(office: Office) -> None:
    ana, bob = office.phone("ana"), office.phone("bob")
    office.delete("territory_members", "tm-ana")
    customer = ana.mutation("create", "accounts", "nova", set={"name": "Nova", "territory_key": "t-north"})
    person = ana.mutation("create", "contacts", "nina", set={"name": "Nina", "account_key": "nova"})
    key = waits(ana.push(customer, person).receipts[1])
    assert accept(bob, key).outcome == "applied"
    bob.catch_up()
    assert {"nova"} <= bob.keys("accounts")
    assert {"nina"} <= bob.keys("contacts")
    assert office.row("accounts", "nova")["created_by"] == "ana"


def test_a_whole_unit_lands_or_none_of_it(moved: Office) -> None:
    ana, cleo = moved.phone("ana"), moved.phone("cleo")
    named = {"id": "u", "size": 2}
    first = ana.mutation("update", "accounts", "acme", base=1, set={"phone": "9"}, unit=named)
    second = ana.mutation("create", "visits", "v", set={"account_key": "acme", "contact_key": "zoe"}, unit=named)
    key = waits(ana.push(first, second).receipts[0])
    moved.delete("contacts", "zoe")
    assert is_left_open(moved, accept(cleo, key), key, "reference_unknown")
    assert moved.row("accounts", "acme")["phone"] is None
    moved.put(("contacts", "zoe", {"name": "Zoe again"}))
    assert accept(cleo, key).outcome == "applied"
    assert (moved.row("accounts", "acme")["phone"], moved.row("visits", "v")["contact_key"]) == ("9", "zoe")


def test_a_delete_and_a_row_that_was_deleted_meanwhile(moved: Office) -> None:
    """S26: an edit of a deleted row brings it back; deleting twice is no harm."""
    ana, cleo = moved.phone("ana"), moved.phone("cleo")
    gone, edit = (
        waits(ana.do("delete", "contacts", "carl", base=1)),
        waits(ana.edit("accounts", "acme", base=1, phone="9")),
    )
    moved.delete("contacts", "carl")
    moved.delete("accounts", "acme")
    assert accept(cleo, gone).outcome == accept(cleo, edit).outcome == "applied"
    assert moved.row("contacts", "carl")["gone"]
    assert (moved.row("accounts", "acme")["gone"], moved.row("accounts", "acme")["phone"]) == (False, "9")


def test_a_row_that_was_merged_meanwhile_leads_to_its_survivor(office: Office) -> None:
    office.put(
        ("accounts", "other", {"name": "Other", "territory_key": "t-south"}),
        ("accounts", "acme", {"territory_key": "t-south"}),
    )
    ana, cleo = office.phone("ana"), office.phone("cleo")
    key = waits(ana.edit("accounts", "acme", base=1, website="w"))
    new = waits(ana.do("create", "contacts", "x", set={"account_key": "acme", "name": "X"}))
    cleo.do("account.merge", "accounts", "acme", set={"into": "other"})
    assert office.row("suggestions", key)["row_key"] == "other"
    assert accept(cleo, key).outcome == accept(cleo, new).outcome == "applied"
    assert office.row("accounts", "other")["website"] == "w"
    assert office.row("contacts", "x")["account_key"] == "other"
    assert office.row("handovers", key)["row_key"] == "acme"


# -- once, and in order -----------------------------------------------------------------------------------------------


def test_it_is_decided_once(moved: Office) -> None:
    ana, cleo = moved.phone("ana"), moved.phone("cleo")
    moved.put(("territory_members", "tm", {"territory_key": "t-south", "user_key": "bob", "valid_from": "2025-01-01"}))
    bob = moved.phone("bob")
    key = waits(ana.edit("accounts", "acme", base=1, phone="555"))
    assert accept(cleo, key).outcome == "applied"
    before = moved.history("accounts", "acme")
    assert [accept(bob, key).code, decline(cleo, key).code, accept(cleo, key).code] == ["conflict_closed"] * 3
    assert moved.history("accounts", "acme") == before
    assert statuses(moved, key) == {"accepted"}


def test_what_builds_on_another_one_is_accepted_after_it(moved: Office) -> None:
    ana, cleo = moved.phone("ana"), moved.phone("cleo")
    first = waits(ana.do("create", "visits", "v", set={"account_key": "acme"}))
    second = waits(ana.do("update", "visits", "v", set={"purpose": "hello"}))
    assert is_left_open(moved, accept(cleo, second), second, "decide_first")
    assert accept(cleo, first).outcome == accept(cleo, second).outcome == "applied"
    assert moved.row("visits", "v")["purpose"] == "hello"


def test_what_is_typed_after_the_acceptance_is_handed_over_anew(moved: Office) -> None:
    ana, cleo = moved.phone("ana"), moved.phone("cleo")
    first = waits(ana.do("create", "visits", "v", set={"account_key": "acme"}))
    accept(cleo, first)
    late = waits(ana.do("update", "visits", "v", set={"purpose": "hello"}))
    assert (moved.row("suggestions", late)["after_key"], moved.row("suggestions", late)["row_key"]) == (None, "v")
    assert accept(cleo, late).outcome == "applied"
    assert moved.row("visits", "v")["purpose"] == "hello"


def test_what_its_author_typed_later_himself_is_not_undone(moved: Office) -> None:
    """He got the customer back and went on: the older change meets the newer one like anybody's (S24)."""
    ana, cleo = moved.phone("ana"), moved.phone("cleo")
    key = waits(ana.edit("accounts", "acme", base=1, phone="old", website="w"))
    gone = waits(ana.do("delete", "contacts", "carl", base=1))
    moved.put(("territory_members", "tm", {"territory_key": "t-south", "user_key": "ana", "valid_from": "2025-01-01"}))
    moved.clock.advance(60_000)
    ana.edit("accounts", "acme", phone="new")
    ana.edit("contacts", "carl", phone="new")
    assert accept(cleo, key).outcome == accept(cleo, gone).outcome == "applied"
    row = moved.row("accounts", "acme")
    assert (row["phone"], row["website"]) == ("new", "w")
    assert not moved.row("contacts", "carl")["gone"]
    found = {c["key"]: (c["losing"], c["status"]) for c in moved.rows("conflicts")}
    assert found == {"d-ana.1.0": ({"phone": "old"}, "closed"), "d-ana.2.0": ({"gone": True}, "open")}


def test_a_text_that_its_author_wrote_on_later_is_shown_to_a_person(moved: Office) -> None:
    """S25: what he typed on top of it may hold its words already; they are neither doubled nor lost."""
    moved.put(("notes", "n", {"account_key": "zeta", "author_key": "ana", "body": "one"}))
    tenure = {"territory_key": "t-south", "user_key": "ana", "valid_from": "2025-01-01"}
    ana, cleo = moved.phone("ana"), moved.phone("cleo")
    moved.put(("territory_members", "tm", tenure))
    moved.delete("territory_members", "tm")
    key = waits(ana.edit("notes", "n", base=1, body="one two"))
    moved.put(("territory_members", "tm", tenure))
    ana.edit("notes", "n", base=1, body="one two three")
    assert accept(cleo, key).outcome == "applied"
    assert moved.row("notes", "n")["body"] == "one two three"
    (conflict,) = moved.rows("conflicts")
    assert (conflict["losing"], conflict["status"]) == ({"body": "one two"}, "open")


# -- rights -----------------------------------------------------------------------------------------------------------


def test_only_who_sees_it_decides(moved: Office) -> None:
    ana, bob = moved.phone("ana"), moved.phone("bob")
    key = waits(ana.edit("accounts", "acme", base=1, phone="555"))
    assert is_left_open(moved, accept(bob, key), key, "row_unknown")
    assert is_left_open(moved, decline(bob, key), key, "row_unknown")
    assert is_left_open(moved, accept(ana, key), key, "row_unknown")


def test_whoever_may_not_write_it_decides_nothing(moved: Office) -> None:
    ana, fay = moved.phone("ana"), moved.phone("fay")
    key = waits(ana.edit("accounts", "acme", base=1, phone="555"))
    assert is_left_open(moved, accept(fay, key), key, "not_permitted")
    assert is_left_open(moved, decline(fay, key), key, "not_permitted")


def test_a_deal_is_decided_about_by_who_may_change_it(office: Office) -> None:
    office.put(
        ("territory_members", "tm", {"territory_key": "t-north", "user_key": "cleo", "valid_from": "2025-01-01"})
    )
    ana, cleo, bob = office.phone("ana"), office.phone("cleo"), office.phone("bob")
    office.put(("deals", "deal-a", {"owner_key": "bob"}))
    key = waits(ana.do("deal.win", "deals", "deal-a", base=1))
    assert is_left_open(office, accept(cleo, key), key, "not_permitted")
    assert is_left_open(office, decline(cleo, key), key, "not_permitted")
    assert accept(bob, key).outcome == "applied"
    assert office.row("deals", "deal-a")["stage_key"] == "won"


def test_a_field_that_only_managers_set_needs_a_manager_to_accept_it(office: Office) -> None:
    mia, bob, dirk = office.phone("mia"), office.phone("bob"), office.phone("dirk")
    office.put(("users", "mia", {"role": "rep"}), ("team_members", "m-mia", {"role": "member"}))
    key = waits(mia.edit("accounts", "acme", base=1, territory_key="t-south"))
    assert is_left_open(office, accept(bob, key), key, "field_not_permitted")
    assert accept(dirk, key).outcome == "applied"
    assert office.row("accounts", "acme")["territory_key"] == "t-south"


def test_the_authors_manager_accepts_what_is_nobodys(office: Office) -> None:
    ana, mia = office.phone("ana"), office.phone("mia")
    office.put(("accounts", "acme", {"territory_key": None}))
    key = waits(ana.edit("accounts", "acme", base=1, phone="555"))
    assert accept(mia, key).outcome == "applied"
    assert office.row("accounts", "acme")["phone"] == "555"


def test_the_authors_manager_no_longer_accepts_what_became_somebodys(office: Office) -> None:
    ana, mia, cleo = office.phone("ana"), office.phone("mia"), office.phone("cleo")
    office.put(("accounts", "acme", {"territory_key": None}))
    key = waits(ana.edit("accounts", "acme", base=1, phone="555"))
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    assert is_left_open(office, accept(mia, key), key, "row_unknown")
    assert accept(cleo, key).outcome == "applied"


def test_a_unit_in_its_authors_book_is_accepted_by_who_may_do_all_of_it(moved: Office) -> None:
    ana, mia, dirk = moved.phone("ana"), moved.phone("mia"), moved.phone("dirk")
    ana.do("create", "tasks", "t", set={"title": "Call"})
    named = {"id": "u", "size": 2}
    task = ana.mutation("update", "tasks", "t", base=1, set={"title": "Other"}, unit=named)
    edit = ana.mutation("update", "accounts", "acme", base=1, set={"phone": "9"}, unit=named)
    key = waits(ana.push(task, edit).receipts[0])
    assert is_left_open(moved, accept(mia, key), key, "row_unknown")
    assert is_left_open(moved, accept(ana, key), key, "row_unknown")
    assert accept(dirk, key).outcome == "applied"
    assert (moved.row("tasks", "t")["title"], moved.row("accounts", "acme")["phone"]) == ("Other", "9")


# -- declining --------------------------------------------------------------------------------------------------------


def test_what_is_declined_stays_readable_for_ever_and_changes_nothing(moved: Office) -> None:
    ana, cleo = moved.phone("ana"), moved.phone("cleo")
    sent = ana.mutation("update", "accounts", "acme", base=1, set={"phone": "555"})
    key = waits(ana.push(sent).receipts[0])
    assert decline(cleo, key, reason="I know better").outcome == "applied"
    assert moved.row("accounts", "acme")["phone"] is None
    assert moved.row("handovers", key)["mutations"] == [sent]
    assert moved.row("suggestions", key)["mutations"][0]["mutation"]["set"] == {"phone": "555"}
    assert moved.row("suggestions", key)["reason"] == "I know better"
    assert accept(cleo, key).code == "conflict_closed"


@pytest.mark.parametrize("arguments", [{"reason": 1}, {"reason": "x" * 2_001}, {"why": "x"}])
def test_a_reason_is_a_text_of_bounded_length(moved: Office, arguments: dict[str, Any]) -> None:
    ana, cleo = moved.phone("ana"), moved.phone("cleo")
    key = waits(ana.edit("accounts", "acme", base=1, phone="555"))
    assert is_left_open(moved, decline(cleo, key, **arguments), key, "command_invalid")
