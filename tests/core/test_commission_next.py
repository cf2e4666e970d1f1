"""What comes last is added: never other rows than playing the whole period makes (R41)."""

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.commission import Earned, Entry, Terms, entries_of
from sfa.core.commission_next import Standing, appended

TIERS = ((0, 500), (10_000, 600), (12_500, 600), (20_000, 0), (30_000, 777))
DAY = 1_000

terms = st.builds(
    Terms,
    st.sampled_from(["bands", "whole"]),
    st.sampled_from([TIERS, TIERS[:1], TIERS[:2]]),
    st.none() | st.integers(0, 2_000),
    st.booleans(),
)
amounts = st.lists(st.integers(0, 15_000), max_size=8)


def standing(entries: list[Entry]) -> Standing:
    """As a ledger tells it."""
    of_deals = [entry for entry in entries if entry.kind != "cap"]
    return Standing(
        sum(entry.basis_minor or 0 for entry in of_deals),
        sum(entry.amount_minor for entry in of_deals),
        -sum(entry.amount_minor for entry in entries if entry.kind == "cap"),
        max((entry.at for entry in entries if entry.kind == "accrual"), default=None),
    )


def credits_of(said: list[int], first: int = 0) -> list[Earned]:
    return [Earned(f"d{n}", 1, n * DAY, "won", amount) for n, amount in enumerate(said, first)]


@given(terms, amounts, amounts)
def test_what_is_added_is_what_playing_all_of_the_period_adds(plan: Terms, before: list[int], more: list[int]) -> None:
    old, new = credits_of(before), credits_of(more, len(before))
    played = entries_of(plan, old)
    found = appended(plan, standing(played), new)
    if found is not None:
        assert played + found == entries_of(plan, old + new)
    else:
        assert plan.mode == "whole", "bands leave what was paid alone"


@given(terms, amounts, st.integers(-5_000, -1) | st.integers(1, 5_000))
def test_what_is_not_surely_the_next_credit_is_not_added(plan: Terms, before: list[int], amount: int) -> None:
    old = credits_of([*before, 1])
    stands = standing(entries_of(plan, old))
    late = len(old) * DAY
    reversed_ = Earned("x", 1, late, "won", amount, late + 1)
    early = Earned("x", 1, late - DAY, "won", amount)
    assert appended(plan, stands, [reversed_]) is None
    assert appended(plan, stands, [early]) is None
    if amount < 0:
        assert appended(plan, stands, [Earned("x", 1, late, "won", amount)]) is None


def test_a_tier_that_lifts_what_stands_is_played() -> None:
    plan = Terms("whole", TIERS)
    stands = standing(entries_of(plan, credits_of([9_000])))
    assert appended(plan, stands, credits_of([999], 1)) is not None
    assert appended(plan, stands, credits_of([1_000], 1)) is None
    assert appended(plan, Standing(), credits_of([12_000])) is not None, "nothing stands that could be lifted"
