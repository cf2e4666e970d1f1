"""Proposals on a device: drafted, priced and judged without signal; refused, repaired and merged when it is back (R33,
R35, R44, R45, R53)."""

from typing import Any

import pytest

from sfa.core.errors import Refused
from sfa.core.pricing import price
from sfa.core.pricing.rows import offer_of
from sfa.core.pricing.values import Priced
from sync.device import drafting, proposals
from tests.deals.conftest import line
from tests.office import Office
from tests.profit.price.test_guiding import PRICES, limit
from tests.profit.selling import guided, won
from tests.quotas.ledger import rate
from tests.sync.device.pocket import Pocket, alone, of_scope, pocket

TAX = ("VAT", 2_100)


def priced_there(office: Office, key: str) -> Priced:
    """By the rows of the server."""
    lines = {row["key"]: row for row in office.rows("proposal_lines") if row["proposal_key"] == key}
    return price(offer_of(office.row("proposals", key), lines))


@pytest.fixture
def ana(office: Office) -> Pocket:
    """Three pumps at 45.00 in deal-a, and a phone that holds them."""
    line(office, "l1", "deal-a", quantity="3", unit_price_minor=4_500)
    phone = pocket(office, "ana")
    phone.sync()
    return phone


def drafted(phone: Pocket, **values: Any) -> str:
    return drafting.draft(phone, "deal-a", values, tax=TAX)


def only_line(phone: Pocket, key: str) -> str:
    (found,) = phone.list("proposal_lines", {"proposal_key": key})
    return found


def test_a_contact_that_went_to_somebody_else_is_left_out_of_a_draft(office: Office, ana: Pocket) -> None:
    """S20: of a deal that stayed hers; the server would refuse it, and every line with it."""
    office.put(("contacts", "carl", {"account_key": "zeta", "name": "Carl"}))
    office.put(("deals", "deal-a", {"account_key": "zeta", "contact_key": "carl"}))
    ana.sync()
    assert ((ana.get("deals", "deal-a") or {})["contact_key"], ana.get("contacts", "carl")) == ("carl", None)
    key = drafted(ana)
    ana.sync()
    assert proposals.refused(ana, key) == []
    assert office.row("proposals", key)["contact_key"] is None


def test_a_proposal_is_drafted_of_a_deal_and_totalled_without_signal(office: Office, ana: Pocket) -> None:
    """R33, R35, R53: 3 x 45 less 60 are 75, with 21 % 90.75; on the phone at once, and so at the server."""
    key = drafted(ana, title="Three pumps")
    ana.update("proposal_lines", only_line(ana, key), {"discounts": [{"amount_minor": 6_000}]})
    told = proposals.shown(ana, key)
    assert told.priced is not None
    assert (told.priced.net_minor, told.priced.tax_minor, told.priced.total_minor) == (7_500, 1_575, 9_075)
    assert (told.title, told.status, told.number, told.waiting) == (
        "Three pumps",
        "draft",
        None,
        ["create", "create", "update"],
    )
    ana.sync()
    assert priced_there(office, key) == told.priced
    after = proposals.shown(ana, key)
    assert (after.priced, after.waiting, after.problems) == (told.priced, [], [])
    assert ana.rows() == of_scope(office, "ana")


def test_a_line_takes_name_unit_and_todays_list_price_of_its_product(ana: Pocket) -> None:
    key = drafting.draft(ana, "deal-a", lines=False)
    first = drafting.add_line(ana, key, {"product_key": "pump"})
    second = drafting.add_line(ana, key, {"name": "Installation", "unit_price_minor": 20_000}, TAX)
    third = drafting.add_line(ana, key, {"product_key": "pump", "name": "Spare pump", "unit_price_minor": 1})
    rows = ana.list("proposal_lines", {"proposal_key": key})
    assert [(rows[k]["position"], rows[k]["name"], rows[k]["unit_price_minor"]) for k in (first, second, third)] == [
        (0, "Pump", 10_000),
        (1, "Installation", 20_000),
        (2, "Spare pump", 1),
    ]
    assert (rows[first]["unit"], rows[second]["tax_name"], rows[second]["tax_rate_bp"]) == ("piece", *TAX)
    assert [shown.key for shown in proposals.shown(ana, key).lines] == [first, second, third]


