"""S17: the form of keys; new ones rise and can be repeated from a seed."""

import re
import uuid
from random import Random
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.clock import SystemClock, VirtualClock
from sfa.core.errors import Refused
from sfa.core.ids import KEY_CHARACTERS_MAX, KeyMaker, check_key

NOW = 1_790_000_000_000


def test_a_new_key_is_a_uuid_of_version_seven_that_carries_its_time() -> None:
    key = KeyMaker(VirtualClock(NOW)).new()
    parsed = uuid.UUID(key)
    assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, key)
    assert parsed.int >> 80 == NOW
    assert check_key(key) == key


@given(st.integers(), st.lists(st.integers(-3, 3), min_size=2, max_size=60))
def test_keys_rise_even_within_a_millisecond_and_when_the_clock_steps_back(seed: int, steps: list[int]) -> None:
    """S17"""

    class SteppingClock:
        now = NOW

        def now_ms(self) -> int:
            return self.now

    clock = SteppingClock()
    maker = KeyMaker(clock, Random(seed).getrandbits)
    keys = []
    for step in steps:
        clock.now += step
        keys.append(maker.new())
    assert keys == sorted(set(keys))


def test_a_millisecond_that_is_used_up_borrows_from_the_next() -> None:
    maker = KeyMaker(VirtualClock(NOW), lambda bits: 2**bits - 1)
    maker._tail = 2**74 - 1  # as if a maker had filled the whole millisecond
    maker._last_ms = NOW
    following = uuid.UUID(maker.new())
    assert following.int >> 80 == NOW + 1
    assert following.version == 7
    assert maker.new() > str(following)


def test_the_same_seed_and_clock_make_the_same_keys() -> None:
    def some(seed: int) -> list[str]:
        maker = KeyMaker(VirtualClock(NOW), Random(seed).getrandbits)
        return [maker.new() for _ in range(20)]

    assert some(1) == some(1)
    assert not set(some(1)) & set(some(2))


def test_two_makers_of_one_millisecond_do_not_meet() -> None:
    one, two = (KeyMaker(SystemClock()) for _ in range(2))
    assert len({maker.new() for maker in (one, two) for _ in range(500)}) == 1_000


@given(st.text(alphabet=ascii_letters + digits + "_.-", min_size=1, max_size=KEY_CHARACTERS_MAX))
def test_any_key_of_the_documented_form_is_taken_as_it_is(key: str) -> None:
    """S17"""
    assert check_key(key) == key


@given(st.text(max_size=80))
def test_exactly_the_documented_form_is_taken(text: str) -> None:
    """S17"""
    if re.match(r"\A[A-Za-z0-9_.-]{1,64}\Z", text):
        assert check_key(text) == text
    else:
        with pytest.raises(Refused):
            check_key(text)


@pytest.mark.parametrize("bad", ["", "a" * 65, "a b", "a\n", "é", "a/b", "٣", None, 7, b"key", ["a"], "a" * 10**6])
def test_anything_else_is_refused_and_not_echoed_at_length(bad: object) -> None:
    """S17"""
    with pytest.raises(Refused) as refused:
        check_key(bad)
    assert refused.value.code == "key_invalid"
    assert len(str(refused.value.details)) < 100
