"""Who must approve what, and what an approval is bound to, from phones (R45, R49, R53)."""

from typing import Any

import pytest

from tests.office import Office, Phone
from tests.proposals.selling import floors, limits, offered, order, steps, template, versions


def status(office: Office, key: str = "p1") -> tuple[str, list[str]]:
    row = office.row("proposals", key)
    return row["status"], row["needs"]


def submitted(office: Office, **said: Any) -> Phone:
    """Beyond the rep's limit, waiting for a manager."""
    limits(office, rep=1_000, manager=2_000)
    ana = offered(office, **{"discount_bp": 1_500, **said})
    assert order(ana, "submit").outcome == "applied"
    assert status(office) == ("in_approval", ["manager"])
    return ana


def test_within_his_limits_a_rep_approves_by_submitting(office: Office) -> None:
    limits(office, rep=1_000, manager=2_000)
    ana = offered(office, discount_bp=1_000)
    assert [order(ana, "submit").outcome for _ in range(2)] == ["applied", "applied"]
    assert (status(office), steps(office)) == (("approved", []), [])
    assert order(ana, "send").outcome == "applied"


def test_beyond_them_nothing_is_sent_until_the_role_above_approves(office: Office) -> None:
    """R49, R53."""
    ana = submitted(office)
    refused = order(ana, "send")
    assert (refused.code, (refused.details or {})["needs"]) == ("approval_needed", ["manager"])
    assert versions(office) == []
    assert order(office.phone("mia"), "approve", text="Fine").outcome == "applied"
    row = office.row("proposals", "p1")
    assert (row["status"], row["decided"]["kind"], row["decided"]["by"]) == ("approved", "approved", "mia")
    assert [order(ana, "send").outcome for _ in range(2)] == ["applied", "applied"]
    assert steps(office) == [("asked", "ana", "manager"), ("approved", "mia", "manager")]


def test_nobody_approves_his_own_and_who_is_not_above_approves_nothing(office: Office) -> None:
    """R49."""
    ana = submitted(office)
    assert order(ana, "approve").code == "approval_not_yours"
    assert order(office.phone("bob"), "approve").code == "approval_not_yours"
    assert order(office.phone("cleo"), "approve").code == "row_unknown"
    assert status(office) == ("in_approval", ["manager"])
    mia = office.phone("mia")
    offered(office, "p2", 2_500)
    assert order(mia, "submit", "p2").outcome == "applied"  # the director is above
    assert order(mia, "approve", "p2").code == "approval_not_yours"
    assert order(office.phone("dirk"), "approve", "p2").outcome == "applied"


def test_who_is_above_stands_for_those_below_and_a_manager_does_not_for_him(office: Office) -> None:
    limits(office, rep=1_000, manager=2_000)
    ana = offered(office, discount_bp=2_500)
    order(ana, "submit")
    assert status(office) == ("in_approval", ["director"])
    refused = order(office.phone("mia"), "approve")
    assert (refused.code, (refused.details or {})["needs"]) == ("approval_not_yours", ["director"])
    dirk = office.phone("dirk")
    assert [order(dirk, "approve").outcome for _ in range(2)] == ["applied", "applied"]
    assert (status(office), len(steps(office))) == (("approved", []), 2)


def test_a_chain_is_gone_up_in_order(office: Office) -> None:
    """A discount for the manager, a margin for the director: 85.00 at a cost of 60.00 is 29.4 %."""
    limits(office, rep=1_000)
    floors(office, rep=3_500, manager=3_500, director=1_000)
    ana = offered(office, discount_bp=1_500)
    order(ana, "submit")
    assert status(office) == ("in_approval", ["manager", "director"])
    mia = office.phone("mia")
    assert [order(mia, "approve").outcome for _ in range(2)] == ["applied", "applied"]
    assert status(office) == ("in_approval", ["director"])
    assert order(ana, "send").code == "approval_needed"
    assert order(office.phone("dirk"), "approve").outcome == "applied"
    assert order(ana, "send").outcome == "applied"


