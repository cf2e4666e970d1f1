"""What a second pair of eyes found in the code, each as the shortest story that shows it."""

from msgspec import Raw

from sfa.core.shapes import SHAPES
from sync.protocol import MUTATION_BYTES_MAX
from tests.office import Office

OWN_DEAL = {"name": "Pumps", "owner_key": "ana", "stage_key": "lead"}


def test_a_create_of_a_known_row_gives_no_more_rights_than_an_update(office: Office) -> None:
    """S18, S27: a repeated create neither wins a deal without a command nor gives it away."""
    ana = office.phone("ana")
    for change, code in (({"stage_key": "won"}, "field_read_only"), ({"owner_key": "cleo"}, "field_not_permitted")):
        receipt = ana.do("create", "deals", "deal-a", set={**OWN_DEAL, **change})
        assert receipt.code == code
    assert office.row("deals", "deal-a")["stage_key"] == "lead"


def test_a_unit_whose_first_item_is_unreadable_is_refused_whole_and_does_not_hold_up_the_queue(office: Office) -> None:
    """S19, S20."""
    ana = office.phone("ana")
    unit = {"id": "u", "size": 2}
    broken = {**ana.mutation("create", "contacts", "c-1", set={}), "unit": unit, "surprise": 1}
    second = ana.mutation("create", "contacts", "c-2", set={"account_key": "acme", "name": "C"}, unit=unit)
    third = ana.mutation("update", "contacts", "carl", base=1, set={"phone": "9"})
    answer = ana.push(broken, second, third)
    assert [r.code for r in answer.receipts] == ["mutation_invalid", "unit_failed", None]
    assert (answer.stopped, answer.expected_n) == (None, 4)
    assert "c-2" not in [row["key"] for row in office.rows("contacts")]


def test_a_unit_behind_an_item_that_is_no_object_at_all_is_found_too(office: Office) -> None:
    """S19, S20: even the unit of such an item is known only from those behind it."""
    ana = office.phone("ana")
    unit = {"id": "u", "size": 2}
    ana.mutation("create", "contacts", "c-1")
    second = ana.mutation("create", "contacts", "c-2", set={"account_key": "acme", "name": "C"}, unit=unit)
    answer = ana.push(Raw(b'"nonsense"'), second)
    assert [r.code for r in answer.receipts] == ["mutation_invalid", "unit_failed"]
    lone = ana.push(
        Raw(b'"nonsense"'), ana.mutation("update", "contacts", "carl", base=1, set={"phone": "9"}) | {"n": 4}
    )
    assert [r.code for r in lone.receipts] == ["mutation_invalid", None]


def test_a_mutation_that_is_too_large_is_kept_whole(office: Office) -> None:
    """S1: the author must be able to repair it."""
    ana = office.phone("ana")
    text = "x" * (MUTATION_BYTES_MAX + 1)
    receipt = ana.do("update", "contacts", "carl", base=1, set={"title": text})
    assert receipt.code == "mutation_invalid"
    (refusal,) = office.rows("refusals")
    assert refusal["mutation"]["set"] == {"title": text}


def test_an_enormous_skip_costs_nothing(office: Office) -> None:
    """S21: a range is kept as a range."""
    ana = office.phone("ana")
    answer = ana.push(skip={"first_n": 1, "last_n": 2**50})
    assert answer.expected_n == 2**50 + 1
    again = ana.push(ana.mutation("update", "contacts", "carl", base=1, set={"phone": "9"}))
    assert [r.code for r in again.receipts] == ["mutation_reused"]


def test_nothing_behind_a_reused_number_is_taken_from_a_clone(office: Office) -> None:
    """S18: what follows may depend on what was refused; it waits for the new registration."""
    ana = office.phone("ana")
    ana.edit("contacts", "carl", base=1, phone="2")
    other = {**ana.mutation("create", "contacts", "c", set={"account_key": "acme", "name": "C"}), "n": 1}
    behind = {**ana.mutation("update", "contacts", "c", set={"name": "D"}), "n": 2}
    answer = ana.push(other, behind)
    assert (answer.register_anew, answer.stopped, answer.expected_n) == (True, "mutation_reused", 2)
    assert [refusal["code"] for refusal in office.rows("refusals")] == ["mutation_reused"]


def test_an_edit_of_a_merged_row_whose_survivor_is_out_of_sight_tells_nothing(office: Office) -> None:
    """S22, promise 4."""
    office.put(("accounts", "twin", {"name": "Twin", "territory_key": "t-north"}))
    assert office.phone("dirk").do("account.merge", "accounts", "twin", set={"into": "acme"}).outcome == "applied"
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    receipt = office.phone("ana").do("update", "accounts", "twin", base=1, set={"name": "Mine"})
    assert (receipt.outcome, receipt.key) == ("handed_over", "twin")  # she held it once (S37)
    told = office.row("handovers", str(receipt.suggestion))
    assert "acme" not in f"{receipt} {[told[field] for field in SHAPES['handovers'].types]}"
    assert office.phone("cleo").do("update", "accounts", "twin", base=1, set={"name": "Mine"}).code == "row_unknown"


