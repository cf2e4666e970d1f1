"""Why a caller has or lacks a row, and what became of a mutation, in words and codes.

`row` looks with the caller's eyes: it tells of the buckets that he holds, and of those in which he was allowed to see
the row before. A row that does not exist and one that he was never allowed to see get the same answer, to the byte.
`mutation` tells of the caller's own registrations only. Both are one snapshot and change nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.layers import places as where
from sfa.core.profiles import OF_PEOPLE
from sfa.crm.edits import known_entity
from sfa.crm.of_oneself import not_of
from sfa.db import scope
from sfa.db.tables import ROWS, devices, drains, feed, history, receipts, redirects
from sync import devices as registered
from sync.devices import Registration
from sync.protocol import Receipt

UNKNOWN = "unknown"
ROW_CODES = {
    "held": "you hold this row: it lies in a bucket of yours",
    "aged": "you may see this row, but it is too old for devices and stays on the server",
    "profile": "you may see this row, but your role's device profile does not carry rows as old as it",
    "online": "you may see this row, but no device carries what a manager says of a person",
    "deleted": "this row was deleted",
    "merged": "this row was merged into another one",
    "moved_away": "you had this row; it left the bucket in which you saw it",
    "bucket_lost": "you had this row; you no longer hold the bucket in which you saw it",
    UNKNOWN: "there is no such row, or none that you may see",
}
MUTATION_CODES = {
    "applied": "it landed as it was meant",
    "merged": "it landed beside, or instead of, other edits; what lost is in the conflicts named",
    "conflict": "what stood before stays, and an open conflict waits for a person",
    "handed_over": "its author had lost the row; it waits for who has it now, or was decided",
    "refused": "nothing of it landed; its content is a refusal row of its author",
    "skipped": "the device said that it no longer had it",
    "not_arrived": "it never reached the server, which waits for the number expected_n",
    "in_quarantine": "its registration was revoked; it waits for a review",
    "discarded": "its registration was revoked, and a reviewer discarded what it sent",
    UNKNOWN: "there is no such registration of yours",
}


class Place(Struct, frozen=True):
    """A bucket through which the caller holds or held the row: since which clock he holds the bucket, until which one
    (None: still), and the number of the row's entry in its feed."""

    bucket: str
    since_seq: int
    until_seq: int | None
    entry_seq: int | None


class RowExplained(Struct, frozen=True):
    """`refusals` are the caller's own open ones about this row; `conflicts` the open ones of a row that he sees."""

    entity: str
    key: str
    code: str
    text: str
    rev: int | None = None
    places: list[Place] = []
    merged_into: str | None = None
    refusals: list[str] = []
    conflicts: list[str] = []


class MutationExplained(Struct, frozen=True):
    """`revisions` of the receipt's row came of it, through the merged key `via` if it named one. `merged_into` says
    where that row went since; `refusal` and `handover` how that row of his stands; `conflicts` how those stand that he
    may see. `reviewed_by` had it applied in the author's name, after a drain."""

    device: str
    n: int
    code: str
    text: str
    expected_n: int | None = None
    receipt: Receipt | None = None
    revisions: list[int] = []
    via: str | None = None
    merged_into: str | None = None
    refusal: str | None = None
    handover: str | None = None
    conflicts: dict[str, str] = {}
    reviewed_by: str | None = None


# -- a row ------------------------------------------------------------------------------------------------------------


def row(connection: Connection, user: str, entity: str, key: str) -> RowExplained:
    known_entity(entity)
    if not is_key(key):
        raise Refused("key_invalid")
    own = _open_of(connection, "refusals", entity, key, ROWS["refusals"].c.author_key == user)
    table = ROWS[entity]
    columns = [table.c.rev, table.c.gone, table.c.aged, table.c.buckets]
    columns += [table.c.layers] if "layers" in table.c else []
    query = select(*columns).where(table.c.key == key, not_of(connection, entity, table.c, user))
    found = connection.execute(query).first()
    places = _places(connection, user, entity, key)
    layers = found._mapping.get("layers") if found is not None else None
    on_devices = set(where(found.buckets, tuple(layers.split(",")) if layers else None)) if found is not None else set()
    lies_in = on_devices | (set(found.buckets) if found is not None else set())
    now = [place for place in places if place.until_seq is None and place.bucket in lies_in]
    if found is not None and not found.gone and not now:  # too old for devices since before the bucket was his
        held = [span for span in scope.intervals(connection, user) if span[2] is None and span[0] in lies_in]
        now = [Place(bucket, since, None, None) for bucket, since, _ in sorted(held)]
    if found is None or not now:
        return _out_of_sight(entity, key, places if found is not None else [], own)
    into = _visible_survivor(connection, user, entity, key) if found.gone else None
    merged = found.gone and _redirect(connection, entity, key) is not None
    code = "merged" if merged else "deleted" if found.gone else "aged" if found.aged else "held"
    if code == "aged" and entity == OF_PEOPLE:
        code = "online"
    if code == "held" and layers and on_devices.isdisjoint(scope.held_now(connection, user)):
        code = "profile"
    conflicts = _open_of(connection, "conflicts", entity, key)
    return RowExplained(entity, key, code, ROW_CODES[code], found.rev, now, into, own, conflicts)


def _out_of_sight(entity: str, key: str, places: Sequence[Place], own: list[str]) -> RowExplained:
    """Of a row that the caller had, only how he lost it: neither where it is now nor whether it still is."""
    if not places:
        return RowExplained(entity, key, UNKNOWN, ROW_CODES[UNKNOWN], refusals=own)
    code = "moved_away" if any(place.until_seq is None for place in places) else "bucket_lost"
    return RowExplained(entity, key, code, ROW_CODES[code], None, list(places), refusals=own)


