"""R43: the whale curve ranks by profit, and its last point is the company's profit."""

from hypothesis import given
from hypothesis import strategies as st

from sfa.profit.company.whale import whale

KEYS = st.text("abcdef", min_size=1, max_size=3)
PROFITS = st.dictionaries(KEYS | st.none(), st.integers(-(10**15), 10**15), max_size=40)


def test_r43_five_customers_of_whom_two_cost_more_than_they_bring() -> None:
    found = whale({"a": 100, "b": 50, "c": -20, "d": 10, "e": -40})
    assert [(point.key, point.cumulative_minor) for point in found.points] == [
        ("a", 100), ("b", 150), ("d", 160), ("c", 140), ("e", 100),
    ]  # fmt: skip
    assert (found.total_minor, found.peak_minor, found.peak_rank, found.lost_minor) == (100, 160, 3, -60)
    assert [point.peak_bp for point in found.points] == [6250, 9375, 10000, 8750, 6250]


@given(PROFITS)
def test_r43_the_last_point_is_the_total_and_the_curve_is_concave(profits: dict[str | None, int]) -> None:
    found = whale(profits)
    assert found.total_minor == sum(profits.values())
    assert [point.cumulative_minor for point in found.points][-1:] == ([found.total_minor] if profits else [])
    assert {point.key: point.profit_minor for point in found.points} == profits
    steps = [point.profit_minor for point in found.points]
    assert steps == sorted(steps, reverse=True)
    assert max((point.cumulative_minor for point in found.points), default=0) in (
        found.peak_minor,
        max(steps, default=0),
    )
    assert found.peak_minor + found.lost_minor == sum(profits.values())


@given(PROFITS)
def test_deciles_hold_every_member_once_and_sum_to_the_total(profits: dict[str | None, int]) -> None:
    found = whale(profits)
    assert sum(decile.members for decile in found.deciles) == len(profits)
    assert sum(decile.profit_minor for decile in found.deciles) == sum(profits.values())
    sizes = [decile.members for decile in found.deciles]
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert len(found.deciles) == min(10, len(profits))


@given(PROFITS, KEYS)
def test_somebody_unknown_makes_the_total_unknown_and_is_named(profits: dict[str | None, int], key: str) -> None:
    found = whale({**profits, key: None})
    assert (found.total_minor, found.unknown) == (None, [key])
    assert key not in {point.key for point in found.points}
