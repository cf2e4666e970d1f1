"""Is it worth the effort: standing, reasons and the change that would help most, reckoned by hand and for anybody."""

from hypothesis import given
from hypothesis import strategies as st

from sfa.profit.company.standing import TERMS_DAYS, VISITS_MIN, Habits, gains, verdict
from sfa.profit.company.tallied import Tally

KINDS = ("invoice", "freight", "terms", "samples", "goods", "visits", "travel", "work", "commission")
SUMS = st.fixed_dictionaries({kind: st.integers(0, 10**9) for kind in KINDS})
HABITS = st.builds(
    Habits, st.integers(0, 50), st.none() | st.integers(0, 10**9), st.none() | st.integers(0, 12_000),
    st.none() | st.integers(1, 120),
)  # fmt: skip


def tally(**kinds: int) -> Tally:
    found = Tally()
    for kind, amount in kinds.items():
        found.add(kind, amount)
    return found


def test_a_customer_who_is_visited_too_often_is_improvable_by_half_as_many_visits() -> None:
    earned = tally(invoice=1_000_00, goods=-700_00, visits=-400_00, travel=-50_00, samples=-20_00).earned()
    found = verdict(earned, Habits(visits=10))
    assert (earned.profit_minor, found.standing) == (-170_00, "improvable")
    assert found.best_change == {"code": "visit_half", "gain_minor": 225_00, "profit_minor": 55_00}
    assert [change["code"] for change in found.changes] == ["visit_half", "stop_samples"]
    assert found.reasons == [{"code": "service_cost_high", "amount_minor": 450_00, "share_bp": 4_500}]


def test_prices_below_the_norm_and_late_money_are_reckoned_too() -> None:
    earned = tally(invoice=800_00, terms=-30_00, goods=-850_00).earned()
    found = verdict(earned, Habits(visits=1, list_minor=1_000_00, norm_bp=9_000, payment_days=90))
    assert [(change["code"], change["gain_minor"]) for change in found.changes] == [
        ("price_to_norm", 100_00),
        ("shorter_terms", 20_00),
    ]
    assert found.standing == "improvable"
    assert [reason["code"] for reason in found.reasons] == ["sold_below_cost"]


def test_what_no_change_makes_earn_is_unprofitable_and_what_is_missing_is_unknown() -> None:
    spent = tally(visits=-100_00).earned()
    found = verdict(spent, Habits(visits=VISITS_MIN))
    assert (found.standing, found.reasons[0]["code"]) == ("unprofitable", "effort_without_revenue")
    broken = tally(invoice=1)
    broken.miss("goods", "cost_missing", {})
    assert verdict(broken.earned(), Habits(0)).standing == "unknown"


@given(SUMS, HABITS)
def test_every_change_gains_and_the_best_gains_most(sums: dict[str, int], habits: Habits) -> None:
    earned = tally(**{kind: value if kind == "invoice" else -value for kind, value in sums.items()}).earned()
    found = verdict(earned, habits)
    assert earned.profit_minor is not None
    assert all(change["gain_minor"] > 0 for change in found.changes)
    assert found.best_change == (found.changes[0] if found.changes else None)
    assert all(change["profit_minor"] == earned.profit_minor + change["gain_minor"] for change in found.changes)
    best = max((gain for _, gain in gains(earned, habits)), default=0)
    would = earned.profit_minor + best
    expected = "profitable" if earned.profit_minor > 0 else "improvable" if would > 0 else "unprofitable"
    assert found.standing == expected
    codes = dict(gains(earned, habits))
    assert codes.get("shorter_terms", 0) <= sums["terms"]
    assert "shorter_terms" not in codes or (habits.payment_days or 0) > TERMS_DAYS