def test_merging_takes_tasks_and_subsidiaries_along(office: Office) -> None:
    """S22, S30."""
    office.put(
        ("accounts", "twin", {"name": "Twin", "territory_key": "t-north"}),
        ("accounts", "child", {"name": "Child", "territory_key": "t-north", "parent_key": "twin"}),
        ("tasks", "call", {"title": "Call", "owner_key": "ana", "account_key": "twin"}),
    )
    office.put(("accounts", "acme", {"parent_key": "twin"}))
    office.phone("ana").do("account.merge", "accounts", "twin", set={"into": "acme"})
    assert office.row("accounts", "child")["parent_key"] == "acme"
    assert office.row("tasks", "call")["account_key"] == "acme"
    assert office.row("accounts", "acme")["parent_key"] is None


def test_a_rep_does_not_move_work_between_territories_by_merging(office: Office) -> None:
    """R53."""
    office.put(("territory_members", "tm", {"territory_key": "t-south", "user_key": "ana", "valid_from": "2025-01-01"}))
    receipt = office.phone("ana").do("account.merge", "accounts", "zeta", set={"into": "acme"})
    assert receipt.code == "not_permitted"
    assert office.phone("dirk").do("account.merge", "accounts", "zeta", set={"into": "acme"}).outcome == "applied"


def test_moving_a_contact_below_a_deleted_customer_brings_the_customer_back(office: Office) -> None:
    """S26."""
    office.put(("accounts", "other", {"name": "Other", "territory_key": "t-north"}))
    office.delete("accounts", "other")
    receipt = office.phone("ana").do("update", "contacts", "carl", base=1, set={"account_key": "other"})
    assert receipt.outcome == "applied"
    assert not office.row("accounts", "other")["gone"]


def test_nobody_but_an_administrator_gives_roles(office: Office) -> None:
    """R53: a director runs the company and cannot make himself see everything."""
    assert (
        office.phone("dirk").do("update", "users", "dirk", base=1, set={"role": "admin"}).code == "field_not_permitted"
    )
    assert office.phone("root").do("update", "users", "bob", base=1, set={"role": "manager"}).outcome == "applied"


def test_a_dismissed_conflict_can_still_be_restored(office: Office) -> None:
    """S1: a losing value comes back with one call, whenever."""
    ana, bob = office.phone("ana"), office.phone("bob")
    ana.edit("contacts", "carl", base=1, phone="2")
    office.clock.advance(1_000)
    (conflict,) = bob.edit("contacts", "carl", base=1, phone="3").conflicts
    ana.do("conflict.dismiss", "conflicts", conflict)
    assert ana.do("conflict.restore", "conflicts", conflict).outcome == "applied"
    assert office.row("contacts", "carl")["phone"] == "2"
    assert ana.do("conflict.restore", "conflicts", conflict).code == "conflict_closed"


def test_a_deal_begins_in_an_open_stage(office: Office) -> None:
    """S27: winning is a command, which dates the win."""
    deal = {"name": "Quick", "account_key": "acme", "stage_key": "won"}
    assert office.phone("ana").do("create", "deals", "quick", set=deal).code == "illegal_transition"


def test_the_lines_of_a_deal_are_its_owners(office: Office) -> None:
    """R53: seeing a colleague's deal through the territory does not allow to change what it is worth."""
    line = {"deal_key": "deal-a", "product_key": "pump"}
    ana, bob = office.phone("ana"), office.phone("bob")
    assert bob.do("create", "deal_lines", "by-bob", set=line).code == "not_permitted"
    assert ana.do("create", "deal_lines", "by-ana", set=line).outcome == "applied"
    assert bob.do("update", "deal_lines", "by-ana", base=1, set={"quantity": "9"}).code == "not_permitted"
    assert office.phone("mia").do("update", "deal_lines", "by-ana", base=1, set={"quantity": "9"}).outcome == "applied"


def test_an_update_to_what_stands_already_is_applied(office: Office) -> None:
    """S24: equal values are no conflict and no merge."""
    assert office.phone("ana").edit("contacts", "carl", base=1, phone="1").outcome == "applied"


def test_a_demoted_manager_writes_as_what_he_is_now(office: Office) -> None:
    """S8: rights are read in the transaction, not taken from a token that is minutes old."""
    mia = office.phone("mia")
    office.put(("users", "mia", {"role": "rep"}))
    assert mia.edit("accounts", "acme", base=1, territory_key="t-south").code == "field_not_permitted"


def test_a_line_is_not_moved_onto_somebody_elses_deal(office: Office) -> None:
    """S10: a deal's lines are changed by who may change the deal, the one they come to as well."""
    office.put(
        ("deals", "deal-b", {"name": "B", "owner_key": "bob", "account_key": "acme", "stage_key": "lead"}),
        ("deal_lines", "line", {"deal_key": "deal-b", "product_key": "pump"}),
    )
    assert office.phone("bob").edit("deal_lines", "line", deal_key="deal-a").code == "not_permitted"
    assert office.row("deal_lines", "line")["deal_key"] == "deal-b"
    assert office.phone("mia").edit("deal_lines", "line", deal_key="deal-a").outcome == "applied"