def test_a_product_without_a_price_asks_for_one(ana: Pocket) -> None:
    key = drafting.draft(ana, "deal-a", {"currency": "JPY"}, lines=False)
    with pytest.raises(Refused) as refused:
        drafting.add_line(ana, key, {"product_key": "pump"})
    assert refused.value.code == "field_required"


def test_prices_are_judged_by_the_guides_and_limits_of_the_phone_and_without_costs(office: Office) -> None:
    """R44, R45, R53."""
    office.put(limit("rep", 1_000), limit("manager", 3_000))
    won(office, PRICES)
    guided(office)
    line(office, "l1", "deal-a", unit_price_minor=9_500)
    phone = pocket(office, "ana")
    phone.sync()
    key = drafted(phone)
    (told,) = proposals.shown(phone, key).lines
    assert (told.list_minor, told.price_bp, told.verdict) == (10_000, 9_500, "above_target")
    assert proposals.shown(phone, key).approval is None
    phone.update("proposals", key, {"discounts": [{"share_bp": 2_000}]})
    (told,) = proposals.shown(phone, key).lines
    assert (told.price_bp, told.verdict, told.approval and told.approval.role) == (7_600, "on_norm", "manager")
    phone.update("proposals", key, {"discounts": [{"share_bp": 5_000}]})
    after = proposals.shown(phone, key)
    assert (after.lines[0].verdict, after.approval) == ("below_floor", "director")
    assert phone.list("unit_costs") == phone.list("margin_floors") == {}


def test_what_cannot_be_priced_is_kept_and_says_why(ana: Pocket) -> None:
    key = drafted(ana, discounts=[{"amount_minor": 13_501}])
    told = proposals.shown(ana, key)
    assert (told.priced, told.lines[0].amounts, told.lines[0].list_minor) == (None, None, 10_000)
    assert [problem.code for problem in told.problems] == ["offer_invalid"]
    ana.update("proposals", key, {"discounts": [{"amount_minor": 13_500}]})
    told = proposals.shown(ana, key)
    assert told.priced is not None
    assert (told.priced.total_minor, told.problems) == (0, [])


def test_terms_of_payment_without_instalments_are_one_due(ana: Pocket) -> None:
    key = drafted(ana, payment_days=30, deposit={"share_bp": 5_000})
    told = proposals.shown(ana, key).priced
    assert told is not None
    assert [(due.kind, due.due_days) for due in told.dues] == [("deposit", 0), ("instalment", 30)]
    assert sum(due.amount_minor for due in told.dues) == told.total_minor == 16_335


def test_a_refused_draft_is_kept_with_its_reason_and_sent_again_whole(office: Office, ana: Pocket) -> None:
    """S19, S20: nothing of it landed, nothing of it is lost."""
    key = drafted(ana, title="For Carl", contact_key="carl")
    office.delete("contacts", "carl")
    ana.sync()
    assert ana.get("proposals", key) is None
    assert office.find("proposals", key) is None
    kept = proposals.refused(ana, key)
    assert [(problem.entity, problem.code) for problem in kept] == [
        ("proposals", "reference_unknown"),
        ("proposal_lines", "unit_failed"),
    ]
    assert proposals.refused(ana) == kept
    numbers = drafting.resend(ana, key, {"contact_key": None})
    assert len(numbers) == 2
    told = proposals.shown(ana, key)
    assert (told.title, told.priced and told.priced.total_minor, told.problems) == ("For Carl", 16_335, [])
    ana.sync()
    assert (proposals.refused(ana), priced_there(office, key)) == ([], told.priced)
    assert ana.rows() == of_scope(office, "ana")


