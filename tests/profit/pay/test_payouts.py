"""What periods pay (R41): draws that are owed and draws that are given, and the balance that is carried on."""

from hypothesis import given
from hypothesis import strategies as st

from sfa.profit.pay.payouts import Draw, payouts

OWED, GIVEN = Draw(1_000, recoverable=True), Draw(1_000, recoverable=False)


def paid(draw: Draw | None, *earned: int) -> list[tuple[int, int, int]]:
    """(the draw in it, paid, what is owed then) of periods that all have one draw."""
    found = payouts((f"P{n}", amount, draw) for n, amount in enumerate(earned))
    return [(p.draw_minor, p.paid_minor, p.closing_minor) for p in found]


def test_r41_a_recoverable_draw_is_paid_before_it_is_earned_and_taken_from_later_periods() -> None:
    assert paid(OWED, 400, 0, 5_000) == [(600, 1_000, -600), (1_000, 1_000, -1_600), (0, 3_400, 0)]
    assert paid(OWED, 1_200, 700) == [(0, 1_200, 0), (300, 1_000, -300)]


def test_r41_a_draw_that_is_not_recoverable_is_owed_by_nobody() -> None:
    assert paid(GIVEN, 400, 0, 5_000) == [(600, 1_000, 0), (1_000, 1_000, 0), (0, 5_000, 0)]


def test_r41_what_a_reversal_takes_beyond_what_is_earned_is_carried_on() -> None:
    assert paid(None, 500, -800, 300, 900) == [(0, 500, 0), (0, 0, -800), (0, 0, -500), (0, 400, 0)]
    assert paid(GIVEN, -800, 2_000) == [(1_000, 1_000, -800), (0, 1_200, 0)]


amounts = st.integers(-5_000, 5_000)
draws = st.none() | st.builds(Draw, amount_minor=st.integers(0, 2_000), recoverable=st.booleans())


@given(st.lists(st.tuples(amounts, draws), max_size=12))
def test_r41_what_is_earned_is_paid_or_owed_and_only_gifts_come_on_top(periods: list[tuple[int, Draw | None]]) -> None:
    found = payouts((str(n), earned, draw) for n, (earned, draw) in enumerate(periods))
    gifts, owed = 0, 0
    for payout, (earned, draw) in zip(found, periods, strict=True):
        assert payout.opening_minor == owed
        owed = payout.closing_minor
        gifts += payout.draw_minor if draw is not None and not draw.recoverable else 0
        assert owed <= 0 <= payout.draw_minor <= payout.paid_minor
        assert payout.paid_minor >= (draw.amount_minor if draw is not None else 0)
        assert payout.earned_minor == earned
    assert sum(earned for earned, _ in periods) + gifts == sum(p.paid_minor for p in found) + owed
