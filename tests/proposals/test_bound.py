"""What an approval is of, how long it holds, and what asking for one tells (R45, R49)."""

from collections.abc import Callable

import pytest

from tests.crm.desk import opened
from tests.office import Office, Phone
from tests.proposals.selling import LINE, floors, limits, offered, order, steps
from tests.proposals.test_approval import status

DAY_MS = 86_400_000


def approved(office: Office, discount_bp: int = 3_000, **said: object) -> Phone:
    limits(office, rep=1_000, manager=5_000)
    ana = offered(office, discount_bp=discount_bp, **said)
    order(ana, "submit")
    assert order(office.phone("mia"), "approve").outcome == "applied"
    assert status(office) == ("approved", [])
    return ana


def test_another_customer_does_not_get_what_was_approved_for_one(office: Office) -> None:
    """R49: the deal changes hands, and its proposal is a draft at once."""
    ana = approved(office)
    office.put(("accounts", "other", {"name": "Other", "territory_key": "t-north"}))
    assert ana.edit("deals", "deal-a", name="Renamed").outcome == "applied"
    assert status(office) == ("approved", [])
    assert ana.edit("deals", "deal-a", account_key="other").outcome == "applied"
    assert status(office) == ("draft", [])
    assert order(ana, "send").code == "approval_needed"
    assert ana.edit("deals", "deal-a", account_key="acme").outcome == "applied"
    assert order(ana, "send").outcome == "applied"


def test_the_tax_of_what_was_approved_stays(office: Office) -> None:
    """R49."""
    ana = approved(office, line={"tax_name": "VAT", "tax_rate_bp": 2_100})
    ana.edit("proposal_lines", "p1-1", tax_name=None, tax_rate_bp=None)
    assert order(ana, "send").code == "approval_needed"


def test_words_of_the_template_that_change_after_the_approval_are_asked_about_again(office: Office) -> None:
    """R49: nobody changed the proposal, so it stands as approved; submitting again asks."""
    ana = approved(office)
    office.put(("proposal_templates", "house", {"texts": {"en": {"terms": "Paid whenever you like."}}}))
    assert status(office) == ("approved", [])
    assert order(ana, "send").code == "approval_needed"
    assert [order(ana, "submit").outcome for _ in range(2)] == ["applied", "applied"]
    assert status(office) == ("in_approval", ["manager"])
    assert [kind for kind, _, _ in steps(office)] == ["asked", "approved", "asked"]
    office.put(("proposal_templates", "house", {"texts": {"en": {"terms": "Paid never."}}}))
    assert order(office.phone("mia"), "approve").code == "approval_changed"  # not what was submitted
    assert order(ana, "submit").outcome == "applied"
    assert order(office.phone("mia"), "approve").outcome == "applied"


def test_a_floor_is_not_walked_around_by_a_credit_in_free_text(office: Office) -> None:
    """R49: 300.00 of pumps that cost 180.00, and 280.00 back."""
    floors(office, rep=3_000, manager=2_000, admin=0)
    ana = offered(office)
    credit = {"proposal_key": "p1", "name": "Courtesy", "unit_price_minor": -280_00}
    assert ana.do("create", "proposal_lines", "p1-2", set=credit).outcome == "applied"
    assert order(ana, "send").code == "approval_needed"
    order(ana, "submit")
    assert status(office) == ("in_approval", ["nobody"])
    ana.edit("proposal_lines", "p1-2", unit_price_minor=-100_00)  # 200.00 for what costs 180.00: 10 %
    order(ana, "submit")
    assert status(office) == ("in_approval", ["manager", "director"])
    ana.edit("proposal_lines", "p1-2", unit_price_minor=10_00)  # no credit, and of no cost that is known
    order(ana, "submit")
    assert status(office) == ("in_approval", ["manager"])


def test_an_approval_of_three_at_the_list_price_below_a_floor_is_none_of_more(office: Office) -> None:
    """R49."""
    floors(office, rep=9_000, manager=9_000, director=0)
    ana = offered(office)
    order(ana, "submit")
    assert order(office.phone("dirk"), "approve").outcome == "applied"
    ana.edit("proposal_lines", "p1-1", quantity="100000")
    order(ana, "submit")
    assert status(office) == ("in_approval", ["director"])


def test_a_line_that_earned_the_discount_of_another_is_not_dropped(office: Office) -> None:
    """R49."""
    limits(office, rep=1_000, manager=5_000)
    ana = offered(office, discount_bp=3_000)
    many = {**LINE, "proposal_key": "p1", "quantity": "1000", "discounts": [{"share_bp": 3_000}]}
    ana.do("create", "proposal_lines", "p1-2", set=many)
    order(ana, "submit")
    order(office.phone("mia"), "approve")
    assert ana.do("delete", "proposal_lines", "p1-2", base=1).outcome == "applied"
    assert order(ana, "send").code == "approval_needed"