def test_a_refused_line_is_told_at_its_proposal(office: Office, ana: Pocket) -> None:
    key = drafted(ana)
    ana.sync()
    office.put(("products", "hose", {"name": "Hose"}))
    ana.sync()
    made = drafting.add_line(ana, key, {"product_key": "hose", "unit_price_minor": 100})
    other = drafting.draft(ana, "deal-a")
    office.delete("products", "hose")
    ana.sync()
    told = proposals.shown(ana, key)
    assert [(problem.code, problem.key) for problem in told.problems] == [("reference_unknown", made)]
    assert told.priced is not None
    assert told.priced.total_minor == 16_335
    assert proposals.shown(ana, other).problems == []
    drafting.resend(ana, key)  # unchanged, so it is refused again
    ana.sync()
    assert [problem.code for problem in proposals.refused(ana, key)] == ["reference_unknown"]


def test_two_devices_edit_one_draft_and_both_have_what_each_changed(office: Office, ana: Pocket) -> None:
    """S24: field by field; what both set is the later one's, and the other value is kept."""
    key = drafted(ana)
    made = only_line(ana, key)
    ana.sync()
    tablet = pocket(office, "ana", device="tablet")
    tablet.sync()
    ana.update("proposals", key, {"title": "From the phone", "payment_days": 30})
    ana.update("proposal_lines", made, {"unit_price_minor": 5_000})
    tablet.update("proposals", key, {"discounts": [{"share_bp": 1_000}]})
    tablet.update("proposal_lines", made, {"quantity": "4"})
    second = drafting.add_line(tablet, key, {"name": "Delivery", "unit_price_minor": 2_000})
    office.clock.advance(1_000)
    tablet.update("proposals", key, {"title": "From the tablet"})
    ana.sync()
    tablet.sync()
    ana.sync()
    seen = [proposals.shown(phone, key) for phone in (ana, tablet)]
    assert seen[0] == seen[1]
    assert (seen[0].title, [one.key for one in seen[0].lines]) == ("From the tablet", [made, second])
    assert seen[0].priced == priced_there(office, key)
    assert (seen[0].priced.subtotal_minor, seen[0].priced.discount_minor) == (22_000, 2_200)
    lost = [row for row in office.rows("conflicts") if row["entity"] == "proposals"]
    assert [(row["field_group"], row["losing"], row["status"]) for row in lost] == [
        ("title", {"title": "From the phone"}, "closed")
    ]
    assert ana.rows() == tablet.rows() == of_scope(office, "ana")


def test_a_draft_is_seen_by_who_sees_the_deal_and_by_nobody_else(office: Office, ana: Pocket) -> None:
    key = drafted(ana)
    ana.sync()
    mia, cleo = pocket(office, "mia"), pocket(office, "cleo")
    for phone in (mia, cleo):
        phone.sync()
    assert proposals.shown(mia, key).priced == proposals.shown(ana, key).priced
    with pytest.raises(Refused) as refused:
        proposals.shown(cleo, key)
    assert refused.value.code == "row_unknown"


def test_a_deal_that_is_not_here_has_no_proposal() -> None:
    with pytest.raises(Refused) as refused:
        drafting.draft(alone(), "deal-a")
    assert refused.value.code == "row_unknown"


def test_a_list_price_of_another_currency_converts_by_a_stated_rate_or_says_nothing(office: Office) -> None:
    """R34: a missing rate is never 1."""
    phone = pocket(office, "ana")
    phone.sync()
    key = drafting.draft(phone, "deal-a", {"currency": "USD"}, lines=False)
    with pytest.raises(Refused) as refused:
        drafting.add_line(phone, key, {"product_key": "pump"})
    assert refused.value.code == "field_required"
    drafting.add_line(phone, key, {"product_key": "pump", "unit_price_minor": 10_000})
    (told,) = proposals.shown(phone, key).lines
    assert (told.list_minor, told.price_bp, told.verdict) == (None, None, "no_list_price")
    office.put(rate("EUR", "USD", "1.25", "2026-01-01"))
    phone.sync()
    (told,) = proposals.shown(phone, key).lines
    assert (told.list_minor, told.price_bp) == (12_500, 8_000)
    added = drafting.add_line(phone, key, {"product_key": "pump"})
    assert phone.list("proposal_lines")[added]["unit_price_minor"] == 12_500
