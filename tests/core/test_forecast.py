"""What a deal brings to a forecast: categories, buckets, views, parts (R16, R22-R24)."""

import itertools
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.forecast import (
    BUCKETS,
    OPEN,
    VIEWS,
    bucket_of,
    category_of,
    cumulative,
    parts_of,
    weighted,
)
from sfa.core.money import Rounding, apply_bp, rounded
from tests.core.test_rules import blank

AMOUNTS = st.integers(-(10**9), 10**9)
DAYS = st.dates().map(lambda day: day.isoformat())


def test_the_worked_example_of_the_views_r24() -> None:
    """Pipeline 100, best 200, likely 0, commit 300, closed 400: open 600, best case 900, commit 700."""
    buckets = {"pipeline": 100, "best_case": 200, "likely": 0, "commit": 300, "closed": 400, "slipped": 50}
    found = cumulative(buckets)
    assert sum(buckets[bucket] for bucket in OPEN) == 600
    assert (found["best_case"], found["commit"], found["likely"]) == (900, 700, 700)
    assert found["pipeline"] == 1_000


def test_the_worked_example_of_weighted_amounts_r23() -> None:
    """Deals 100 at 99 % and 200 at 0 %: weighted 99, not 148.5."""
    assert weighted(100, 9_900) + weighted(200, 0) == 99


@given(AMOUNTS, st.integers(0, 10_000))
def test_a_weighted_amount_is_rounded_once_as_all_money_is_r23(amount: int, probability: int) -> None:
    exact = Fraction(amount * probability, 10_000)
    assert weighted(amount, probability) == rounded(exact, Rounding.HALF_UP)
    assert apply_bp(amount, probability, Rounding.HALF_UP) == rounded(exact, Rounding.HALF_UP)


@given(st.dictionaries(st.sampled_from(BUCKETS), AMOUNTS))
def test_each_view_adds_one_bucket_and_counts_nothing_twice_r24(buckets: dict[str, int]) -> None:
    found, before = cumulative(buckets), buckets.get("closed", 0)
    for view in OPEN:
        assert found[view] - before == buckets.get(view, 0)
        before = found[view]
    assert all(len(set(among)) == len(among) for among in VIEWS.values())


@given(st.sampled_from((*OPEN, "omitted")), st.none() | DAYS, DAYS, st.lists(DAYS, min_size=2, max_size=5, unique=True))
def test_an_open_deal_is_in_at_most_one_period_and_in_one_bucket_r22(
    category: str, close_on: str | None, today: str, days: list[str]
) -> None:
    days = sorted(days)
    periods = list(itertools.pairwise(days))
    found = [bucket_of(category, close_on, today, *period) for period in periods]
    assert sum(bucket is not None for bucket in found) <= 1
    if close_on is None:
        return
    day = today if close_on < today else close_on  # a day that is over counts as today
    covered = days[0] <= day < days[-1]
    assert any(bucket is not None for bucket in found) == covered


def test_a_deal_whose_day_is_over_slips_into_the_running_period_r22() -> None:
    assert bucket_of("commit", "2026-09-30", "2026-10-05", "2026-10-01", "2027-01-01") == "slipped"
    assert bucket_of("commit", "2026-09-30", "2026-10-05", "2026-07-01", "2026-10-01") is None
    assert bucket_of("omitted", "2026-09-30", "2026-10-05", "2026-10-01", "2027-01-01") == "omitted"
    assert bucket_of("commit", "2026-10-05", "2026-10-05", "2026-10-01", "2027-01-01") == "commit"


def test_a_judgement_wins_until_it_is_cleared_r24() -> None:
    assert category_of("omitted", "commit") == "omitted"
    assert category_of(None, "commit") == "commit"
    assert category_of(None, "closed") == category_of(None, None) == "pipeline"


@given(AMOUNTS, st.lists(st.integers(1, 9_999), max_size=4))
def test_parts_sum_to_the_deal_and_overlays_lie_beside_it_r16(amount: int, cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts)), 10_000]
    shares = [{"user_key": f"u{n}", "share_bp": b - a} for n, (a, b) in enumerate(itertools.pairwise(edges))]
    deal = blank(
        "deals", name="D", owner_key="u0", stage_key="lead", amount_minor=amount, currency="EUR", splits=shares
    )
    found = parts_of({**deal, "overlays": [{"user_key": "expert", "share_bp": 5_000}]})
    assert sum(part.amount_minor or 0 for part in found if not part.overlay) == amount
    assert [part.user_key for part in found if part.overlay] == ["expert"]