def test_below_every_floor_and_beyond_every_limit_nobody_approves(office: Office) -> None:
    template(office)
    limits(office, rep=1_000, manager=1_000, director=1_000, finance=1_000, admin=1_000)
    ana = offered(office, discount_bp=1_500)
    assert order(ana, "submit").code == "approval_impossible"
    assert status(office) == ("draft", [])
    floors(office, admin=5_000)
    ana = offered(office, "p2")
    assert order(ana, "submit", "p2").outcome == "applied"  # and is kept: whom a margin asks is told once
    assert status(office, "p2") == ("in_approval", ["nobody"])
    assert order(office.phone("dirk"), "approve", "p2").code == "approval_not_yours"
    assert order(ana, "send", "p2").code == "approval_needed"
    assert ana.edit("proposal_lines", "p2-1", unit_price_minor=200_00).outcome == "applied"
    assert order(ana, "submit", "p2").outcome == "applied"
    assert status(office, "p2") == ("approved", [])


WORSE: list[tuple[str, dict[str, Any]]] = [
    ("proposal_lines", {"discounts": [{"share_bp": 1_501}]}),
    ("proposal_lines", {"unit_price_minor": 99_99}),
    ("proposal_lines", {"quantity": "4"}),
    ("proposal_lines", {"optional": True}),
    ("proposals", {"discounts": [{"amount_minor": 1}]}),
    ("proposals", {"payment_days": 31}),
    ("proposals", {"valid_until": "2027-01-01"}),
    ("proposals", {"terms": "Anything."}),
    ("proposal_lines", {"name": "Pump, pallet of 1,000 pieces"}),
    ("proposal_lines", {"unit": "container"}),
    ("proposal_lines", {"text": "24 months of free service, and a rebate of 20 % at the year's end"}),
    ("proposal_lines", {"discounts": [{"share_bp": 1_500, "text": "and a second pump"}]}),
    ("proposal_lines", {"tax_name": "VAT", "tax_rate_bp": 2_100}),
    ("proposals", {"title": "Pumps that are paid next year"}),
    ("proposals", {"summary": "Pay in 360 days, give everything back."}),
    ("proposals", {"closing": "A second set is free."}),
    ("proposals", {"sections": [{"key": "s", "title": "Special terms", "text": "20 % back"}]}),
    ("proposals", {"instalments": [{"share_bp": 10_000, "due_days": 30, "text": "12 months after delivery"}]}),
]
NOT_WORSE: list[tuple[str, dict[str, Any]]] = [
    ("proposal_lines", {"discounts": [{"share_bp": 1_400}]}),
    ("proposal_lines", {"unit_price_minor": 100_01}),
    ("proposal_lines", {"position": 7}),
    ("proposals", {"payment_days": 10}),
    ("proposals", {"contact_key": "carl", "valid_until": None}),
]


@pytest.mark.parametrize(("entity", "values"), WORSE)
def test_a_worsening_voids_the_approval(shared_office: Office, entity: str, values: dict[str, Any]) -> None:
    """R49."""
    key = _approved(shared_office, f"w{len(shared_office.rows('proposals'))}")
    ana = shared_office.phone("ana")
    assert ana.edit(entity, key if entity == "proposals" else f"{key}-1", **values).outcome == "applied"
    assert status(shared_office, key) == ("draft", [])
    assert order(ana, "send", key).code == "approval_needed"
    assert order(ana, "submit", key).outcome == "applied"
    assert status(shared_office, key)[0] == "in_approval"


@pytest.mark.parametrize(("entity", "values"), NOT_WORSE)
def test_what_is_no_worsening_needs_no_second_approval(
    shared_office: Office, entity: str, values: dict[str, Any]
) -> None:
    """R49: and costs that rose since need none either."""
    key = _approved(shared_office, f"n{len(shared_office.rows('proposals'))}")
    ana = shared_office.phone("ana")
    assert ana.edit(entity, key if entity == "proposals" else f"{key}-1", **values).outcome == "applied"
    shared_office.clock.advance(3 * 86_400_000)
    assert order(ana, "submit", key).outcome == "applied"
    assert status(shared_office, key) == ("approved", [])
    assert order(ana, "send", key).outcome == "applied"
    assert order(ana, "revise", key).outcome == "applied"
    assert order(ana, "send", key).outcome == "applied"  # the same again, as another version
    assert len(versions(shared_office, key)) == 2


