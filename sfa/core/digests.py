"""The digest by which a device and the server prove that they agree on a bucket (S16): pure.

Each row of a bucket gives a part: the first 8 bytes of SHA-256 over `entity/key/rev`, read as a big-endian number. The
digest is the sum of the parts modulo 2^64, so a row is added or taken away without looking at the others, in any
order. It covers which rows there are at which revision, and not what they say.
"""

from collections.abc import Iterable
from hashlib import sha256

from msgspec import Struct

HALF_BITS = 32
_MODULUS = 1 << 64


class BucketDigest(Struct, frozen=True):
    """`sum` is 16 hexadecimal digits."""

    count: int
    sum: str


def part(entity: str, key: str, rev: int) -> int:
    """What one row adds, from 0 to 2^64 - 1. No part of the three can hold a slash."""
    return int.from_bytes(sha256(f"{entity}/{key}/{rev}".encode()).digest()[:8], "big")


def summed(count: int, total: int) -> BucketDigest:
    return BucketDigest(count, f"{total % _MODULUS:016x}")


def of_rows(rows: Iterable[tuple[str, str, int]]) -> BucketDigest:
    """The digest of (entity, key, rev), each once."""
    parts = [part(*row) for row in rows]
    return summed(len(parts), sum(parts))
