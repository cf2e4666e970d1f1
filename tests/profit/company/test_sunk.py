"""R40: effort by stretches is, to the minor unit, what sharing each fact by itself gives."""

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.days import plus_days
from sfa.profit.company.fact_sums import Fact
from sfa.profit.company.sunk import Heap, Open, Sunk, stretches
from sfa.profit.effort import OpenDays, open_on, shared
from sfa.profit.local_days import DAY_MS, LocalDays
from tests.profit.books import ZONE

FIRST = "2026-03-20"  # clocks go forward on the 29th
DAYS = LocalDays(ZONE)


def day(number: int) -> str:
    return plus_days(FIRST, number)


SPANS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 15), st.none() | st.integers(0, 15)), max_size=8)
LOSSES = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 15 * DAY_MS)), min_size=1, max_size=5)
FACTS = st.lists(st.tuples(st.integers(0, 16 * DAY_MS), st.integers(-50, 200)), max_size=12)


@given(SPANS, LOSSES, FACTS)
def test_r40_stretches_give_each_loss_what_its_part_of_every_fact_sums_to(
    spans: list[tuple[str, int, int | None]], losses: list[tuple[str, int]], facts: list[tuple[int, int]]
) -> None:
    start = DAYS.start(FIRST)
    by_day = [OpenDays(key, day(a), None if b is None else day(b)) for key, a, b in spans]
    opened = [Open(DAYS.start(s.from_on), s.to_on and DAYS.end(s.to_on), s.deal_key) for s in by_day]  # type: ignore[arg-type]
    lost = [Sunk(key, "acme", start + at) for key, at in losses]
    expected = [0] * len(lost)
    for after, cost in facts:
        parts = shared(cost, open_on(by_day, DAYS.of(start + after)))
        for number, loss in enumerate(lost):
            expected[number] += parts.get(loss.deal_key, 0) if start + after <= loss.until else 0
    told, seen = [0] * len(lost), 0
    for stretch in stretches(opened, lost, range(len(lost))):
        assert seen <= stretch.start < stretch.end
        seen, heap = stretch.end, Heap()
        for after, cost in facts:
            if stretch.start <= start + after < stretch.end:
                heap.add(_fact(-cost), len(stretch.deals))
        for number in stretch.losing:
            told[number] += heap.part(bisect_left(stretch.deals, lost[number].deal_key))
    assert told == expected


def _fact(amount: int) -> Fact:
    return Fact("visits", amount, "EUR", 0, 0, "acme", "ana", None, None, None, "visits", "v")


def test_r34_what_has_no_amount_is_missing_in_its_stretch() -> None:
    heap = Heap()
    heap.add(_fact(-10)._replace(amount=None, code="cost_missing", about={"of": "visit_hour"}), 3)
    assert (heap.missing, heap.part(0)) == ([{"code": "cost_missing", "of": "visit_hour"}], 0)
