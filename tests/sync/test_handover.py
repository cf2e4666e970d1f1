"""Work queued for a row that its author lost: what is handed over, where it lies, and what stays a refusal (S37)."""

from typing import Any

from sync.protocol import Receipt
from tests.office import Office, Phone


def reassign(office: Office, account: str = "acme", territory: str | None = "t-south") -> None:
    office.put(("accounts", account, {"territory_key": territory}))


def suggested(office: Office, receipt: Receipt) -> dict[str, Any]:
    assert receipt.outcome == "handed_over", receipt
    assert receipt.suggestion is not None
    return office.row("suggestions", receipt.suggestion)


def kinds(suggestion: dict[str, Any]) -> list[tuple[str, str]]:
    return [(kept["mutation"]["kind"], kept["mutation"]["key"]) for kept in suggestion["mutations"]]


def is_refused(office: Office, phone: Phone, receipt: Receipt, code: str) -> bool:
    kept = office.find("refusals", f"{phone.device}.{receipt.n}")
    nothing = office.rows("suggestions") + office.rows("handovers")
    return (receipt.outcome, receipt.code) == ("refused", code) and kept is not None and nothing == []


# -- what is handed over ----------------------------------------------------------------------------------------------


def test_an_edit_of_a_customer_that_was_reassigned_waits_for_the_new_owner(office: Office) -> None:
    ana, cleo = office.phone("ana"), office.phone("cleo")
    ana.catch_up()
    base = office.rev("accounts", "acme")
    reassign(office)
    receipt = ana.edit("accounts", "acme", base=base, phone="555")
    found = suggested(office, receipt)
    assert (found["entity"], found["row_key"], found["kind"]) == ("accounts", "acme", "handover")
    assert (found["author_key"], found["device_key"], found["status"]) == ("ana", "d-ana", "open")
    assert found["mutations"][0]["mutation"]["set"] == {"phone": "555"}
    assert found["mutations"][0]["mutation"]["base"] == base
    assert found["buckets"] == office.row("accounts", "acme")["buckets"]
    assert office.row("accounts", "acme")["phone"] is None
    assert office.rows("refusals") == []
    cleo.catch_up()
    assert receipt.suggestion in cleo.keys("suggestions")


def test_its_author_keeps_no_copy_and_sees_only_what_he_typed(office: Office) -> None:
    ana = office.phone("ana")
    ana.catch_up()
    base = office.rev("accounts", "acme")
    reassign(office)
    sent = ana.mutation("update", "accounts", "acme", base=base, set={"phone": "555"})
    (receipt,) = ana.push(sent).receipts
    ana.catch_up()
    assert "acme" not in ana.keys("accounts")
    assert ana.keys("suggestions") == set()
    told = ana.sees()["handovers", str(receipt.suggestion)]
    assert (told["status"], told["mutations"], told["entity"], told["row_key"]) == ("open", [sent], "accounts", "acme")
    assert office.row("handovers", str(receipt.suggestion))["buckets"] == ["user:ana"]


def test_the_receipt_of_a_hand_over_is_given_again_and_nothing_is_handed_over_twice(office: Office) -> None:
    ana = office.phone("ana")
    base = office.rev("accounts", "acme")
    reassign(office)
    sent = ana.mutation("update", "accounts", "acme", base=base, set={"phone": "555"})
    first, again = ana.push(sent).receipts, ana.push(sent).receipts
    assert first == again
    assert len(office.rows("suggestions")) == len(office.rows("handovers")) == 1


def test_whoever_lost_the_bucket_and_not_the_row_hands_over_too(office: Office) -> None:
    """A change of territory of the person: the row stays where it is."""
    ana = office.phone("ana")
    base = office.rev("accounts", "acme")
    office.delete("territory_members", "tm-ana")
    office.put(("accounts", "acme", {"city": "Vigo"}))
    assert suggested(office, ana.edit("accounts", "acme", base=base, phone="5"))["buckets"] == ["territory:t-north"]


