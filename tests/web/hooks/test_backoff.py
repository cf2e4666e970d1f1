"""When a delivery comes again."""

from hypothesis import given
from hypothesis import strategies as st

from sfa.web.hooks.backoff import (
    AGAIN,
    ATTEMPTS_MAX,
    DELIVERED,
    GONE,
    PAUSES_MS,
    REST_MAX_MS,
    RETRY_AFTER_MAX_S,
    is_over,
    pause_ms,
    rest_ms,
    verdict,
)
from sfa.web.outward import retry_after_s

DRAWN = st.floats(0, 1)
ASKED = st.floats(0, 10 * RETRY_AFTER_MAX_S)


@given(st.integers(1, ATTEMPTS_MAX + 5), DRAWN, ASKED)
def test_every_attempt_but_the_last_is_followed_by_a_pause_near_its_own(n: int, drawn: float, asked: float) -> None:
    found = pause_ms(n, drawn, asked)
    if n >= ATTEMPTS_MAX:
        assert found is None
        return
    assert found is not None
    usual, wished = PAUSES_MS[n - 1], int(min(asked, RETRY_AFTER_MAX_S) * 1_000)
    assert max(int(0.8 * usual), wished) <= found <= max(1.2 * usual, wished)


@given(st.integers(1, ATTEMPTS_MAX - 2), DRAWN, DRAWN)
def test_pauses_grow_whatever_is_drawn(n: int, one: float, other: float) -> None:
    first, second = pause_ms(n, one), pause_ms(n + 1, other)
    assert first is not None
    assert second is not None
    assert first < second


@given(st.integers(1, ATTEMPTS_MAX - 1), DRAWN, DRAWN)
def test_the_draw_decides_alone_and_rises_with_the_pause(n: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    first, second = pause_ms(n, low), pause_ms(n, high)
    assert first is not None
    assert second is not None
    assert first <= second


@given(st.none() | st.integers(1, 90_000_000), st.none() | st.integers(100, 599), ASKED)
def test_an_endpoint_rests_as_it_asks_or_where_nobody_answered(
    pause: int | None, status: int | None, asked: float
) -> None:
    found = rest_ms(pause, status, asked)
    if asked:
        assert found == int(min(asked, RETRY_AFTER_MAX_S) * 1_000)
    elif status is not None:
        assert found == 0
    else:
        assert 0 < found <= REST_MAX_MS


@given(st.integers(100, 999))
def test_only_success_is_a_delivery(status: int) -> None:
    assert verdict(status) == (DELIVERED if status // 100 == 2 else GONE if status == 410 else AGAIN)
    assert verdict(None) == AGAIN


def test_five_days_of_nothing_but_failures_are_enough() -> None:
    assert not is_over(0, 5 * 86_400_000 - 1)
    assert is_over(0, 5 * 86_400_000)


@given(st.text(max_size=40))
def test_any_retry_after_is_a_wait_of_a_day_at_most(text: str) -> None:
    assert 0 <= retry_after_s(text, 0, RETRY_AFTER_MAX_S) <= RETRY_AFTER_MAX_S


def test_a_retry_after_is_seconds_or_a_date() -> None:
    now_ms = 1_767_600_000_000  # Mon, 05 Jan 2026 08:00:00 GMT
    assert retry_after_s("120", now_ms, 1_000) == 120
    assert retry_after_s("Mon, 05 Jan 2026 08:05:00 GMT", now_ms, 1_000) == 300
    assert retry_after_s("Mon, 05 Jan 2026 07:00:00 GMT", now_ms, 1_000) == 0
    assert retry_after_s("99999", now_ms, 1_000) == 1_000
    assert retry_after_s("-5", now_ms, 1_000) == retry_after_s("", now_ms, 1_000) == 0
