"""Price guides as a pure rule (R45): groups, tiers that join, places in the order of prices, and who is asked first."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from sfa.profit.price.guides import (
    DEALS_MIN,
    TIERS,
    Guides,
    Place,
    Sold,
    guides_of,
    quantile,
    segments,
    tier_of,
    verdict,
)

sold_lines = st.lists(
    st.builds(
        Sold,
        st.sampled_from([f"d{n}" for n in range(12)]),
        st.sampled_from([None, "pumps", "hoses"]),
        st.sampled_from([None, "food", "steel"]),
        st.sampled_from([None, "A", "B"]),
        st.sampled_from(["0.5", "1", "9.999", "10", "99", "100", "5000"]),
        st.integers(0, 20_000),
    ),
    max_size=60,
)


def rows_of(found: dict[Place, object]) -> dict[str, dict[str, object]]:
    return {
        f"g{n}": {
            "family": place[0],
            "segment": place[1],
            "quantity_from": place[2],
            "target_bp": 3,
            "norm_bp": 2,
            "floor_bp": 1,
            "deals": 5,
        }
        for n, place in enumerate(found)
    }


def of(group: Place, line: Sold) -> bool:
    return group[0] in (line.family, None) and group[1] in segments(line.industry, line.tier)


@given(sold_lines)
def test_every_guide_rests_on_enough_deals_and_its_places_are_in_order(lines: list[Sold]) -> None:
    for place, guide in guides_of(lines).items():
        assert guide.floor_bp <= guide.norm_bp <= guide.target_bp
        behind = {line.deal_key for line in lines if of(place, line)}
        assert DEALS_MIN <= guide.deals <= len(behind)


@given(sold_lines, st.randoms())
def test_the_order_in_which_lines_are_read_changes_nothing(lines: list[Sold], rng: object) -> None:
    mixed = list(lines)
    rng.shuffle(mixed)  # type: ignore[attr-defined]
    assert guides_of(mixed) == guides_of(lines)


@given(sold_lines)
def test_a_group_with_enough_deals_has_a_guide_for_every_quantity_and_another_has_none(lines: list[Sold]) -> None:
    found = guides_of(lines)
    for family in (None, "pumps", "hoses"):
        for segment in (None, "food/A", "food/*", "*/A"):
            deals = {line.deal_key for line in lines if of((family, segment, "0"), line)}
            assert ((family, segment, "0") in found) == (len(deals) >= DEALS_MIN)


@given(sold_lines, st.sampled_from(["0.5", "10", "450", "99999"]), st.sampled_from(["food", None]))
def test_the_finest_group_is_asked_first(lines: list[Sold], quantity: str, industry: str | None) -> None:
    found = guides_of(lines)
    asked = Guides(rows_of(dict(found))).of("pumps", industry, "A", quantity)
    groups = [(family, segment) for family in ("pumps", None) for segment in segments(industry, "A")]
    there = [group for group in groups if (*group, "0") in found]
    assert (asked is None) == (not there)
    if asked is not None:
        assert (asked.family, asked.segment) == there[0]
        starts = [tier for tier in TIERS if (*there[0], tier) in found and Fraction(tier) <= Fraction(quantity)]
        assert asked.quantity_from == starts[-1]


@given(st.dictionaries(st.integers(0, 99), st.integers(1, 9), min_size=1), st.integers(1, 10_000))
def test_a_place_in_the_order_is_a_value_that_such_a_share_is_not_above(heap: dict[int, int], share: int) -> None:
    ordered = sorted(heap.items())
    values = [value for value, count in ordered for _ in range(count)]
    found = quantile(ordered, share)
    assert sum(value <= found for value in values) * 10_000 >= len(values) * share
    assert sum(value < found for value in values) * 10_000 < len(values) * share


def test_a_worked_example_of_places() -> None:
    """Ten prices from 55 % to 100 % of the list."""
    lines = [Sold(f"d{n}", "pumps", None, None, "1", 5_500 + 500 * n) for n in range(10)]
    guide = guides_of(lines)["pumps", None, "0"]
    assert (guide.floor_bp, guide.norm_bp, guide.target_bp, guide.deals) == (5_500, 7_500, 9_000, 10)


def test_few_large_orders_join_the_tier_below_until_there_are_enough() -> None:
    small = [Sold(f"s{n}", None, None, None, "1", 9_000) for n in range(5)]
    large = [Sold(f"b{n}", None, None, None, "100", 6_000) for n in range(4)]
    assert {place[2] for place in guides_of([*small, *large])} == {"0"}
    more = [*large, Sold("b4", None, None, None, "10", 6_000)]
    assert {place[2]: guide.norm_bp for place, guide in guides_of([*small, *more]).items()} == {"0": 9_000, "10": 6_000}


def test_many_lines_of_few_deals_are_no_basis() -> None:
    """One large deal would otherwise be told to everybody."""
    assert guides_of([Sold(f"d{n % 4}", None, None, None, "1", n) for n in range(100)]) == {}


def test_segments_go_from_fine_to_coarse_and_cannot_be_mistaken() -> None:
    assert segments("food", "A") == ["food/A", "food/*", "*/A", None]
    assert segments("a/B", None) == ["a/B/*", None]
    assert segments("*", "A") == ["*/A", None]
    assert segments(None, None) == [None]
    assert segments("x" * 100, "A") == ["*/A", None]
    assert [tier_of(q) for q in ("0", "9.999999", "10", "1000000")] == [0, 0, 1, 3]


def test_verdicts_say_where_a_price_lies_or_why_nothing_can_be_said() -> None:
    rows = {"g": {"family": None, "segment": None, "quantity_from": "0", "deals": 5}}
    rows["g"] |= {"target_bp": 9_000, "norm_bp": 8_000, "floor_bp": 7_000}
    guide = Guides(rows).of("x", None, None, "1")
    said = [verdict(bp, guide) for bp in (9_000, 8_999, 7_999, 7_000, 6_999)]
    assert said == ["above_target", "on_norm", "below_norm", "below_norm", "below_floor"]
    assert (verdict(None, guide), verdict(1, None)) == ("no_list_price", "no_guide")