def test_merging_into_a_row_whose_survivor_is_out_of_sight_does_not_tell_its_key(office: Office) -> None:
    """S22, promise 4."""
    rows = [("accounts", key, {"name": key, "territory_key": "t-north"}) for key in ("twin", "third")]
    office.put(*rows)
    assert office.phone("dirk").do("account.merge", "accounts", "twin", set={"into": "acme"}).outcome == "applied"
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    receipt = office.phone("ana").do("account.merge", "accounts", "third", set={"into": "twin"})
    assert (receipt.code, receipt.key) == ("row_unknown", "third")
    assert "acme" not in f"{receipt.text} {receipt.details}"


def test_a_rep_does_not_merge_contacts_of_customers_in_two_territories(office: Office) -> None:
    """S30: as with the customers themselves; whoever works with the loser would lose the contact."""
    office.put(("account_members", "am", {"account_key": "acme", "user_key": "cleo"}))
    assert office.phone("cleo").do("contact.merge", "contacts", "carl", set={"into": "zoe"}).code == "not_permitted"
    assert not office.row("contacts", "carl")["gone"]
    assert office.phone("dirk").do("contact.merge", "contacts", "carl", set={"into": "zoe"}).outcome == "applied"


def test_a_rep_moves_no_work_between_territories_by_an_update(office: Office) -> None:
    """R53: as little as by a merge."""
    office.put(("territory_members", "tm", {"territory_key": "t-south", "user_key": "ana", "valid_from": "2025-01-01"}))
    office.put(("accounts", "other", {"name": "Other", "territory_key": "t-north"}))
    ana = office.phone("ana")
    assert ana.do("update", "contacts", "zoe", base=1, set={"account_key": "acme"}).code == "field_not_permitted"
    assert ana.do("update", "contacts", "carl", base=1, set={"account_key": "other"}).outcome == "applied"


def test_a_split_partner_works_on_a_deal_and_does_not_share_it_out(office: Office) -> None:
    """R16, R53."""
    half = [{"user_key": "ana", "share_bp": 5_000}, {"user_key": "bob", "share_bp": 5_000}]
    greedy = [{"user_key": "ana", "share_bp": 1}, {"user_key": "bob", "share_bp": 9_999}]
    assert office.phone("ana").edit("deals", "deal-a", splits=half).outcome == "applied"
    bob = office.phone("bob")
    assert bob.edit("deals", "deal-a", next_step="call").outcome == "applied"
    assert bob.edit("deals", "deal-a", splits=greedy).code == "field_not_permitted"


def test_nobody_sets_the_quota_that_he_is_measured_by(office: Office) -> None:
    """R5."""
    office.put(
        ("fiscal_periods", "q1", {"name": "Q1", "kind": "quarter", "start_on": "2026-01-01", "end_on": "2026-04-01"})
    )
    quota = {"period_key": "q1", "measure": "total_contacts", "target": 10}
    mia = office.phone("mia")
    assert mia.do("create", "quotas", "own", set={**quota, "user_key": "mia"}).code == "not_permitted"
    assert mia.do("create", "quotas", "anas", set={**quota, "user_key": "ana"}).outcome == "applied"
    office.put(("quotas", "given", {**quota, "user_key": "mia"}))
    assert mia.do("update", "quotas", "given", base=1, set={"target": 1}).code == "not_permitted"
    assert office.phone("dirk").do("update", "quotas", "given", base=1, set={"target": 12}).outcome == "applied"


def test_a_customer_is_deleted_by_who_covers_its_territory(office: Office) -> None:
    """R53: not by a guest of its account team."""
    office.put(("account_members", "m", {"account_key": "acme", "user_key": "cleo"}))
    assert office.phone("cleo").do("delete", "accounts", "acme", base=1).code == "not_permitted"
    assert office.phone("bob").do("delete", "accounts", "acme", base=1).outcome == "applied"


def test_a_customer_is_never_its_own_parent(office: Office) -> None:
    """R19."""
    office.put(("accounts", "child", {"name": "Child", "territory_key": "t-north", "parent_key": "acme"}))
    ana = office.phone("ana")
    assert ana.edit("accounts", "acme", parent_key="acme").code == "hierarchy_cycle"
    assert ana.edit("accounts", "acme", parent_key="child").code == "hierarchy_cycle"
    assert ana.edit("accounts", "acme", name="Acme and Sons").outcome == "applied"


def test_a_director_does_not_take_over_a_login(office: Office) -> None:
    """R53: whose e-mail address it is, he logs in."""
    receipt = office.phone("dirk").do("update", "users", "root", base=1, set={"email": "dirk2@example.com"})
    assert receipt.code == "field_not_permitted"
