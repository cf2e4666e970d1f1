"""Keys of rows: their form, and new ones as UUIDv7.

Promises: a key is `[A-Za-z0-9_.-]{1,64}` (S17), made once and final. New keys rise strictly within one maker,
even in one millisecond and when the clock steps back, so that a batch keeps its order in an index.
Does not do: prove that a key is unused (the database does), or read a time out of a key: keys made by devices
may be anything of the form above, and their clocks lie.
"""

import re
import secrets
import threading
from collections.abc import Callable
from typing import TypeGuard

from sfa.core.clock import Clock
from sfa.core.errors import Refused

KEY_CHARACTERS_MAX = 64
_KEY = re.compile(rf"[A-Za-z0-9_.-]{{1,{KEY_CHARACTERS_MAX}}}")

_TAIL_BITS = 74  # what RFC 9562 leaves beside time, version and variant
_STEP_BITS = 32  # a step is random too, so that a key does not give away its neighbour


def is_key(text: object) -> TypeGuard[str]:
    """Whether it is of the documented form: nothing else can be the key of a row."""
    return isinstance(text, str) and _KEY.fullmatch(text) is not None


def check_key(text: object) -> str:
    """The key itself, or `key_invalid` for anything that is not text of the documented form."""
    if not isinstance(text, str) or not _KEY.fullmatch(text):
        shown = text[: KEY_CHARACTERS_MAX + 1] if isinstance(text, str) else type(text).__name__
        raise Refused("key_invalid", key=shown)
    return text


class KeyMaker:
    """Makes UUIDv7 keys (RFC 9562, 36 characters in lower case). Safe to share between threads.

    `random_bits(n)` gives n random bits; a seeded `random.Random(seed).getrandbits` makes a run repeatable.
    """

    def __init__(self, clock: Clock, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._clock = clock
        self._random_bits = random_bits
        self._lock = threading.Lock()
        self._last_ms = -1
        self._tail = 0

    def new(self) -> str:
        with self._lock:
            self._step(self._clock.now_ms())
            return _text(self._last_ms, self._tail)

    def _step(self, now_ms: int) -> None:
        if now_ms > self._last_ms:
            # The top bit starts at zero: at least 2**73 values are left for the same millisecond.
            self._last_ms, self._tail = now_ms, self._random_bits(_TAIL_BITS - 1)
            return
        self._tail += 1 + self._random_bits(_STEP_BITS)
        if self._tail >> _TAIL_BITS:
            self._last_ms, self._tail = self._last_ms + 1, self._random_bits(_TAIL_BITS - 1)


def _text(ms: int, tail: int) -> str:
    """48 bits of time, version 7, 12 bits of tail, variant 10, 62 bits of tail."""
    value = (ms & (2**48 - 1)) << 80 | 0x7 << 76 | (tail >> 62) << 64 | 0b10 << 62 | tail & (2**62 - 1)
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
