"""The queue: numbered mutations, kept until the server holds them durably (S17, S20, S21).

A mutation is *queued* (no receipt), then *acknowledged* (receipt and seq of its push stored), then dropped when the
server calls its number durable AND a caught_up page has shown what its push did. Numbers go up by one without a gap;
what is dropped is always the oldest, so what the device no longer has is one range from 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from sfa.core.errors import Refused
from sync.device.store import Store
from sync.protocol import (
    MUTATION_BYTES_MAX,
    MUTATIONS_MAX,
    UNIT_SIZE_MAX,
    Mutation,
    PushAnswer,
    Receipt,
    Skip,
    Unit,
)

PUSH_BYTES_MAX = 4 << 20  # of JSON in one request: far below what the server takes
UNIT_FRAME_BYTES = 200  # room for the unit's name, which is not known when a mutation is measured
REUSED = "mutation_reused"


class Queued(Struct, frozen=True):
    """One mutation as the device keeps it. `base_row` is the synced row that the user's edit was made on."""

    n: int
    entity: str
    key: str
    kind: str
    at: int
    base: int
    fields: dict[str, Any]
    unit: Unit | None
    base_row: dict[str, Any] | None
    outcome: str | None
    rev: int
    seq: int
    receipt: Receipt | None
    repairs: str | None = None
    contract: int = 1

    def mutation(self) -> Mutation:
        """Always the same, also after the app was upgraded: a number keeps its content (S18, S32)."""
        said = (self.at, self.base, self.fields, self.unit, self.repairs, self.contract)
        return Mutation(self.n, self.entity, self.key, self.kind, *said)


_COLUMNS = (
    "n, entity, key, kind, at, base, fields, unit_id, unit_size, base_doc, "
    "outcome, rev, seq, receipt, repairs, contract"
)
_json = msgspec.json.Encoder().encode
_decode = msgspec.json.decode
_receipt = msgspec.json.Decoder(Receipt)


def _read(row: tuple[Any, ...]) -> Queued:
    n, entity, key, kind, at, base, fields, unit_id, unit_size, base_doc, outcome, rev, seq, receipt, *said = row
    return Queued(
        n,
        entity,
        key,
        kind,
        at,
        base,
        _decode(fields),
        Unit(unit_id, unit_size) if unit_size else None,
        _decode(base_doc) if base_doc is not None else None,
        outcome,
        rev,
        seq,
        _receipt.decode(receipt) if receipt is not None else None,
        *said,
    )


# -- what the user did ------------------------------------------------------------------------------------------------


def enqueue(
    store: Store,
    entity: str,
    key: str,
    kind: str,
    at: int,
    fields: Mapping[str, Any],
    unit: str | None,
    repairs: str | None = None,
    old_base: int | None = None,
) -> int:
    """Queue one change under the next number; -> the number. `base` is the revision that this device holds, or, for a
    repair, the one that its refusal was made on."""
    with store.transaction():
        state = store.state()
        if state.registration == "revoked":
            raise Refused("device_revoked", "this registration takes no more edits: its queue is on its way")
        if state.user is None:  # whoever logs in next would send it as his own
            raise Refused("unauthenticated", "nobody is logged in on this device")
        n = state.next_n
        found = store.execute("SELECT rev, doc FROM rows WHERE entity = ? AND key = ?", (entity, key)).fetchone()
        base, base_doc = (0, None) if found is None or kind == "create" else found
        base = base if old_base is None else old_base
        size = _size(Mutation(n, entity, key, kind, at, base, dict(fields), repairs=repairs, contract=store.speaks))
        if size + UNIT_FRAME_BYTES > MUTATION_BYTES_MAX:
            raise Refused("mutation_invalid", f"the change is larger than {MUTATION_BYTES_MAX} bytes")
        said = (unit, base_doc, repairs, store.speaks)
        store.execute(
            "INSERT INTO outbox (n, entity, key, kind, at, base, fields, unit_id, base_doc, repairs, contract) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (n, entity, key, kind, at, base, _json(dict(fields)).decode(), *said),
        )
        store.set_state(next_n=n + 1)
    return n


def _size(mutation: Mutation) -> int:
    try:
        return len(_json(mutation))
    except UnicodeEncodeError as error:
        raise Refused("field_invalid", f"a text holds half of a character: {error.reason}") from None


def seal(store: Store, unit: str) -> None:
    """The unit is complete: its size goes into each of its mutations. One alone needs no unit."""
    (size,) = store.execute("SELECT count(*) FROM outbox WHERE unit_id = ?", (unit,)).fetchone()
    if size > UNIT_SIZE_MAX:
        raise Refused("mutation_invalid", f"a unit holds at most {UNIT_SIZE_MAX} mutations", size=size)
    if size == 1:
        store.execute("UPDATE outbox SET unit_id = NULL WHERE unit_id = ?", (unit,))
    else:
        store.execute("UPDATE outbox SET unit_size = ? WHERE unit_id = ?", (size, unit))


# -- what is sent -----------------------------------------------------------------------------------------------------


def head(store: Store) -> list[Mutation]:
    """The oldest queued mutations, at most one request full; units whole."""
    rows = store.execute(
        f"SELECT {_COLUMNS} FROM outbox WHERE outcome IS NULL ORDER BY n LIMIT ?",
        (MUTATIONS_MAX + UNIT_SIZE_MAX,),
    )
    found = [_read(row).mutation() for row in rows]
    return found[: _fitting(found)]


def _fitting(found: Sequence[Mutation]) -> int:
    """How many of these fit into one request; units whole."""
    taken, size = 0, 0
    while taken < len(found):
        unit = found[taken].unit
        part = found[taken : taken + (unit.size if unit is not None else 1)]
        size += sum(len(_json(mutation)) for mutation in part)
        if taken and (taken + len(part) > MUTATIONS_MAX or size > PUSH_BYTES_MAX):
            break
        taken += len(part)
    return taken


