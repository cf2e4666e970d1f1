"""Passwords: argon2id, hashed and checked in worker threads, never on the event loop.

An unknown e-mail costs the same time as a wrong password (a check against a dummy hash). At most `WORKERS` checks run
at once, each with 64 MiB of memory, and at most `WAITING_MAX` wait: the next one is told that the server is busy.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Struct

from sfa.core.errors import Refused

PASSWORD_CHARACTERS_MIN = 8
PASSWORD_CHARACTERS_MAX = 1024
WORKERS = 2
WAITING_MAX = 200

HASHER = PasswordHasher()  # argon2id with the parameters of RFC 9106 for little memory


class Verdict(Struct, frozen=True):
    """`rehashed` is the new hash of a right password whose stored hash has outdated parameters."""

    right: bool
    rehashed: str | None = None


def hash_password(password: str, hasher: PasswordHasher = HASHER) -> str:
    """The hash to store; takes some 50 ms, so call it before the transaction. Refuses what is too short or long."""
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
        limits = f"{PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX}"
        raise Refused("field_invalid", f"A password has {limits} characters", field="password")
    return hasher.hash(password)


@cache
def _dummy(hasher: PasswordHasher) -> str:
    return hasher.hash("nobody has this password")


def check_password(stored: str | None, password: str, hasher: PasswordHasher = HASHER) -> Verdict:
    """Whether the password fits the stored hash; without one it takes as long and says no."""
    try:
        hasher.verify(stored if stored is not None else _dummy(hasher), password)
    except (VerificationError, InvalidHashError):
        return Verdict(right=False)
    if stored is None:
        return Verdict(right=False)
    return Verdict(right=True, rehashed=hasher.hash(password) if hasher.check_needs_rehash(stored) else None)


class PasswordChecks:
    """The worker threads. Close it with the server."""

    def __init__(self, hasher: PasswordHasher = HASHER) -> None:
        self._hasher = hasher
        _dummy(hasher)  # so that the first unknown e-mail does not take longer than the second
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="sfa-password")
        self._waiting = 0

    async def check(self, stored: str | None, password: str) -> Verdict:
        if self._waiting >= WAITING_MAX:
            raise Refused("server_busy", "Too many logins at this moment: try again", retry_after_s=5)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, check_password, stored, password, self._hasher)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown()
