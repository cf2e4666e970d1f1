"""What the user sees: synced rows with the own queue on top (S29), and the bare synced rows for comparisons."""

from collections.abc import Callable
from typing import Any

import msgspec

from sfa.core.shapes import PARENTS
from sfa.core.transitions import Lookup
from sync.device import outbox
from sync.device.overlay import Synced, completed, on_top
from sync.device.store import Store

Row = dict[str, Any]
REFUSALS = "refusals"
_decode: Callable[[str], Row] = msgspec.json.Decoder(dict[str, Any]).decode


def row(store: Store, entity: str, key: str) -> Row | None:
    """One row as the user sees it, or None."""
    with store.reading():
        queue = outbox.of_row(store, entity, key)
        found = synced_row(store, entity, key)
        shown = _shown(store, found, queue) if queue else (found.row if found is not None else None)
        if entity == REFUSALS and shown is not None:
            _repaired(store, {key: shown})
        return shown


def rows(store: Store, entity: str) -> dict[str, Row]:
    """key -> row of everything of an entity that the user sees, in the order of keys."""
    with store.reading():
        found = {
            key: Synced(rev, completed(entity, _decode(doc)))
            for key, rev, doc in store.execute(
                "SELECT key, rev, doc FROM rows WHERE entity = ? ORDER BY key", (entity,)
            )
        }
        queues = outbox.of_entity(store, entity)
        shown = {key: synced.row for key, synced in found.items() if key not in queues}
        for key, queue in queues.items():
            seen = _shown(store, found.get(key), queue)
            if seen is not None:
                shown[key] = seen
        if entity == REFUSALS:
            _repaired(store, shown)
    return dict(sorted(shown.items())) if queues else shown


def _repaired(store: Store, shown: dict[str, Row]) -> None:
    """A repair is seen at once, on the refusal too."""
    for key in outbox.repairing(store, store.state().seen_seq) & shown.keys():
        shown[key]["status"] = "repaired"


def synced_rows(store: Store) -> dict[tuple[str, str], tuple[int, Row]]:
    """(entity, key) -> (revision, row), without the own queue: what must equal the server's."""
    found = store.execute("SELECT entity, key, rev, doc FROM rows")
    return {(entity, key): (rev, _decode(doc)) for entity, key, rev, doc in found}


def synced_row(store: Store, entity: str, key: str) -> Synced | None:
    """One row without the own queue."""
    found = store.execute("SELECT rev, doc FROM rows WHERE entity = ? AND key = ?", (entity, key)).fetchone()
    return None if found is None else Synced(found[0], completed(entity, _decode(found[1])))


def _shown(store: Store, synced: Synced | None, queue: list[outbox.Queued]) -> Row | None:
    state = store.state()
    user = state.user.key if state.user is not None else ""
    return on_top(synced, queue, state.seen_seq, state.device_key or "", user, looking(store))


def looking(store: Store) -> Lookup:
    """How a command sees the other rows of this device, as its user sees them."""

    def under(entity: str, key: str) -> list[Row]:
        field = PARENTS[entity][1]
        return [found for found in rows(store, entity).values() if found[field] == key]

    return Lookup(lambda entity, key: row(store, entity, key), lambda entity: rows(store, entity), under)