def test_a_dated_change_of_territory_counts_from_its_day(office: Office) -> None:
    """S11: the push makes it effective first."""
    ana = office.phone("ana")
    base = office.rev("accounts", "acme")
    office.put(("territory_members", "tm-ana", {"valid_to": "2026-01-06"}))
    assert ana.edit("accounts", "acme", base=base, phone="1").outcome == "applied"
    office.clock.advance(24 * 3_600_000)
    office.put(("accounts", "acme", {"city": "Vigo"}))
    assert suggested(office, ana.edit("accounts", "acme", base=base + 1, phone="2"))["author_key"] == "ana"


def test_a_member_who_left_the_account_team_hands_over(office: Office) -> None:
    office.put(("account_members", "m", {"account_key": "acme", "user_key": "cleo"}))
    cleo, base = office.phone("cleo"), office.rev("contacts", "carl")
    office.delete("account_members", "m")
    found = suggested(office, cleo.edit("contacts", "carl", base=base, phone="9"))
    assert found["buckets"] == ["territory:t-north"]


def test_a_deal_that_changed_its_owner_is_handed_over_although_it_is_still_seen(office: Office) -> None:
    """Seeing it through the territory does not allow to change it."""
    ana, base = office.phone("ana"), office.rev("deals", "deal-a")
    office.put(("deals", "deal-a", {"owner_key": "bob"}))
    won = suggested(office, ana.do("deal.win", "deals", "deal-a", base=base))
    assert kinds(won) == [("deal.win", "deal-a")]
    assert won["buckets"] == ["book:bob", "territory:t-north"]


def test_what_is_new_below_a_lost_customer_is_handed_over_with_it(office: Office) -> None:
    ana = office.phone("ana")
    reassign(office)
    visit = ana.do("create", "visits", "v", set={"account_key": "acme", "purpose": "hello"})
    note = ana.do("create", "notes", "n", set={"account_key": "acme", "body": "they moved"})
    found = [suggested(office, receipt) for receipt in (visit, note)]
    assert [(s["entity"], s["row_key"], s["buckets"]) for s in found] == [
        ("accounts", "acme", ["territory:t-south"])
    ] * 2
    assert office.find("visits", "v") is None


def test_deletes_and_commands_are_handed_over(office: Office) -> None:
    ana = office.phone("ana")
    ana.do("create", "visits", "v", set={"account_key": "acme"})
    ana.do("visit.check_in", "visits", "v", base=1)
    base = office.rev("contacts", "carl")
    reassign(office)
    gone = suggested(office, ana.do("delete", "contacts", "carl", base=base))
    out = suggested(office, ana.do("visit.check_out", "visits", "v", base=2, set={"outcome": "sold"}))
    assert (kinds(gone), kinds(out)) == ([("delete", "carl")], [("visit.check_out", "v")])


def test_a_new_customer_of_a_territory_that_was_taken_away_goes_to_who_covers_it_now(office: Office) -> None:
    ana, bob = office.phone("ana"), office.phone("bob")
    office.delete("territory_members", "tm-ana")
    customer = ana.mutation("create", "accounts", "nova", set={"name": "Nova", "territory_key": "t-north"})
    person = ana.mutation("create", "contacts", "nina", set={"name": "Nina", "account_key": "nova"})
    first, second = ana.push(customer, person).receipts
    assert first.suggestion == second.suggestion
    found = suggested(office, first)
    assert kinds(found) == [("create", "nova"), ("create", "nina")]
    assert (found["entity"], found["row_key"], found["buckets"]) == ("territories", "t-north", ["territory:t-north"])
    bob.catch_up()
    assert bob.keys("suggestions") == {first.suggestion}


