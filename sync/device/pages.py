"""A page taken into the synced rows: drops, memberships, a reset's marking and its sweep (S13-S15).

A row is held through buckets and stays while any is left. It may arrive through several of them in any order, so a
newer revision is never replaced by an older one, unless the older one belongs to a newer generation: after a reset the
server's present word counts, even where a restored backup made its revisions smaller.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from sync.device.store import Store
from sync.protocol import Item, Page

_json = msgspec.json.Encoder().encode

_PUT_ROW = """
INSERT INTO rows (entity, key, rev, generation, doc) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (entity, key) DO UPDATE SET rev = excluded.rev, generation = excluded.generation, doc = excluded.doc
WHERE excluded.generation > rows.generation OR excluded.rev >= rows.rev
"""
_PUT_MEMBERSHIP = """
INSERT INTO memberships (entity, key, bucket, generation) VALUES (?, ?, ?, ?)
ON CONFLICT (entity, key, bucket) DO UPDATE SET generation = excluded.generation
"""
_DROP_ROWS_HELD_ONLY_THROUGH = """
DELETE FROM rows WHERE (entity, key) IN (SELECT entity, key FROM memberships WHERE bucket = ?1)
AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.entity = rows.entity AND m.key = rows.key AND m.bucket <> ?1)
"""
_DROP_ROW_WITHOUT_MEMBERSHIP = """
DELETE FROM rows WHERE entity = ?1 AND key = ?2
AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.entity = ?1 AND m.key = ?2)
"""
_DROP_EVERY_ROW_WITHOUT_MEMBERSHIP = """
DELETE FROM rows
WHERE NOT EXISTS (SELECT 1 FROM memberships m WHERE m.entity = rows.entity AND m.key = rows.key)
"""


def apply(store: Store, page: Page, *, starts_over: bool, refill: Sequence[str] = ()) -> None:
    """Take one page and its cursor, inside the caller's transaction. `starts_over`: the page is the first of a new
    start, because the server said `reset` or was given no cursor; `refill`: the buckets that it begins anew (S16)."""
    state = store.state()
    generation, sweeping = state.generation, state.sweeping
    if starts_over:
        generation, sweeping = generation + 1, True
        store.execute("DELETE FROM refills")  # everything is fetched anew
    elif refill and not sweeping:
        generation += 1
        store.executemany("INSERT OR REPLACE INTO refills VALUES (?, ?)", [(bucket, generation) for bucket in refill])
    for bucket in page.drops:
        _drop_bucket(store, bucket)
    for changes in page.changes:
        for gone, items in groupby(changes.items, key=lambda item: item.gone):
            if gone:
                _remove(store, changes.bucket, list(items))
            else:
                _put(store, changes.bucket, list(items), generation)
    if page.caught_up and sweeping:
        _sweep(store, generation)
        sweeping = False
    if page.caught_up:
        _sweep_refilled(store)
    store.set_state(cursor=page.cursor, generation=generation, sweeping=sweeping)
    if page.caught_up:
        store.set_state(seen_seq=page.seq)


def is_empty(store: Store) -> bool:
    """Whether the device holds no row yet: a start is then no reset that a user would have to hear of."""
    return store.execute("SELECT 1 FROM memberships LIMIT 1").fetchone() is None


def _drop_bucket(store: Store, bucket: str) -> None:
    store.execute(_DROP_ROWS_HELD_ONLY_THROUGH, (bucket,))
    store.execute("DELETE FROM memberships WHERE bucket = ?", (bucket,))


def _remove(store: Store, bucket: str, items: Iterable[Item]) -> None:
    rows = [(item.entity, item.key) for item in items]
    store.executemany(
        "DELETE FROM memberships WHERE entity = ? AND key = ? AND bucket = ?", [(*row, bucket) for row in rows]
    )
    store.executemany(_DROP_ROW_WITHOUT_MEMBERSHIP, rows)


def _put(store: Store, bucket: str, items: Iterable[Item], generation: int) -> None:
    items = list(items)
    store.executemany(_PUT_ROW, [(i.entity, i.key, i.rev, generation, _json(i.row).decode()) for i in items])
    store.executemany(_PUT_MEMBERSHIP, [(i.entity, i.key, bucket, generation) for i in items])


def _sweep(store: Store, generation: int) -> None:
    """What did not arrive since the reset is no longer in the scope."""
    store.execute("DELETE FROM memberships WHERE generation < ?", (generation,))
    drop_strays(store)


def _sweep_refilled(store: Store) -> None:
    """What did not arrive since a bucket began anew does not lie in it."""
    refilled = store.execute("SELECT bucket, generation FROM refills").fetchall()
    if refilled:
        store.executemany("DELETE FROM memberships WHERE bucket = ? AND generation < ?", refilled)
        store.execute("DELETE FROM refills")
        drop_strays(store)


def drop_strays(store: Store) -> int:
    """Rows that no bucket holds do not belong here; -> how many there were."""
    return store.execute(_DROP_EVERY_ROW_WITHOUT_MEMBERSHIP).rowcount
