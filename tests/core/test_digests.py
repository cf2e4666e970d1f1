"""S16: the digest of a bucket."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.digests import BucketDigest, of_rows, part, summed

names = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=9)
keys = st.text("abcXYZ019_.-", min_size=1, max_size=9)
rows = st.tuples(names, keys, st.integers(1, 2**53))
sets = st.lists(rows, unique=True, max_size=12)


def test_a_part_is_the_beginning_of_a_hash_that_every_language_can_make() -> None:
    """S16: as the document tells it."""
    assert f"{part('contacts', 'carl', 2):016x}" == sha256(b"contacts/carl/2").hexdigest()[:16]


@given(sets, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(found: list[tuple[str, str, int]], random: object) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert of_rows(shuffled) == of_rows(found)


@given(sets)
def test_the_sum_of_two_parts_is_the_digest_of_the_whole(found: list[tuple[str, str, int]]) -> None:
    half = len(found) // 2
    one, two = of_rows(found[:half]), of_rows(found[half:])
    assert summed(one.count + two.count, int(one.sum, 16) + int(two.sum, 16)) == of_rows(found)


@given(sets, sets)
def test_different_rows_have_different_digests(
    one: list[tuple[str, str, int]], two: list[tuple[str, str, int]]
) -> None:
    assert (of_rows(one) == of_rows(two)) == (set(one) == set(two))


@given(st.integers(-(2**70), 2**70))
def test_a_sum_is_always_sixteen_digits(total: int) -> None:
    digest = summed(1, total)
    assert len(digest.sum) == 16
    assert (int(digest.sum, 16) - total) % 2**64 == 0


def test_nothing_is_zero() -> None:
    assert of_rows([]) == BucketDigest(0, "0" * 16)
