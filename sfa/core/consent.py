"""Whether a person may be contacted, by what was allowed and withdrawn until an instant: pure. Default deny.

Of the consents for a purpose that name the channel or `any`, decided by then, the latest counts; of two at one instant
the one that denies.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct


class Verdict(Struct, frozen=True):
    """`reason` is `granted`, `withdrawn` or `no_consent`; `consent_key` the row that decides, if there is one."""

    allowed: bool
    reason: str
    consent_key: str | None = None
    decided_at: int | None = None


def may_contact(consents: Iterable[tuple[str, Mapping[str, Any]]], purpose: str, channel: str, as_of: int) -> Verdict:
    """`consents` are (key, row) of one person; `as_of` is included."""
    found = [
        (_decided(row), not row["granted"], key)
        for key, row in consents
        if row["purpose"] == purpose and row["channel"] in (channel, "any") and _decided(row) <= as_of
    ]
    if not found:
        return Verdict(False, "no_consent")
    decided_at, denies, key = max(found)
    return Verdict(not denies, "withdrawn" if denies else "granted", key, decided_at)


def _decided(row: Mapping[str, Any]) -> int:
    at = row["decided_at"] if row["decided_at"] is not None else row["created_at"]
    return at or 0