def in_requests(mutations: Sequence[Mutation]) -> list[list[Mutation]]:
    """All of them, cut into as many requests as they need."""
    parts: list[list[Mutation]] = []
    done = 0
    while done < len(mutations):
        taken = _fitting(mutations[done : done + MUTATIONS_MAX + UNIT_SIZE_MAX])
        parts.append(list(mutations[done : done + taken]))
        done += taken
    return parts


def as_raw(mutations: Sequence[Mutation]) -> list[Raw]:
    """As a request carries them: the server decodes them one by one."""
    return [Raw(_json(mutation)) for mutation in mutations]


def is_waiting(store: Store) -> bool:
    """Whether anything is queued."""
    return store.execute("SELECT 1 FROM outbox WHERE outcome IS NULL LIMIT 1").fetchone() is not None


def waiting(store: Store) -> int:
    """How many are queued."""
    (count,) = store.execute("SELECT count(*) FROM outbox WHERE outcome IS NULL").fetchone()
    return int(count)


def lost_numbers(store: Store) -> Skip | None:
    """The numbers that the server waits for and this device no longer has: it was restored from a backup (S21)."""
    state = store.state()
    (kept,) = store.execute("SELECT min(n) FROM outbox").fetchone()
    first = kept if kept is not None else state.next_n
    return Skip(1, first - 1) if state.expected_n < first else None


# -- what was answered ------------------------------------------------------------------------------------------------


def acknowledge(store: Store, push: PushAnswer) -> list[Receipt]:
    """Store the receipts; -> those that are news. The server's word on the number it expects is final: what it does
    not have is queued again."""
    queued = {n for (n,) in store.execute("SELECT n FROM outbox WHERE outcome IS NULL")}
    # A reused number says something about the registration, nothing about the edit: that is sent again under a new one.
    news = [r for r in push.receipts if r.n in queued and r.code != REUSED]
    store.executemany(
        "UPDATE outbox SET outcome = ?, rev = ?, seq = ?, receipt = ? WHERE n = ?",
        [(r.outcome, r.rev, push.seq, _json(r).decode(), r.n) for r in news],
    )
    requeue(store, push.expected_n)
    state = store.state()
    store.set_state(expected_n=push.expected_n, durable_n=push.durable_n, push_seq=max(state.push_seq, push.seq))
    # A server that waits for a number which was never given has heard a clone of this device, or a later state of it.
    if push.register_anew or push.expected_n > state.next_n:
        store.set_state(registration="reused")
    return news


def requeue(store: Store, from_n: int) -> None:
    """Queue again what was acknowledged, from a number on."""
    store.execute(
        "UPDATE outbox SET outcome = NULL, rev = 0, seq = 0, receipt = NULL WHERE n >= ? AND outcome IS NOT NULL",
        (from_n,),
    )


def drop_durable(store: Store) -> None:
    """Forget what the server holds durably and the synced rows show: the oldest only, so that no hole comes about."""
    state = store.state()
    store.execute(
        "DELETE FROM outbox WHERE n <= ? AND n < "
        "coalesce((SELECT min(n) FROM outbox WHERE outcome IS NULL OR seq > ?), n + 1)",
        (state.durable_n, state.seen_seq),
    )


def renumber(store: Store) -> None:
    """Move the queue to a new registration, from 1 on. What is acknowledged is the server's already, under the old
    registration's numbers, and is not sent twice."""
    store.execute("DELETE FROM outbox WHERE outcome IS NOT NULL")
    numbers = [n for (n,) in store.execute("SELECT n FROM outbox ORDER BY n")]
    for new, old in enumerate(numbers, start=1):  # never collides: a number only moves down, the lowest first
        store.execute("UPDATE outbox SET n = ? WHERE n = ?", (new, old))
    store.set_state(next_n=len(numbers) + 1, expected_n=1, durable_n=0, registration="active")


# -- reading ----------------------------------------------------------------------------------------------------------


def of_row(store: Store, entity: str, key: str) -> list[Queued]:
    """Everything kept about one row, oldest first."""
    rows = store.execute(f"SELECT {_COLUMNS} FROM outbox WHERE entity = ? AND key = ? ORDER BY n", (entity, key))
    return [_read(row) for row in rows]


def of_entity(store: Store, entity: str) -> dict[str, list[Queued]]:
    """key -> everything kept about that row, oldest first."""
    found: dict[str, list[Queued]] = {}
    for row in store.execute(f"SELECT {_COLUMNS} FROM outbox WHERE entity = ? ORDER BY n", (entity,)):
        item = _read(row)
        found.setdefault(item.key, []).append(item)
    return found


def repairing(store: Store, seen_seq: int) -> set[str]:
    """The refusals that the own queue repairs, as far as no page has shown it."""
    found = store.execute(
        "SELECT repairs FROM outbox WHERE repairs IS NOT NULL "
        "AND (outcome IS NULL OR (outcome != 'refused' AND seq > ?))",
        (seen_seq,),
    )
    return {key for (key,) in found}


def kept(store: Store) -> list[Queued]:
    """Queued and acknowledged, oldest first."""
    return [_read(row) for row in store.execute(f"SELECT {_COLUMNS} FROM outbox ORDER BY n")]


def pending(store: Store) -> list[Queued]:
    """Queued only, oldest first."""
    rows = store.execute(f"SELECT {_COLUMNS} FROM outbox WHERE outcome IS NULL ORDER BY n")
    return [_read(row) for row in rows]
