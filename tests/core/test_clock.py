"""S28: device clocks lie; corrected times never lie in the future."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.clock import SKEW_FLAGGED_MS, SystemClock, VirtualClock, corrected_ms, skew_is_large

HOUR = 3_600_000
instants = st.integers(0, 10**13)


def test_a_device_an_hour_ahead_is_set_right() -> None:
    """S28"""
    assert corrected_ms(at=10 * HOUR, device_now=12 * HOUR, server_now=11 * HOUR) == (9 * HOUR, HOUR)


def test_a_device_reset_to_the_epoch_still_says_how_long_ago_it_was() -> None:
    """S28"""
    assert corrected_ms(at=1_000, device_now=6_000, server_now=10**12).corrected_ms == 10**12 - 5_000


def test_an_event_from_the_future_of_its_own_device_happened_now() -> None:
    """S28"""
    assert corrected_ms(at=99 * HOUR, device_now=10 * HOUR, server_now=10 * HOUR).corrected_ms == 10 * HOUR


@given(instants, instants, instants)
def test_corrected_times_never_lie_in_the_future(at: int, device_now: int, server_now: int) -> None:
    """S28"""
    corrected, skew = corrected_ms(at, device_now, server_now)
    assert corrected <= server_now
    assert skew == device_now - server_now
    if at <= device_now:
        assert server_now - corrected == device_now - at


@given(instants, instants, instants, instants)
def test_the_order_of_two_events_of_one_push_is_kept(one: int, two: int, device_now: int, now: int) -> None:
    """S28"""
    first, second = sorted((one, two))
    assert corrected_ms(first, device_now, now).corrected_ms <= corrected_ms(second, device_now, now).corrected_ms


def test_only_a_large_skew_is_flagged_in_either_direction() -> None:
    """S28"""
    flags = [skew_is_large(sign * (SKEW_FLAGGED_MS + more)) for sign in (1, -1) for more in (0, 1)]
    assert flags == [False, True, False, True]


def test_a_virtual_clock_moves_only_when_told_and_never_back() -> None:
    clock = VirtualClock(5)
    assert (clock.now_ms(), clock.advance(0), clock.advance(7), clock.now_ms()) == (5, 5, 12, 12)
    with pytest.raises(ValueError, match="go back"):
        clock.advance(-1)


def test_the_system_clock_counts_milliseconds_since_the_epoch() -> None:
    assert abs(SystemClock().now_ms() - time.time() * 1000) < 60_000
