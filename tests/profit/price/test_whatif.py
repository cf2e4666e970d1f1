"""What-if as a pure rule (R44): no change is no difference, steps sum, and the worked examples."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from sfa.core.commission import Terms
from sfa.core.errors import Refused
from sfa.profit.items import KINDS, STEPS, TOTALS
from sfa.profit.price.commissions_ahead import Owed, Pay, Shared
from sfa.profit.price.limits import limits_of
from sfa.profit.price.whatif import Cadence, Changes, Given, LineChange, LineGiven, Outcome, Rebate, cadence_of, compare
from sfa.profit.rebates import Agreement, Tier
from sfa.quotas.conversion import Exchange

EUR = Exchange((), "UTC")
LIMITS = limits_of(
    [
        {"role": "rep", "family": None, "limit_bp": 1_000, "valid_from": "2026-01-01", "valid_to": None},
        {"role": "manager", "family": None, "limit_bp": 2_000, "valid_from": "2026-01-01", "valid_to": None},
    ],
    None,
    "2026-02-01",
)


def a_line(key: str = "l", price: int = 10_000, quantity: str = "10", **more: Any) -> LineGiven:
    said: dict[str, Any] = {"discount_bp": 0, "list_minor": 10_000, "cost_minor": 6_000, "family": None, "guide": None}
    return LineGiven(
        key=key, product_key=f"p-{key}", quantity=quantity, unit_price_minor=price, limits=LIMITS, **said | more
    )


def a_deal(*lines: LineGiven, **more: Any) -> Given:
    said: dict[str, Any] = {
        "amount_minor": 100_000,
        "payment_days": 30,
        "cadence": Cadence("2", 60, 3),
        "costed": True,
        "visit_hour_minor": 5_000,
        "capital_bp": 1_000,
    }
    place: dict[str, Any] = {"deal_key": "d", "asker": "ana", "owner_key": "ana", "owner_role": "rep"}
    place["currency"] = "EUR"
    return Given(**place, on="2026-02-01", at=1_770_000_000_000, lines=lines, **said | more)


def plan(measure: str = "revenue", user: str = "ana", **more: Any) -> Pay:
    terms = Terms("bands", ((0, 500), (10_000_000, 600), (12_500_000, 700)))
    said: dict[str, Any] = {"terms": terms, "earned": (), "overlay": False, "code": None} | more
    owed = Owed(user_key=user, plan_key="plan", period_key="Q1", measure=measure, currency="EUR", **said)
    return Pay(owed=owed, shared=Shared(user, (10_000,), 0), deal_currency="EUR", exchange=EUR)


amounts = st.integers(0, 10**7)
lines_ = st.lists(
    st.builds(
        lambda n, q, price, d, listed, cost: a_line(
            f"l{n}", price, q, discount_bp=d, list_minor=listed, cost_minor=cost
        ),
        st.integers(0, 9),
        st.sampled_from(["0", "0.5", "1", "12", "1000.25"]),
        st.integers(-(10**6), 10**7),
        st.integers(0, 10_000),
        st.none() | amounts,
        st.none() | amounts,
    ),
    max_size=4,
    unique_by=lambda line: line.key,
)
deals_ = st.builds(
    lambda lines, amount, days, costed, hour, capital: a_deal(
        *lines,
        amount_minor=amount,
        payment_days=days,
        costed=costed,
        visit_hour_minor=hour,
        capital_bp=capital,
        pays=(plan(), plan("margin")),
    ),
    lines_,
    st.none() | amounts,
    st.none() | st.integers(0, 365),
    st.booleans(),
    st.none() | amounts,
    st.none() | st.integers(0, 2_000),
)


def total(side: Outcome, name: str) -> int | None:
    return side.waterfall.total(name).amount_minor


@given(deals_)
def test_no_change_is_no_difference(deal: Given) -> None:
    """R44."""
    found = compare(deal, Changes())
    assert found.before == found.after
    assert {step.delta_minor for step in (*found.steps, *found.totals)} <= {0, None}


@given(deals_)
def test_saying_what_is_already_so_is_no_difference_either(deal: Given) -> None:
    """R44."""
    lines = {line.key: LineChange(line.unit_price_minor, line.quantity, line.discount_bp) for line in deal.lines}
    found = compare(deal, Changes(lines, deal.payment_days, "2", 60, 3))
    assert found.before == found.after


@given(deals_, st.integers(-(10**6), 10**6), st.sampled_from(["0", "3", "77.5"]), st.integers(0, 200))
def test_steps_sum_to_totals_on_both_sides_and_so_do_the_differences(
    deal: Given, price: int, quantity: str, days: int
) -> None:
    """R38, R44."""
    lines = {line.key: LineChange(price, quantity) for line in deal.lines}
    found = compare(deal, Changes(lines, days, "4", 30, 6))
    for side in (found.before, found.after):
        running: int | None = 0
        for step in side.waterfall.steps[2:]:
            running = None if running is None or step.amount_minor is None else running + step.amount_minor
            assert total(side, STEPS[step.step]) == running
            facts = [fact.amount_minor for fact in step.items]
            if step.amount_minor is not None:
                assert sum(fact or 0 for fact in facts) == step.amount_minor
    for name, told in zip(TOTALS, found.totals, strict=True):
        ends = (total(found.before, name), total(found.after, name))
        assert told.delta_minor == (None if None in ends else (ends[1] or 0) - (ends[0] or 0))


@given(deals_, st.integers(0, 10**7), st.integers(1, 10**7))
def test_who_does_not_see_cost_is_told_the_same_whatever_things_cost(deal: Given, one: int, other: int) -> None:
    """R45: costs that were given by mistake would not show either."""
    blind = structs.replace(deal, costed=False)
    costly = [
        structs.replace(
            blind,
            lines=tuple(structs.replace(line, cost_minor=cost) for line in blind.lines),
            visit_hour_minor=cost,
            capital_bp=cost % 10_000,
        )
        for cost in (one, other)
    ]
    changes = Changes(payment_days=90, visits_per_month="9")
    first, second = (compare(each, changes) for each in costly)
    assert first == second
    for side in (first.before, first.after):
        kinds = {fact.item.kind for step in side.waterfall.steps for fact in step.items}
        assert kinds <= {kind for kind, what in KINDS.items() if what.right != "cost"}
        told = {t.total: t.code for t in side.waterfall.totals}
        assert {told[name] for name in TOTALS[2:]} == {"not_permitted"}


def test_a_discount_of_ten_percent_takes_it_all_from_the_profit() -> None:
    """R38, R44: 10 pumps of 100.00 at a cost of 60.00; terms 30 days at 10 %, six visits ahead of an hour at 50.00."""
    found = compare(a_deal(a_line(), pays=(plan(),)), Changes({"l": LineChange(discount_bp=1_000)}))
    before, after = ([total(side, name) for name in TOTALS] for side in (found.before, found.after))
    assert before == [100_000, 100_000, 99_178, 39_178, 9_178, 4_178]
    assert after == [100_000, 90_000, 89_260, 29_260, -740, -5_240]
    assert [step.delta_minor for step in found.steps] == [0, -10_000, -10_000, 82, 0, 0, 500]
    assert (found.before.approver, found.after.approver) == (None, None)
    assert [paid.amount_minor for paid in found.after.commission] == [4_500]


def test_a_deeper_discount_needs_a_higher_role() -> None:
    """R44, R53."""
    for discount, role in ((1_000, None), (1_001, "manager"), (2_001, "director")):
        assert compare(a_deal(a_line()), Changes({"l": LineChange(discount_bp=discount)})).after.approver == role


def test_fewer_visits_and_shorter_terms_are_worth_what_they_cost() -> None:
    """R40, R44."""
    found = compare(a_deal(a_line()), Changes(payment_days=0, visits_per_month="0.5", minutes_per_visit=40, months=4))
    assert found.after.cadence.visits == 2
    assert {step.name: step.delta_minor for step in found.steps if step.delta_minor} == {
        "off_invoice": 822,
        "serve": 30_000 - 6_667,
    }


def test_an_amount_that_differs_from_its_lines_keeps_its_difference() -> None:
    deal = a_deal(a_line(), amount_minor=95_000)
    found = compare(deal, Changes({"l": LineChange(quantity="11")}))
    assert (found.before.amount_minor, found.after.amount_minor) == (95_000, 105_000)
    assert compare(a_deal(amount_minor=70_000), Changes(payment_days=60)).after.amount_minor == 70_000


def test_what_is_missing_is_named_and_never_zero() -> None:
    """R34."""
    deal = a_deal(a_line("l1", cost_minor=None), a_line("l2", list_minor=None), visit_hour_minor=None, capital_bp=None)
    side = compare(deal, Changes()).before
    codes = {(m["kind"], m["code"], m.get("product_key")) for m in side.waterfall.missing}
    assert codes == {
        ("goods", "cost_missing", "p-l1"),
        ("list", "list_missing", "p-l2"),
        ("discount", "list_missing", None),
        ("terms", "rate_missing", None),
        ("visits", "rate_missing", None),
    }
    assert [total(side, name) for name in TOTALS] == [None, 100_000, None, None, None, None]
    assert side.lines[1].verdict == "no_list_price"


def test_a_deal_that_crosses_a_tier_is_paid_for_what_it_lifts() -> None:
    """R41, worked example: 5 % to 100k, 6 % to 125k, 7 % above; sold 150k in one deal."""
    deal = a_deal(a_line("l", 15_000_000, "1", list_minor=None), amount_minor=15_000_000, pays=(plan(),))
    bands = compare(deal, Changes()).before.commission[0]
    whole_terms = Terms("whole", ((0, 500), (10_000_000, 600), (12_500_000, 700)))
    whole = compare(structs.replace(deal, pays=(plan(terms=whole_terms),)), Changes()).before.commission[0]
    assert (bands.amount_minor, whole.amount_minor) == (825_000, 1_050_000)


def test_a_plan_on_margins_tells_nothing_to_who_does_not_see_cost() -> None:
    """R45: with the rate of the plan he could tell the margin from what it pays."""
    for costed, amount, code in ((True, 2_000, None), (False, None, "not_permitted")):
        deal = a_deal(a_line(), costed=costed, pays=(plan("margin"),))
        (paid,) = compare(deal, Changes()).before.commission
        assert (paid.amount_minor, paid.code) == (amount, code)


def test_a_rebate_is_what_this_deal_adds_to_it() -> None:
    """R38: 2 % up to 1,500.00 and 4 % above, of which 1,000.00 are credited already."""
    tiers = (Tier(0, 200), Tier(150_000, 400))
    agreement = Agreement("r", "acme", None, "bands", tiers, "EUR", "2026-01-01", "2027-01-01")
    found = compare(
        a_deal(a_line(), payment_days=None, rebates=(Rebate(agreement, 100_000, EUR),)),
        Changes({"l": LineChange(discount_bp=5_000)}),
    )
    step = [side.waterfall.step("off_invoice").amount_minor for side in (found.before, found.after)]
    assert step == [-(1_000 + 2_000), -1_000]


def test_a_line_of_another_deal_is_refused() -> None:
    with pytest.raises(Refused, match="no line x"):
        compare(a_deal(a_line()), Changes({"x": LineChange(quantity="1")}))


def test_visits_of_ninety_days_say_what_to_expect() -> None:
    assert cadence_of([30, 61]) == Cadence("0.67", 46, 3)
    assert cadence_of([]) == Cadence("0.00", 0, 3)
    assert cadence_of([60] * 6).visits == 6