def test_whoever_left_hands_over_to_who_holds_the_work_now(office: Office) -> None:
    """The registration is not revoked yet, the person is inactive: his book goes to the managers."""
    ana, deal = office.phone("ana"), office.rev("deals", "deal-a")
    base = office.rev("accounts", "acme")
    office.put(("users", "ana", {"active": False}))
    edit = suggested(office, ana.edit("accounts", "acme", base=base, phone="1"))
    won = suggested(office, ana.do("deal.win", "deals", "deal-a", base=deal))
    task = suggested(office, ana.do("create", "tasks", "t", set={"title": "Call Carl"}))
    assert edit["buckets"] == ["territory:t-north"]
    assert won["buckets"] == ["book:ana", "territory:t-north"]
    assert (task["entity"], task["buckets"]) == ("users", ["book:ana"])
    mia = office.phone("mia")
    mia.catch_up()
    assert len(mia.keys("suggestions")) == 3


# -- who decides ------------------------------------------------------------------------------------------------------


def test_a_customer_that_is_nobodys_is_decided_about_by_the_authors_manager(office: Office) -> None:
    ana, mia, base = office.phone("ana"), office.phone("mia"), office.rev("accounts", "acme")
    reassign(office, territory=None)
    found = suggested(office, ana.edit("accounts", "acme", base=base, phone="1"))
    assert found["buckets"] == ["manage:north", "unassigned"]
    mia.catch_up()
    ana.catch_up()
    assert (len(mia.keys("suggestions")), ana.keys("suggestions")) == (1, set())


def test_where_nobody_works_with_a_territory_and_no_manager_is_left_directors_decide(office: Office) -> None:
    ana, base = office.phone("ana"), office.rev("accounts", "acme")
    office.put(("territories", "t-moon", {"name": "Moon"}))
    office.delete("team_members", "m-ana")
    reassign(office, territory="t-moon")
    found = suggested(office, ana.edit("accounts", "acme", base=base, phone="1"))
    assert found["buckets"] == ["territory:t-moon", "unassigned"]


def test_a_suggestion_moves_with_its_row(office: Office) -> None:
    ana, base = office.phone("ana"), office.rev("accounts", "acme")
    reassign(office, territory=None)
    receipt = ana.edit("accounts", "acme", base=base, phone="1")
    cleo = office.phone("cleo")
    reassign(office, territory="t-south")
    cleo.catch_up()
    assert cleo.keys("suggestions") == {receipt.suggestion}
    reassign(office, territory="t-north")
    cleo.catch_up()
    assert cleo.keys("suggestions") == set()


def test_a_merged_row_is_handed_over_to_its_survivor(office: Office) -> None:
    ana, base = office.phone("ana"), office.rev("accounts", "acme")
    office.phone("root").do("account.merge", "accounts", "acme", set={"into": "zeta"})
    found = suggested(office, ana.edit("accounts", "acme", base=base, phone="1"))
    assert (found["row_key"], found["buckets"]) == ("zeta", ["territory:t-south"])
    assert office.row("handovers", found["key"])["row_key"] == "acme"


# -- what builds on it ------------------------------------------------------------------------------------------------


def test_what_builds_on_a_hand_over_of_the_same_push_joins_it(office: Office) -> None:
    ana = office.phone("ana")
    reassign(office)
    made = ana.mutation("create", "visits", "v", set={"account_key": "acme"})
    more = ana.mutation("update", "visits", "v", set={"purpose": "hello"})
    note = ana.mutation("create", "notes", "n", set={"account_key": "acme", "visit_key": "v", "body": "x"})
    other = ana.mutation("create", "notes", "alone", set={"account_key": "acme", "body": "y"})
    receipts = ana.push(made, more, note, other).receipts
    assert [r.suggestion for r in receipts] == ["d-ana.1", "d-ana.1", "d-ana.1", "d-ana.4"]
    assert kinds(office.row("suggestions", "d-ana.1")) == [("create", "v"), ("update", "v"), ("create", "n")]
    assert office.row("handovers", "d-ana.1")["mutations"] == [made, more, note]