def _approved(office: Office, key: str) -> str:
    if office.find("discount_limits", "limit-rep") is None:
        limits(office, rep=1_000, manager=2_000)
    ana = offered(office, key, 1_500, payment_days=30)
    order(ana, "submit", key)
    assert order(office.phone("mia"), "approve", key).outcome == "applied"
    return key


def test_a_line_more_or_another_product_is_a_worsening(office: Office) -> None:
    ana = submitted(office)
    order(office.phone("mia"), "approve")
    line = {"proposal_key": "p1", "product_key": "pump", "name": "Pump", "unit_price_minor": 100_00}
    assert ana.do("create", "proposal_lines", "p1-2", set=line).outcome == "applied"
    assert order(ana, "send").code == "approval_needed"
    assert ana.do("delete", "proposal_lines", "p1-2", base=1).outcome == "applied"
    assert order(ana, "send").outcome == "applied"


def test_a_rejection_takes_back_what_was_approved_before(office: Office) -> None:
    ana = submitted(office)
    mia = office.phone("mia")
    order(mia, "approve")
    ana.edit("proposals", "p1", payment_days=60)
    order(ana, "submit")
    assert order(mia, "reject").code == "command_invalid"  # a reason is owed
    assert [order(mia, "reject", text="No").outcome for _ in range(2)] == ["applied", "applied"]
    row = office.row("proposals", "p1")
    assert (row["status"], row["decided"]["kind"], row["decided"]["text"]) == ("draft", "rejected", "No")
    ana.edit("proposals", "p1", payment_days=None)
    assert order(ana, "send").code == "approval_needed"


def test_what_changed_since_it_was_looked_at_is_not_approved(office: Office) -> None:
    submitted(office)
    assert order(office.phone("mia"), "approve", values="0" * 64).code == "approval_changed"
    assert status(office) == ("in_approval", ["manager"])


def test_whatever_a_phone_says_of_prices_the_server_holds_it_to_its_limits(office: Office) -> None:
    """R53: drafted, submitted and sent in one queue, offline."""
    limits(office, rep=0, manager=5_000)
    template(office)
    ana = office.phone("ana")
    made = {"deal_key": "deal-a", "title": "Pumps", "currency": "EUR"}
    line = {"proposal_key": "p1", "name": "Pump", "product_key": "pump", "unit_price_minor": 99_99}
    receipts = ana.push(
        ana.mutation("create", "proposals", "p1", set=made),
        ana.mutation("create", "proposal_lines", "p1-1", set=line),
        ana.mutation("proposal.submit", "proposals", "p1", base=1, set={}),
        ana.mutation("proposal.send", "proposals", "p1", base=1, set={"version": 1, "total_minor": 99_99}),
    ).receipts
    assert [(r.outcome, r.code) for r in receipts[2:]] == [("applied", None), ("refused", "approval_needed")]
    (refusal,) = office.rows("refusals")
    assert (refusal["code"], refusal["row_key"], refusal["author_key"]) == ("approval_needed", "p1", "ana")
    said: dict[str, Any] = {"status": "approved", "number": "P-1", "version": 7, "needs": [], "digest": "0" * 64}
    for field, value in said.items():
        assert ana.edit("proposals", "p1", **{field: value}).code == "field_read_only"
    assert order(office.phone("mia"), "approve").outcome == "applied"
    assert order(ana, "send").outcome == "applied"


def test_a_rep_is_told_the_role_and_never_the_margin(office: Office) -> None:
    """R45, R49."""
    floors(office, rep=9_000)
    office.put(("unit_costs", "c-pump", {"amount_minor": 73_13}))
    ana = offered(office)
    assert order(ana, "submit").outcome == "applied"
    assert status(office) == ("in_approval", ["manager"])
    said = ana.answer(ana.body((), pull=True)) + repr(order(ana, "send")).encode()
    assert b'"manager"' in said
    assert not any(part in said for part in (b"7313", b"margin", b"floor", b"9000", b"2687"))
    assert ana.do("create", "margin_floors", "f", set={"role": "rep", "floor_bp": 0}).code == "not_permitted"


def test_two_floors_of_one_role_on_one_day_are_refused(office: Office) -> None:
    floors(office, rep=3_000)
    twice = {"role": "rep", "floor_bp": 1_000, "valid_from": "2026-01-01"}
    assert office.phone("dirk").do("create", "margin_floors", "f", set=twice).code == "limit_twice"
