"""Rebates accrued over a period and allocated back to deals (R33, R38)."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.money import allocate
from sfa.profit.rebates import Accrued, Agreement, EndKey, Event, Tier, accruals, due, part_of_family


def agreement(mode: str, *tiers: tuple[int, int]) -> Agreement:
    return Agreement("a", "acme", None, mode, tuple(Tier(*tier) for tier in tiers), "EUR", "2026-01-01", "2027-01-01")


BANDS = agreement("bands", (0, 0), (1_000_00, 200), (3_000_00, 500))
WHOLE = agreement("whole", (0, 0), (1_000_00, 200), (3_000_00, 500))


def given_to(found: list[Accrued]) -> dict[EndKey, int]:
    sums: dict[EndKey, int] = {}
    for row in found:
        sums[row.end] = sums.get(row.end, 0) + (row.amount_minor or 0)
    return sums


def sold(*amounts: int) -> list[Event]:
    return [Event(at, f"d{at}", 1, False, amount) for at, amount in enumerate(amounts)]


def test_bands_pay_each_credit_by_its_place() -> None:
    """R38."""
    found = accruals(BANDS, sold(600_00, 900_00, 2_000_00))
    assert [row.amount_minor for row in found] == [0, 10_00, 30_00 + 25_00]
    assert due(BANDS, 3_500_00) == 65_00


def test_a_tier_of_the_whole_amount_gives_earlier_credits_their_part_in_the_period_of_the_crossing() -> None:
    """R38."""
    found = accruals(WHOLE, sold(600_00, 900_00, 2_000_00))
    told = [(row.at, row.end[0], row.amount_minor, row.by[0]) for row in found]
    assert told == [
        (0, "d0", 0, "d0"),
        (1, "d1", 18_00, "d1"),
        (1, "d0", 12_00, "d1"),
        (2, "d2", 100_00, "d2"),
        (2, "d0", 18_00, "d2"),
        (2, "d1", 27_00, "d2"),
    ]
    assert sum(row.amount_minor or 0 for row in found) == due(WHOLE, 3_500_00) == 175_00


def test_a_reversal_takes_back_what_its_credit_was_given_at_the_reopening() -> None:
    """R21, R38."""
    events = [*sold(600_00, 900_00), Event(5, "d1", 1, True, 900_00)]
    found = accruals(WHOLE, events)
    assert given_to(found) == {("d0", 1): 0, ("d1", 1): 0}
    assert {row.at for row in found if (row.amount_minor or 0) < 0} == {5}


def test_an_amount_that_is_not_computable_makes_what_comes_after_it_so() -> None:
    """R34."""
    events = [*sold(2_000_00), Event(3, "foreign", 1, False, None), Event(4, "late", 1, False, 10_00)]
    assert [row.amount_minor for row in accruals(BANDS, events)] == [20_00, None, None]


tiers = st.lists(st.tuples(st.integers(1, 10**7), st.integers(0, 10_000)), max_size=4, unique_by=lambda t: t[0])
agreements = st.builds(
    lambda mode, rest, first: agreement(mode, (0, first), *sorted(rest)),
    st.sampled_from(["bands", "whole"]),
    tiers,
    st.integers(0, 1_000),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Ends that are credited, and some of them reversed later."""
    found = []
    for place in range(draw(st.integers(0, 8))):
        at, amount = draw(st.integers(0, 50)), draw(st.integers(0, 10**7))
        found.append(Event(at, f"d{place}", 1, False, amount))
        if draw(st.booleans()):
            found.append(Event(at + draw(st.integers(0, 50)), f"d{place}", 1, True, amount))
    return found


@given(agreements, histories())
def test_accruals_sum_to_what_is_due_on_what_stands_at_every_instant(said: Agreement, events: list[Event]) -> None:
    """R33, R38."""
    found = accruals(said, events)
    for at in {event.at for event in events}:
        stands = sum((-1 if e.reversal else 1) * (e.amount_minor or 0) for e in events if e.at <= at)
        assert sum(row.amount_minor or 0 for row in found if row.at <= at) == due(said, stands)


@given(agreements, histories())
def test_a_reversed_end_keeps_nothing(said: Agreement, events: list[Event]) -> None:
    """R21."""
    sums = given_to(accruals(said, events))
    standing = {e.end for e in events} - {e.end for e in events if e.reversal}
    for end, amount in sums.items():
        if end not in standing:
            assert amount == 0, end


@given(agreements, histories(), st.randoms())
def test_the_order_of_reading_changes_nothing(said: Agreement, events: list[Event], dice: object) -> None:
    """R33."""
    assert accruals(said, events) == accruals(said, list(reversed(events)))


@given(st.integers(-(10**9), 10**9), st.lists(st.tuples(st.sampled_from("pqr"), st.integers(0, 10**6)), max_size=6))
def test_families_share_an_amount_by_lines_without_losing_a_cent(amount: int, lines: list[tuple[str, int]]) -> None:
    """R33, R37."""
    families = {"p": "pumps", "q": "pumps", "r": None}
    whole = sum(part_of_family(amount, lines, families, family) for family in ("pumps",))
    rest = [(product, total) for product, total in lines if families[product] is None]
    assert part_of_family(amount, lines, families, None) == amount
    if not any(total for _, total in lines):
        assert whole == 0
    elif not any(total for _, total in rest):
        assert whole == amount
    else:
        parts = allocate(amount, [total for _, total in lines])
        assert whole + sum(p for (product, _), p in zip(lines, parts, strict=True) if product == "r") == amount


@pytest.mark.parametrize("of", [BANDS, WHOLE])
def test_many_credits_take_as_long_as_they_are_many(of: Agreement) -> None:
    """Sixteen times the credits may not take anything like two hundred and fifty-six times as long."""
    few, many = (_taken(of, count) for count in (1_000, 16_000))
    assert many < 80 * max(few, 0.01)


def _taken(of: Agreement, count: int) -> float:
    events = sold(*([10_00] * count))
    begun = process_time()
    found = accruals(of, events)
    taken = process_time() - begun
    assert sum(row.amount_minor or 0 for row in found) == due(of, 10_00 * count)
    return taken