def test_what_builds_on_an_earlier_hand_over_waits_for_it(office: Office) -> None:
    """Somebody may be looking at the earlier one: nothing is added to it."""
    ana = office.phone("ana")
    reassign(office)
    ana.do("create", "visits", "v", set={"account_key": "acme"})
    later = suggested(office, ana.do("update", "visits", "v", set={"purpose": "hello"}))
    assert (later["after_key"], later["entity"], later["row_key"]) == ("d-ana.1", "accounts", "acme")
    assert kinds(office.row("suggestions", "d-ana.1")) == [("create", "v")]


def test_what_builds_on_a_declined_hand_over_is_refused_with_its_number(office: Office) -> None:
    ana, cleo = office.phone("ana"), office.phone("cleo")
    reassign(office)
    ana.do("create", "visits", "v", set={"account_key": "acme"})
    cleo.do("suggestion.decline", "suggestions", "d-ana.1", set={"reason": "he was not there"})
    late = ana.do("update", "visits", "v", set={"purpose": "hello"})
    assert (late.outcome, late.code, late.depends_on_n) == ("refused", "depends_on_refused", 1)


def unit(phone: Phone, *parts: tuple[str, str, str, dict[str, Any]]) -> list[dict[str, Any]]:
    """(kind, entity, key, set) of mutations that land together, on the first revision."""
    named = {"id": f"u{phone.n}", "size": len(parts)}
    return [phone.mutation(kind, entity, key, base=1, set=said, unit=named) for kind, entity, key, said in parts]


def test_a_unit_with_one_such_mutation_is_one_suggestion_of_all_and_nothing_of_it_lands(office: Office) -> None:
    ana = office.phone("ana")
    reassign(office)
    parts = unit(
        ana,
        ("update", "contacts", "carl", {"phone": "9"}),
        ("create", "contacts", "dora", {"account_key": "acme", "name": "Dora"}),
    )
    receipts = ana.push(*parts).receipts
    assert [(r.outcome, r.suggestion) for r in receipts] == [("handed_over", "d-ana.1")] * 2
    found = office.row("suggestions", "d-ana.1")
    assert kinds(found) == [("update", "carl"), ("create", "dora")]
    assert found["buckets"] == ["territory:t-south"]
    assert len(office.rows("suggestions")) == len(office.rows("handovers")) == 1
    assert office.row("contacts", "carl")["phone"] == "1"


def test_a_unit_that_not_everybody_there_may_see_goes_to_the_authors_managers(office: Office) -> None:
    """S10: what was typed about an own task is not shown to the next owner of the customer."""
    ana = office.phone("ana")
    ana.do("create", "tasks", "t", set={"title": "Call"})
    reassign(office)
    task, account = ("update", "tasks", "t", {"title": "Secret"}), ("update", "accounts", "acme", {"phone": "9"})
    receipts = ana.push(*unit(ana, task, account)).receipts
    assert {r.outcome for r in receipts} == {"handed_over"}
    assert office.row("suggestions", "d-ana.2")["buckets"] == ["book:ana"]
    assert office.row("tasks", "t")["title"] == "Call"


def test_a_unit_of_which_another_part_is_refused_is_refused(office: Office) -> None:
    ana = office.phone("ana")
    reassign(office)
    bad = ("create", "tasks", "t", {"title": ""})
    receipts = ana.push(*unit(ana, ("update", "accounts", "acme", {"phone": "9"}), bad)).receipts
    assert [r.code for r in receipts] == ["unit_failed", "field_invalid"]
    assert office.rows("suggestions") == office.rows("handovers") == []
    assert len(office.rows("refusals")) == 2


# -- what is not ------------------------------------------------------------------------------------------------------


def test_a_row_that_was_never_held_is_answered_as_one_that_does_not_exist(office: Office) -> None:
    ana = office.phone("ana")
    real = ana.edit("accounts", "zeta", base=1, phone="1")
    made_up = ana.edit("accounts", "nope", base=1, phone="1")
    assert is_refused(office, ana, real, "row_unknown")
    assert is_refused(office, ana, made_up, "row_unknown")
    assert str(real.text).replace("zeta", "nope") == made_up.text
    below = ana.do("create", "contacts", "x", set={"account_key": "zeta", "name": "X"})
    assert is_refused(office, ana, below, "reference_unknown")