def test_who_sees_no_cost_submits_a_few_times_a_day_and_each_leaves_its_trace(office: Office) -> None:
    """R45: so that no cost is found by asking."""
    floors(office, rep=3_000, manager=3_000, admin=0)
    ana = offered(office)
    offered(office, "p2")
    told = []
    for price in (59_00, 61_00, 60_00, 60_50, 60_25, 60_12):
        ana.edit("proposal_lines", "p1-1", unit_price_minor=price)
        receipt = order(ana, "submit")
        told.append(receipt.code or status(office)[1][-1])
    assert told == ["nobody", "director", "director", "director", "director", "approval_asked_often"]
    assert status(office) == ("draft", [])
    assert len(steps(office)) == 5
    assert order(ana, "submit", "p2").outcome == "applied"
    assert order(office.phone("dirk"), "submit").outcome == "applied"  # who sees cost is not counted
    office.clock.advance(DAY_MS)
    ana.edit("proposal_lines", "p1-1", unit_price_minor=60_13)
    assert order(ana, "submit").outcome == "applied"


def test_all_that_somebody_submits_in_a_day_is_counted(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """R45: more proposals of one product are no way around it; without a floor nothing is counted."""
    monkeypatch.setattr("proposals.probing.OF_PERSON_MAX", 2)
    for key in ("p1", "p2", "p3"):
        ana = offered(office, key)
        assert order(ana, "submit", key).outcome == "applied"
    floors(office, rep=3_000)
    offered(office, "p4")
    assert order(ana, "submit", "p4").code == "approval_asked_often"
    bob = office.phone("bob")
    assert bob.office.row("proposals", "p4")["submitted_at"] is None


def test_an_approval_says_what_was_looked_at(office: Office) -> None:
    """R49: submitted anew at -89 %, it is not approved by who looked at -30 %."""
    limits(office, rep=1_000, manager=9_000)
    ana, mia = offered(office, discount_bp=3_000), office.phone("mia")
    order(ana, "submit")
    seen = office.row("proposals", "p1")["submitted_at"]
    ana.edit("proposal_lines", "p1-1", discounts=[{"share_bp": 8_900}])
    order(ana, "submit")
    base = office.rev("proposals", "p1")
    for said, code in (({}, "command_invalid"), ({"submitted_at": seen}, "approval_changed")):
        assert mia.do("proposal.approve", "proposals", "p1", base=base, set=said).code == code
    assert status(office) == ("in_approval", ["manager"])


def test_an_approval_ages(office: Office) -> None:
    """R49: costs and people change; a submission asks again."""
    ana = approved(office, valid_until="2027-01-01")
    office.clock.advance(30 * DAY_MS)
    assert order(ana, "send").code == "approval_needed"
    order(ana, "submit")
    assert status(office) == ("in_approval", ["manager"])
    order(office.phone("mia"), "approve")
    office.clock.advance(29 * DAY_MS)
    assert order(ana, "send").outcome == "applied"


def _rejected(mia: Phone) -> None:
    order(mia, "reject", text="No")


def _approved_by(mia: Phone) -> None:
    order(mia, "approve")


@pytest.mark.parametrize("decide", [_rejected, _approved_by])
def test_who_decided_before_is_told_that_a_new_submission_waits_for_somebody_else(
    office: Office, decide: Callable[[Phone], None]
) -> None:
    """R49: twice is once, of one submission."""
    limits(office, rep=1_000, manager=2_000)
    floors(office, rep=3_500, manager=3_500, director=-10_000)
    ana, mia = offered(office, discount_bp=1_500), office.phone("mia")
    order(ana, "submit")
    decide(mia)
    ana.edit("proposal_lines", "p1-1", discounts=[{"share_bp": 6_000}])
    order(ana, "submit")
    assert status(office) == ("in_approval", ["director"])
    assert order(mia, "approve").code == "approval_not_yours"


def test_the_inbox_tells_of_one_that_cannot_be_made_any_more_and_of_all_others(office: Office) -> None:
    limits(office, rep=1_000, manager=5_000)
    ana = offered(office, discount_bp=3_000, contact_key="carl")
    offered(office, "p2", discount_bp=3_000)
    for key in ("p1", "p2"):
        order(ana, "submit", key)
    office.put(("accounts", "acme-2", {"name": "Acme 2"}), ("contacts", "carl", {"account_key": "acme-2"}))
    with opened(office) as desk:
        first, second = desk.get("mia", "/api/proposal-approvals").json()["items"]
    assert (first["key"], first["code"], first["values"]) == ("p1", "contact_elsewhere", None)
    assert (second["key"], second["code"], second["total_minor"]) == ("p2", None, 210_00)


def test_the_inbox_has_pages_of_what_its_reader_may_decide(office: Office) -> None:
    """What waits for a director is not in the way of what waits for a manager."""
    limits(office, rep=1_000, manager=2_000, director=9_000)
    for key, discount_bp in (("d1", 5_000), ("d2", 5_000), ("m1", 1_500), ("m2", 1_500)):
        order(offered(office, key, discount_bp), "submit", key)
        office.clock.advance(10)
    with opened(office) as desk:
        found, path = [], "/api/proposal-approvals?limit=1"
        while len(found) < 9:
            page = desk.get("mia", path).json()
            found += [item["key"] for item in page["items"]]
            if page["next"] is None:
                break
            path = f"/api/proposal-approvals?limit=1&after={page['next']}"
        assert found == ["m1", "m2"]
        assert len(desk.get("dirk", "/api/proposal-approvals").json()["items"]) == 4
        for query in ("limit=0", "limit=201", "after=x"):
            assert desk.get("mia", f"/api/proposal-approvals?{query}").status_code == 400
