"""The price waterfall: steps that sum exactly, what is unknown, and what is told to whom (R34, R36, R38, R45)."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sfa.profit.items import (
    KINDS,
    OPEN_TOTALS,
    STEPS,
    TOTALS,
    half_up,
    terms_cost,
    travel_cost,
    visit_cost,
    work_cost,
)
from sfa.profit.waterfall import Counted, hidden, waterfall
from tests.profit.facts import amounts, counted, fact, facts


def test_list_100_less_all_deductions_of_20_leaves_80_and_goods_of_50_a_margin_of_37_5_percent() -> None:
    """R36, R38: the worked example; 10 % and then 5 % are 14.5 %."""
    found = waterfall(
        [
            counted("list", 100_00),
            counted("discount", -14_50),
            counted("invoice", 85_50),
            counted("rebate", -2_00),
            counted("freight", -1_50),
            counted("terms", -1_00),
            counted("samples", -50),
            counted("co_op", -50),
            counted("goods", -50_00),
        ],
        "EUR",
    )
    told = {total.total: total.amount_minor for total in found.totals}
    assert (told["list"], told["invoice"], told["pocket"], told["margin"]) == (100_00, 85_50, 80_00, 30_00)
    assert (found.ratios.margin_bp, found.ratios.discount_bp, found.ratios.markup_bp) == (3_750, 1_450, 6_000)
    assert found.missing == []


@given(facts)
def test_every_total_is_the_exact_sum_of_the_steps_before_it(given_: list[Counted]) -> None:
    """R33, R38."""
    found = waterfall(given_, "EUR")
    running = 0
    for step, total in list(STEPS.items())[2:]:
        running += sum(f.amount_minor or 0 for f in given_ if f.item.step == step)
        assert found.total(total).amount_minor == running
    assert found.total("profit").amount_minor == sum(f.amount_minor or 0 for f in given_ if KINDS[f.item.kind].counts)
    assert sum(len(step.items) for step in found.steps) == len(given_)


@given(facts, st.randoms())
def test_the_order_in_which_facts_come_changes_nothing(given_: list[Counted], dice: object) -> None:
    """R33."""
    turned = sorted(given_, key=lambda f: (f.item.kind, -(f.amount_minor or 0)))
    one, other = waterfall(given_, "EUR"), waterfall(turned, "EUR")
    assert [s.amount_minor for s in one.steps] == [s.amount_minor for s in other.steps]
    assert one.totals == other.totals
    assert one.ratios == other.ratios


@given(facts, st.sampled_from(sorted(kind for kind in KINDS if KINDS[kind].counts)))
def test_what_is_not_computable_is_never_zero_and_names_what_is_missing(given_: list[Counted], kind: str) -> None:
    """R34: the totals before it stand."""
    lost = counted(kind, None, code="cost_missing", missing={"product_key": "pump"})
    found, before = waterfall([*given_, lost], "EUR"), waterfall(given_, "EUR")
    reached = TOTALS.index(STEPS[KINDS[kind].step])
    for place, total in enumerate(found.totals):
        if total.total == "list" or place < reached:
            assert total == before.totals[place]
        else:
            assert (total.amount_minor, total.code) == (None, "cost_missing")
    assert found.missing == [{"code": "cost_missing", "kind": kind, "product_key": "pump"}]


def test_a_missing_list_price_leaves_the_rest_computable() -> None:
    """R34, R38: it explains the invoice and is no part of it."""
    lost = [counted("list", None, code="list_missing"), counted("discount", None, code="list_missing")]
    found = waterfall([*lost, counted("invoice", 90), counted("goods", -50)], "EUR")
    assert found.total("list").code == "list_missing"
    assert found.ratios.discount_bp is None
    assert found.total("margin").amount_minor == 40


@given(st.integers(-100, 0))
def test_a_share_of_nothing_or_less_is_not_computable(amount: int) -> None:
    """R36: both guarded for zero."""
    found = waterfall([counted("list", amount), counted("invoice", amount), counted("goods", -amount)], "EUR")
    assert found.ratios == type(found.ratios)(None, None, None, None)


def test_an_offer_says_nothing_of_what_serving_it_costs() -> None:
    """R39."""
    found = waterfall([counted("invoice", 100), counted("goods", -60)], "EUR", until="margin")
    assert found.total("margin").amount_minor == 40
    assert {found.total(name).code for name in ("contribution", "profit")} == {"not_quoted"}


SECRET = 987_654_321


@given(facts)
def test_who_does_not_see_cost_is_told_open_facts_and_his_own_and_no_total_of_the_rest(given_: list[Counted]) -> None:
    """R45: whatever else there is, the answer is the same."""
    mine = hidden(waterfall(given_, "EUR"), "ana")
    for step in mine.steps:
        for told in step.items:
            right = KINDS[told.item.kind].right
            assert right == "open" or (right == "own" and told.item.user_key == "ana")
    for total in mine.totals:
        assert total.total in OPEN_TOTALS or (total.amount_minor, total.code) == (None, "not_permitted")
    costly = [counted(kind, -SECRET) for kind, said in KINDS.items() if said.right == "cost"]
    costly.append(counted("goods", None, missing={"product_key": "secret"}))
    costly.append(counted("expenses", -SECRET, user_key="bob"))
    again = hidden(waterfall([*given_, *costly], "EUR"), "ana")
    assert msgspec.json.encode(again) == msgspec.json.encode(mine)


def test_a_commission_is_told_without_what_it_was_reckoned_from_and_one_on_the_margin_not_at_all() -> None:
    """R45: what a deal pays by its margin, divided by the rate, is the margin."""
    about = {"kind": "accrual", "plan_key": "p", "period_key": "q"}

    def paid(**more: object) -> Counted:
        basis = {**about, "basis_minor": SECRET, "rate_bp": 500, **more}
        return Counted(fact("commission", -10, user_key="ana", basis=basis, entity="commission_entries"), -10)

    whole = waterfall([paid(measure="revenue"), paid(measure="margin"), paid()], "EUR")
    assert len(whole.step("commission").items) == 3
    told = hidden(whole, "ana").step("commission").items
    assert [f.item.basis for f in told] == [about]


@given(amounts, st.integers(1, 10**9))
def test_amounts_are_rounded_half_away_from_zero_by_whole_numbers(amount: int, by: int) -> None:
    """R33: the same going up and down, and within half a unit."""
    found = half_up(amount, by)
    assert half_up(-amount, by) == -found
    assert abs(2 * (found * by - amount)) <= by
    if 2 * abs(found * by - amount) == by:
        assert abs(found * by) > abs(amount)


def test_effort_costs_its_minutes_and_metres_and_waiting_its_days() -> None:
    """R38, R40."""
    assert visit_cost(90 * 60_000, 80_00) == 120_00
    assert visit_cost(1, 80_00) == 0
    assert travel_cost(12_345, 52) == 642
    assert work_cost(20, 100_00) == 33_33
    assert terms_cost(100_000_00, 73, 500) == 1_000_00


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=20), st.integers(0, 10**6))
def test_visits_rounded_one_by_one_stay_within_half_a_unit_each(spent: list[int], rate: int) -> None:
    """R40: each fact is rounded once, by itself."""
    found = sum(visit_cost(ms, rate) for ms in spent)
    assert abs(found * 3_600_000 - sum(spent) * rate) * 2 <= len(spent) * 3_600_000