def test_a_revision_of_after_the_loss_was_never_seen(office: Office) -> None:
    """Nor does it tell how often the row was changed since: every later number is answered alike."""
    ana, base = office.phone("ana"), office.rev("accounts", "acme")
    office.delete("territory_members", "tm-ana")
    office.put(("accounts", "acme", {"city": "Vigo"}))
    for later in (1, 2, 900):
        assert is_refused(office, ana, ana.edit("accounts", "acme", base=base + later, phone="1"), "row_unknown")
    assert suggested(office, ana.edit("accounts", "acme", base=base, phone="1"))


def test_the_row_lay_elsewhere_while_the_bucket_was_held(office: Office) -> None:
    """She covers t-north just while the customer lies outside: the territory alone is not enough, nor is the time."""
    reassign(office, territory=None)
    office.put(
        ("territory_members", "tm", {"territory_key": "t-north", "user_key": "cleo", "valid_from": "2025-01-01"})
    )
    office.put(("accounts", "acme", {"city": "Vigo"}))
    office.delete("territory_members", "tm")
    reassign(office, territory="t-north")
    cleo = office.phone("cleo")
    for base in (0, 1, 2, 3, 4):
        assert is_refused(office, cleo, cleo.edit("accounts", "acme", base=base, phone="1"), "row_unknown")


def test_of_several_stays_only_those_count_that_were_seen(office: Office) -> None:
    cleo = office.phone("cleo")
    reassign(office, territory="t-south")  # revision 2: seen
    reassign(office, territory=None)
    reassign(office, territory="t-south")  # revision 4: seen
    office.put(("accounts", "acme", {"city": "Vigo"}))  # revision 5: seen
    reassign(office, territory="t-north")
    outcomes = [cleo.edit("accounts", "acme", base=base, phone="1").outcome for base in range(1, 7)]
    assert outcomes == ["refused", "handed_over", "refused", "handed_over", "handed_over", "refused"]


def test_what_would_have_been_refused_then_is_refused(office: Office) -> None:
    ana, base = office.phone("ana"), office.rev("accounts", "acme")
    reassign(office)
    found = [
        ana.edit("accounts", "acme", base=base, wings="2"),
        ana.edit("accounts", "acme", base=base, territory_key="t-north"),
        ana.do("create", "contacts", "x", set={"account_key": "acme"}),
        ana.do("create", "visits", "v", set={"account_key": "acme", "owner_key": "cleo"}),
    ]
    codes = ["field_unknown", "field_not_permitted", "field_required", "field_not_permitted"]
    assert [receipt.code for receipt in found] == codes
    assert office.rows("suggestions") == []


def test_the_role_counts_that_its_author_had_then(office: Office) -> None:
    mia, base = office.phone("mia"), office.rev("accounts", "acme")
    office.put(("users", "mia", {"role": "rep"}), ("team_members", "m-mia", {"role": "member"}))
    assert suggested(office, mia.edit("accounts", "acme", base=base, territory_key="t-south"))


def test_somebody_elses_work_that_was_never_ones_own_is_not_handed_over(office: Office) -> None:
    bob = office.phone("bob")
    receipt = bob.edit("deals", "deal-a", name="Mine")
    assert is_refused(office, bob, receipt, "not_permitted")


def test_decisions_about_rows_of_the_server_are_not_handed_over(office: Office) -> None:
    ana, base = office.phone("ana"), office.rev("accounts", "acme")
    reassign(office)
    key = str(ana.edit("accounts", "acme", base=base, phone="1").suggestion)
    late = ana.do("suggestion.accept", "suggestions", key, base=1)
    assert (late.outcome, late.code) == ("refused", "row_unknown")