def _places(connection: Connection, user: str, entity: str, key: str) -> list[Place]:
    """The buckets in which the row lay while the caller held them (S13): now, or before."""
    query = select(feed.c.bucket, feed.c.seq, feed.c.first, feed.c.gone)
    spans = scope.intervals(connection, user)
    mine = sorted({bucket for bucket, _, _ in spans})
    entries = {
        bucket: (seq, first, gone)
        for bucket, seq, first, gone in connection.execute(
            query.where(feed.c.entity == entity, feed.c.key == key, feed.c.bucket.in_(mine))
        )
    }
    places = []
    for bucket, since, until in sorted(spans, key=lambda span: (span[0], span[1])):
        if bucket not in entries:
            continue
        seq, first, gone = entries[bucket]
        if (not gone or since < seq) and (until is None or first < until):
            places.append(Place(bucket, since, until, seq))
    return places


def _open_of(connection: Connection, kind: str, entity: str, key: str, *where: Any) -> list[str]:
    table = ROWS[kind]
    about = (table.c.entity == entity, table.c.row_key == key, table.c.status == "open", ~table.c.gone)
    return list(connection.execute(select(table.c.key).where(*about, *where).order_by(table.c.key)).scalars())


def _redirect(connection: Connection, entity: str, key: str) -> str | None:
    query = select(redirects.c.survivor_key).where(redirects.c.entity == entity, redirects.c.loser_key == key)
    found: str | None = connection.execute(query).scalar()
    return found


def _visible_survivor(connection: Connection, user: str, entity: str, key: str) -> str | None:
    """Where a merged row went, if the caller may see that row."""
    survivor = _redirect(connection, entity, key)
    if survivor is None:
        return None
    found = connection.execute(select(ROWS[entity].c.buckets).where(ROWS[entity].c.key == survivor)).scalar()
    return survivor if found and not scope.held_now(connection, user).isdisjoint(found) else None


# -- a mutation -------------------------------------------------------------------------------------------------------


def mutation(connection: Connection, user: str, device: str, n: int) -> MutationExplained:
    found = connection.execute(
        select(devices.c.last_n, devices.c.durable_n).where(devices.c.key == device, devices.c.user_key == user)
    ).first()
    if found is None:
        return _told(device, n, UNKNOWN)
    if n > found.last_n:
        return _not_taken(connection, device, n, found.last_n + 1)
    registration = Registration(device, user, "", found.last_n, found.durable_n, 0)
    receipt = registered.read_receipts(connection, registration, [n])[n]
    change = select(history.c.rev, history.c.via).where(
        history.c.entity == receipt.entity, history.c.key == receipt.key, history.c.device_key == device
    )
    changes = connection.execute(change.where(history.c.n == n).order_by(history.c.rev)).all()
    if receipt.suggestion is not None:
        changes = []  # of a row that he lost he is told what was decided, and no more (S37)
    into = _visible_survivor(connection, user, receipt.entity, receipt.key) if receipt.entity in ROWS else None
    refusal = ROWS["refusals"]
    standing = connection.execute(select(refusal.c.status).where(refusal.c.key == f"{device}.{n}")).scalar()
    return MutationExplained(
        device,
        n,
        receipt.outcome,
        MUTATION_CODES[receipt.outcome],
        receipt=_shown(receipt),
        revisions=[rev for rev, _ in changes],
        via=next((via for _, via in changes if via), None),
        merged_into=into,
        refusal=standing if receipt.outcome == "refused" else None,
        handover=_decided(connection, receipt),
        conflicts=_standing(connection, user, receipt.conflicts),
        reviewed_by=_reviewer(connection, device, n),
    )


def _told(device: str, n: int, code: str, expected_n: int | None = None) -> MutationExplained:
    return MutationExplained(device, n, code, MUTATION_CODES[code], expected_n)


def _not_taken(connection: Connection, device: str, n: int, expected_n: int) -> MutationExplained:
    query = select(drains.c.decision, drains.c.progress).where(drains.c.device_key == device)
    found = connection.execute(query).all()
    decisions = {row.decision for row in found}
    if None in decisions or any(row.progress is not None for row in found):
        return _told(device, n, "in_quarantine")
    return _told(device, n, "discarded") if "discard" in decisions else _told(device, n, "not_arrived", expected_n)


def _reviewer(connection: Connection, device: str, n: int) -> str | None:
    """Who had a drained mutation applied: the receipts of a review are of the moment of its decision."""
    taken = select(receipts.c.at).where(
        receipts.c.device_key == device, receipts.c.first_n <= n, receipts.c.last_n >= n
    )
    decided = select(drains.c.decided_by).where(drains.c.applied_as == device)
    found: str | None = connection.execute(decided.where(drains.c.decided_at.in_(taken)).limit(1)).scalar()
    return found


def _decided(connection: Connection, receipt: Receipt) -> str | None:
    if receipt.suggestion is None:
        return None
    table = ROWS["handovers"]
    found: str | None = connection.execute(select(table.c.status).where(table.c.key == receipt.suggestion)).scalar()
    return found


def _shown(receipt: Receipt) -> Receipt:
    """Without the digest, which stays on the server."""
    values = {name: getattr(receipt, name) for name in receipt.__struct_fields__ if name != "digest"}
    return Receipt(**values)


def _standing(connection: Connection, user: str, keys: Iterable[str]) -> dict[str, str]:
    table = ROWS["conflicts"]
    query = select(table.c.key, table.c.status, table.c.buckets).where(table.c.key.in_(list(keys)))
    held = scope.held_now(connection, user)
    return {key: status for key, status, buckets in connection.execute(query) if not held.isdisjoint(buckets)}
