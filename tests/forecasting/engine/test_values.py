import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from forecasting.engine.values import NEVER, Deals, as_known
from tests.forecasting.engine.strategies import FIRST, LAST, deals


def same(one: Deals, other: Deals) -> bool:
    columns = ("opened_on", "ended_on", "won", "amount")
    told = ("deal", "day", "kind", "value")
    return (
        (one.until, one.keys, dict(one.features)) == (other.until, other.keys, dict(other.features))
        and all(np.array_equal(getattr(one, c), getattr(other, c), equal_nan=c == "amount") for c in columns)
        and all(np.array_equal(getattr(one.changes, c), getattr(other.changes, c)) for c in told)
    )


@given(deals(), st.integers(FIRST - 10, LAST), st.integers(0, 100))
def test_nothing_of_later_days_is_known_and_looking_back_twice_is_looking_back_once(
    found: Deals, day: int, earlier: int
) -> None:
    known = as_known(found, day)
    assert (known.opened_on <= day).all()
    assert ((known.ended_on == NEVER) | (known.ended_on <= day)).all()
    assert not known.won[known.is_open].any()
    assert (known.changes.day <= day).all()
    assert same(as_known(known, day - earlier), as_known(found, day - earlier))


@given(deals())
def test_the_last_day_knows_everything(found: Deals) -> None:
    assert same(as_known(found, LAST), found)


@given(deals(), st.integers(0, 5))
def test_what_happens_later_changes_nothing_of_what_was_known(found: Deals, back: int) -> None:
    day = LAST - 200 - back
    later = found.ended_on > day
    flipped = Deals(
        until=found.until,
        keys=found.keys,
        opened_on=found.opened_on,
        ended_on=np.where(later, LAST, found.ended_on),
        won=np.where(later, ~found.won, found.won),
        amount=np.where(later | found.is_open, 0.0, found.amount),
        features=found.features,
        stages=found.stages,
        changes=found.changes,
    )
    assert same(as_known(found, day), as_known(flipped, day))
