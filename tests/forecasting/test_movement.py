"""Movement between two snapshots: complete, per bucket and in total, each deal in exactly one class (R28)."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from forecasting.movement import CLASSES, Bridge, Stand, bridge, class_of
from sfa.core.forecast import BUCKETS, OPEN
from sfa.core.money import allocate

PEOPLE = ("ana", "bob", "cleo")
IN_THE_WORKS = (*OPEN, "slipped", "omitted")


class State(Struct, frozen=True):
    """A deal at one end, of all people: an open one in a bucket of the period or of another, a credited one, ..."""

    kind: str  # open | won | lost
    bucket: str | None
    amount: int
    shares: tuple[int, int, int]
    reversed: int  # what was taken back in the period, of an earlier win
    rate: int  # of its own end, in percent of the first end's


SHARES = st.sampled_from([(100, 0, 0), (0, 100, 0), (50, 50, 0), (60, 20, 20), (0, 0, 100)])
STATES = st.builds(
    State,
    kind=st.sampled_from(["open", "open", "open", "won", "lost"]),
    bucket=st.sampled_from([None, *IN_THE_WORKS]),
    amount=st.sampled_from([0, 100, 250, 10_001, -300]),
    shares=SHARES,
    reversed=st.sampled_from([0, 0, 0, 100]),
    rate=st.sampled_from([100, 100, 90, 130]),
)
DEALS = st.lists(st.tuples(st.none() | STATES, st.none() | STATES), max_size=12)


def stand(state: State | None, person: str | None) -> Stand | None:
    """What it is for one of the people, or for the company."""
    if state is None:
        return None
    whole: dict[str, int] = {}
    if state.kind == "won" and state.bucket is not None:
        whole["closed"] = state.amount
    if state.reversed:
        whole["closed"] = whole.get("closed", 0) - state.reversed
    if state.kind == "open" and state.bucket is not None:
        whole[state.bucket] = state.amount
    place = None if person is None else PEOPLE.index(person)
    share = 10_000 if place is None else state.shares[place] * 100
    mine = {b: a if place is None else allocate(a, state.shares)[place] for b, a in whole.items()}
    here = bool(whole) and bool(share)
    return Stand(
        lost=state.kind == "lost",
        in_period=bool(whole),
        here=here,
        share_bp=share if here else 0,
        won=(2,) if state.kind == "won" and state.bucket is not None else (),
        amounts=mine if here else {},
        rated={b: a * state.rate // 100 for b, a in mine.items()} if here else {},
    )


def told(deals: list[tuple[State | None, State | None]], person: str | None) -> Bridge:
    return bridge((f"d{n}", stand(was, person), stand(now, person)) for n, (was, now) in enumerate(deals))


@given(DEALS)
def test_opening_and_classes_make_the_closing_by_bucket_and_in_total_r28(deals: list[Any]) -> None:
    for person in (None, *PEOPLE):
        found = told(deals, person)
        was, now = Counter[str](), Counter[str]()
        for before, after in deals:
            for end, counted in ((stand(before, person), was), (stand(after, person), now)):
                counted.update(end.amounts if end is not None else {})
        by_class = {bar.name: bar for bar in found.classes}
        assert list(by_class) == list(CLASSES)
        for bucket in BUCKETS:
            assert found.opening.amounts.get(bucket, 0) == was[bucket]
            moved = sum(bar.amounts.get(bucket, 0) for bar in found.classes)
            assert was[bucket] + moved == now[bucket], bucket
            assert found.closing.amounts.get(bucket, 0) == now[bucket] + found.rates.amounts.get(bucket, 0)
        counts = [bucket for bucket in BUCKETS if bucket != "omitted"]
        assert found.opening.total_minor == sum(was[bucket] for bucket in counts)
        total = found.opening.total_minor + sum(bar.total_minor for bar in found.classes)
        assert total == sum(now[bucket] for bucket in counts)
        assert total + found.rates.total_minor == found.closing.total_minor


@given(DEALS)
def test_each_deal_is_in_exactly_one_class_and_bars_are_their_deals_r28(deals: list[Any]) -> None:
    for person in (None, *PEOPLE):
        found = told(deals, person)
        ends = [(stand(was, person), stand(now, person)) for was, now in deals]
        stood = sum(1 for pair in ends if any(end is not None and end.here for end in pair))
        keys = [one.key for one in found.moved]
        assert len(set(keys)) == len(keys)
        assert len(keys) + found.unchanged == stood
        for bar in found.classes:
            mine = [one for one in found.moved if one.into == bar.name]
            assert len(mine) == bar.deals
            assert sum(one.total_minor for one in mine) == bar.total_minor


@given(DEALS)
def test_what_moves_between_people_moves_nothing_for_the_company_r28(deals: list[Any]) -> None:
    company, people = told(deals, None), [told(deals, person) for person in PEOPLE]
    for name in ("opening", "closing"):
        for bucket in BUCKETS:
            parts = [getattr(one, name).amounts.get(bucket, 0) for one in people]
            whole = getattr(company, name).amounts.get(bucket, 0)
            assert abs(sum(parts) - whole) <= (0 if name == "opening" else 2 * len(deals))  # own rates are cut here
    assert not any(bar.deals for bar in company.classes if bar.name.startswith("transferred"))


def here(share: int = 10_000, *, won: tuple[int, ...] = (), **amounts: int) -> Stand:
    return Stand(lost=False, in_period=True, here=True, share_bp=share, won=won, amounts=amounts)


ELSEWHERE = Stand(lost=False, in_period=True, here=False, share_bp=0, won=(), amounts={})
ANOTHER_PERIOD = Stand(lost=False, in_period=False, here=False, share_bp=0, won=(), amounts={})
LOST = Stand(lost=True, in_period=False, here=False, share_bp=0, won=(), amounts={})


@pytest.mark.parametrize(
    ("was", "now", "into"),
    [
        (here(commit=100), here(closed=90, won=(1,)), "won"),
        (None, here(closed=90, won=(1,)), "won"),
        (ANOTHER_PERIOD, here(closed=90, won=(1,)), "won"),
        (here(commit=100), ANOTHER_PERIOD, "pushed_out"),  # won, and credited in another period
        (here(commit=100), LOST, "lost"),
        (None, here(commit=100), "new"),
        (LOST, here(commit=100), "new"),
        (here(commit=100), None, "removed"),
        (ANOTHER_PERIOD, here(commit=100), "pulled_in"),
        (ELSEWHERE, here(commit=100), "transferred_in"),
        (here(commit=100), ELSEWHERE, "transferred_out"),
        (here(4_000, commit=40), here(6_000, commit=60), "transferred_in"),
        (here(6_000, commit=60), here(4_000, likely=40), "transferred_out"),
        (here(commit=100), here(likely=120), "category"),
        (here(commit=100), here(slipped=100), "category"),
        (here(closed=100, won=(1,)), here(likely=100), "category"),  # its win was taken back
        (here(commit=100), here(commit=120), "up"),
        (here(commit=100), here(commit=0), "down"),
        (here(closed=100, won=(1,)), here(closed=80, won=(1,)), "down"),
        (here(commit=100), here(commit=100), "unchanged"),
        (ANOTHER_PERIOD, ELSEWHERE, None),
        (LOST, None, None),
        (None, None, None),
    ],
)
def test_the_first_class_that_is_true_takes_a_deal_r28(was: Stand | None, now: Stand | None, into: str | None) -> None:
    assert class_of(was, now) == into


def test_a_bridge_told_bar_by_bar_r28() -> None:
    """1,000 open; 300 of them won at 320, 200 lost, 150 new, 50 more on one deal, one judged less likely."""
    found = bridge(
        [
            ("a", here(commit=300), here(closed=320, won=(1,))),
            ("b", here(likely=200), LOST),
            ("c", here(pipeline=400), here(pipeline=450)),
            ("d", here(commit=100), here(best_case=100)),
            ("e", None, here(pipeline=150)),
        ]
    )
    bars = {bar.name: (bar.deals, bar.amounts, bar.total_minor) for bar in found.classes if bar.deals}
    assert (found.opening.deals, found.opening.total_minor) == (4, 1_000)
    assert bars == {
        "won": (1, {"closed": 320, "commit": -300}, 20),
        "lost": (1, {"likely": -200}, -200),
        "new": (1, {"pipeline": 150}, 150),
        "category": (1, {"best_case": 100, "commit": -100}, 0),
        "up": (1, {"pipeline": 50}, 50),
    }
    assert (found.closing.deals, found.closing.total_minor) == (4, 1_020)
    assert [(one.key, one.was, one.now) for one in found.moved] == [
        ("a", "commit", "closed"),
        ("b", "likely", None),
        ("e", None, "pipeline"),
        ("d", "commit", "best_case"),
        ("c", "pipeline", "pipeline"),
    ]


def test_other_rates_are_a_bar_of_no_deal_r28() -> None:
    """A deal that nobody touched, worth 10 more at the rates of the second day."""
    now = Stand(False, True, True, 10_000, (), {"commit": 100}, {"commit": 110})
    found = bridge([("a", here(commit=100), now)])
    assert (found.unchanged, found.moved) == (1, [])
    assert (found.rates.total_minor, found.closing.total_minor) == (10, 110)


def credited(lost: bool, here: bool = True, closed: int = 100) -> Stand:
    """A deal that was won in the period, whatever became of it since."""
    return Stand(lost, here, here, 10_000 if here else 0, (1,) if here else (), {"closed": closed} if here else {})


def test_a_deal_is_lost_or_new_once_however_often_one_looks_r28() -> None:
    """It was won in this quarter, reopened in the next one and lost there: its credit stands here for good."""
    gone, back = credited(lost=True), credited(lost=False)
    assert class_of(back, gone) == "lost"
    assert class_of(gone, credited(lost=True)) == "unchanged"
    assert class_of(gone, back) == "new"
    assert class_of(gone, credited(lost=True, closed=90)) == "down"
    assert class_of(gone, credited(lost=False, here=False)) == "pushed_out"
    assert class_of(credited(lost=True, here=False), gone) == "won"
