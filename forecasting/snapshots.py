"""Snapshots as people ask for them: which there are, and one of them whole, with the digest of its bytes (R27)."""

from msgspec import Struct
from sqlalchemy import Connection

from forecasting import kept
from forecasting.documents import KINDS
from forecasting.kept import Snapshot
from sfa.core.access import SEES_EVERYTHING
from sfa.core.errors import Refused
from sfa.crm.online import person

PAGE_DEFAULT, PAGE_MAX = 100, 1_000


class SnapshotPage(Struct, frozen=True):
    """The newest first; `next` is the `before` of the page behind it."""

    items: list[Snapshot]
    next: int | None


class Whole(Struct, frozen=True):
    """One line for each document: its kind, its key and itself. The sha256 of `content` is the digest."""

    snapshot: Snapshot
    content: bytes


def page(connection: Connection, user_key: str, before: int | None, limit: int) -> SnapshotPage:
    person(connection, user_key)
    if not 1 <= limit <= PAGE_MAX or (before is not None and not 0 <= before <= kept.NEVER):
        raise Refused("request_invalid", f"`limit` is 1 to {PAGE_MAX}, `before` the number of a snapshot")
    found = kept.listing(connection, before, limit + 1)
    return SnapshotPage(found[:limit], found[limit - 1].number if len(found) > limit else None)


def whole(connection: Connection, user_key: str, number: int) -> Whole:
    """For who sees everything, as it is everybody's deals; `not_permitted` for others, `not_found`."""
    who = person(connection, user_key)
    if who.role not in SEES_EVERYTHING:
        raise Refused("not_permitted", f"the role {who.role} does not see every deal")
    if not 0 < number < kept.NEVER:
        raise Refused("not_found")
    snapshot = kept.numbered(connection, number)
    lines = (f"{kind} {key} {text}\n" for kind, key, text in kept.documents(connection, number, KINDS))
    return Whole(snapshot, "".join(lines).encode())
