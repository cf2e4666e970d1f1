"""One page of what changed for one user, read in one snapshot (S12-S14).

In this order: the buckets that left the scope (one `drop` each), every feed entry after `c` of every bucket held now,
then the live rows, by key, of buckets granted since `g`. Entries of a bucket that is still being filled are in the
delta too, so that a fill never goes back. `caught_up` is said only when nothing is left in this snapshot. Documents
are joined as the bytes that the feed keeps; nothing is decoded, but for an older version (S32). Buckets that a device
asks to have again are filled like granted ones (S16).

A device that begins anew may ask for what today needs before the fills: those rows are live entries of buckets that are
held in this snapshot, like a fill's, and the fill sends them again, so they change nothing about what holds later. A
page may be cut into lines with cursors of their own (`sync.sheet`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from sfa.core.digests import BucketDigest
from sfa.core.errors import Refused
from sfa.db import digests, feed, scope, today
from sync import cursor as cursors
from sync.cursor import FILL_START, Cursor
from sync.projection import Projection
from sync.protocol import CONTRACT_MAX, PAGE_BYTES_MAX, PAGE_ROWS_DEFAULT
from sync.sheet import EARLY_START, At, Part, Sheet

CHUNK_ROWS = 500  # read at once: a page ends by bytes long before its rows where documents are large
SHORT_GAP_MAX = 2_000  # entries behind: more may be a long delta
SCOPES_KEPT_MAX = 10_000
FILL_ORDER = {"all": 0, "user": 1, "book": 2, "territory": 3}
_json = msgspec.json.Encoder().encode


class Puller(Struct, frozen=True):
    """Who pulls, and what an older version of the contract is told."""

    user: str
    device: str
    contract: int = CONTRACT_MAX
    projection: Projection | None = None  # None: documents go out as the feed keeps them


class PageBytes(Struct, frozen=True):
    """A page as it goes onto the wire: `body`, and the further lines where it was asked for in lines. The rest tells of
    the whole page."""

    body: bytes = b""
    cursor: str = ""
    caught_up: bool = False
    seq: int = 0
    epoch: str = ""
    rows: int = 0
    more: tuple[bytes, ...] = ()


class Scopes:
    """Held buckets by (user, scope seq), kept between polls: a scope changes seldom and its seq is read each time."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], tuple[int, frozenset[str]]] = {}

    def held(self, connection: Connection, epoch: str, user: str, seq: int) -> frozenset[str]:
        kept = self._held.get((epoch, user))
        if kept is not None and kept[0] == seq:
            return kept[1]
        held = scope.held_now(connection, user)
        if len(self._held) >= SCOPES_KEPT_MAX:
            self._held.clear()
        self._held[epoch, user] = (seq, held)
        return held


def is_short(cursor: str | None, secret: bytes, seq: int) -> bool:
    """Whether a pull is a poll or a small delta, as far as the clock `seq` that this process last saw tells: short
    enough for the event loop on SQLite."""
    found = cursors.read(cursor, secret) if cursor else None
    return found is not None and not found.fills and seq - found.c <= SHORT_GAP_MAX


def page(
    connection: Connection,
    puller: Puller,
    text: str | None,
    now_ms: int,
    secret: bytes,
    scopes: Scopes,
    rows_max: int = PAGE_ROWS_DEFAULT,
    at_least: int = 0,
    bytes_max: int = PAGE_BYTES_MAX,
    refill: Sequence[str] = (),
    digest: bool = False,
    line_bytes: int | None = None,
    early: bool = False,
) -> PageBytes:
    """The next page after a cursor; `refill` begins these buckets anew, `digest` asks for the digests of S16, `early`
    for today's rows first where it starts over, `line_bytes` for lines of that many bytes of rows.

    Raises `Refused("replica_behind")` on a server that has not seen what the device has (S12, S35), and `scope.Due`
    where dated assignments must be made effective first (S11).
    """
    now = feed.standing(connection, puller.user, puller.device)
    if now.due_at is not None and now.due_at <= now_ms:
        raise scope.Due
    held = scopes.held(connection, now.epoch, puller.user, now.scope_seq)
    cursor, reset = _start(text, puller, now, secret)
    if reset == "epoch_changed":
        at_least = 0  # what a restored server is asked for may never come back
    if now.seq < max(cursor.c, cursor.g, at_least):
        raise Refused("replica_behind", seq=now.seq)
    fills, drops = dict(cursor.fills), list[str]()
    spans = scope.intervals(connection, puller.user) if now.scope_seq > cursor.c else ()
    granted = {bucket for bucket, since, until in spans if until is None and since > cursor.c}
    if reset is not None:
        fills = dict.fromkeys(sorted(held), FILL_START)  # sorted: the same question has the same answer, byte for byte
    elif now.scope_seq > cursor.g:
        held_then = _held_at(spans, cursor.g)
        drops = sorted(held_then - held)
        for bucket in drops:
            fills.pop(bucket, None)
        fills.update(dict.fromkeys(sorted(held - held_then), FILL_START))
    fills.update(dict.fromkeys(sorted(held.intersection(refill)), FILL_START))
    drops = sorted({*drops, *(set(refill) - held)})  # what is asked for and not held is to be forgotten
    at = At(cursor.c, fills, EARLY_START if early and reset is not None and fills else cursor.early)
    told = puller.projection.doc if puller.projection is not None else None
    sheet = Sheet(at, rows_max, bytes_max, line_bytes, _cursor_bytes(fills) if line_bytes else 0, told)
    met_by = dict.fromkeys(granted, puller.user)
    at.c, complete = _delta(connection, held, at.c, now.seq, sheet, met_by)
    if complete and _early(connection, puller.user, held, now_ms, sheet):
        _fill(connection, fills, sheet)
    caught_up = complete and not fills and at.early is None
    untold = puller.projection.unknown if puller.projection is not None else frozenset[str]()
    sums = digests.read(connection, held, untold) if digest and caught_up else None
    bodies = []
    parts = sheet.finished()
    for i, part in enumerate(parts):
        here = Cursor(
            puller.user, puller.device, puller.contract, now.epoch, part.at.c, now.seq, part.at.fills, part.at.early
        )
        is_first, is_last = i == 0, i == len(parts) - 1
        bodies.append(
            _encode(
                here,
                secret,
                caught_up and is_last,
                drops if is_first else [],
                part,
                reset if is_first else None,
                now.seq,
                sums if is_last else None,
            )
        )
    _, written = bodies[-1]
    more = tuple(each for each, _ in bodies[1:])
    return PageBytes(bodies[0][0], written, caught_up, now.seq, now.epoch, sheet.rows, more)


def _start(text: str | None, puller: Puller, now: feed.Standing, secret: bytes) -> tuple[Cursor, str | None]:
    """-> the cursor to go on from, and the reason of a reset where it cannot be honoured (S15)."""
    fresh = Cursor(puller.user, puller.device, puller.contract, now.epoch, now.seq, now.seq, {})
    if not text:
        return fresh, "no_cursor"
    cursor = cursors.read(text, secret)
    if cursor is None:
        return fresh, "cursor_invalid"
    reason = cursors.why_not(cursor, puller.user, puller.device, puller.contract, now.epoch)
    if reason is None and min(cursor.c, cursor.g) < now.horizon:
        reason = "purged"
    return (cursor, None) if reason is None else (fresh, reason)


def _held_at(spans: Iterable[Any], seq: int) -> frozenset[str]:
    return frozenset(bucket for bucket, since, until in spans if since <= seq and (until is None or until > seq))


def _cursor_bytes(fills: Mapping[str, Any]) -> int:
    """About how long a cursor is while these buckets are being filled: their names are most of it, and compress."""
    return sum(map(len, fills))


def _delta(
    connection: Connection,
    held: Iterable[str],
    c: int,
    seq: int,
    sheet: Sheet,
    met_by: Mapping[str, str],
) -> tuple[int, bool]:
    """-> (new c, whether nothing is left after it). Of a bucket in `met_by`, granted after `c`, nobody tells that user
    the key of a row that left it before (S13). What an older version is not told counts as read: no page is empty but
    the last."""
    if c >= seq:
        return c, True
    while True:
        wanted, got = min(sheet.left + 1, CHUNK_ROWS), 0
        for entry_seq, bucket, doc in feed.news(connection, held, c, wanted, met_by):
            if not sheet.add(bucket, doc):
                return c, False
            sheet.at.c = c = entry_seq
            got += 1
        if got < wanted:
            return seq, True


def _early(connection: Connection, user: str, held: frozenset[str], now_ms: int, sheet: Sheet) -> bool:
    """Today's rows, each in the first of its buckets that the user holds; -> whether the page goes on. The list is made
    anew for each page: what changed meanwhile is in the delta, so nothing depends on its being the same."""
    after = sheet.at.early
    if after is None:
        return True
    rows = {  # where each row is sent, in the order of the list
        (row.rank, row.entity, row.key): (buckets[0], row.entity, row.key)
        for row in today.needed(connection, user, now_ms)
        if (row.rank, row.entity, row.key) > after and (buckets := sorted(held.intersection(row.buckets), key=_order))
    }
    docs = today.documents(connection, list(rows.values()))
    for place, entry in rows.items():
        doc = docs.get(entry)
        if doc is None:
            continue
        if not sheet.add(entry[0], doc):
            return False
        sheet.at.early = place
    sheet.at.early, sheet.early = None, "complete"
    if not sheet.in_lines:
        return False  # a page that is not in lines ends here, so that it arrives
    sheet.cut()
    sheet.early = None
    return True


def _order(bucket: str) -> tuple[int, str]:
    return FILL_ORDER.get(bucket.partition(":")[0], 9), bucket


def _fill(connection: Connection, fills: dict[str, tuple[str, str]], sheet: Sheet) -> None:
    """Fill buckets one by one, by key; a bucket that is done leaves `fills`."""
    for bucket in sorted(fills, key=_order):
        while (chunk := min(CHUNK_ROWS, sheet.left)) > 0:
            rows = feed.fill(connection, bucket, fills[bucket], chunk)
            for entity, key, doc in rows:
                if not sheet.add(bucket, doc):
                    return
                fills[bucket] = (entity, key)
            if len(rows) < chunk:
                del fills[bucket]
                break
        else:
            return


def _encode(
    cursor: Cursor,
    secret: bytes,
    caught_up: bool,
    drops: list[str],
    part: Part,
    reset: str | None,
    seq: int,
    sums: Mapping[str, BucketDigest] | None,
) -> tuple[bytes, str]:
    """-> (a page as JSON, its cursor)."""
    written = cursors.write(cursor, secret)
    parts = [
        b'{"bucket":' + _json(bucket) + b',"items":[' + b",".join(docs) + b"]}" for bucket, docs in part.changes.items()
    ]
    head: dict[str, Any] = {
        "cursor": written,
        "caught_up": caught_up,
        "seq": seq,
        "rows": part.rows,
        "drops": drops,
    }
    if reset is not None:
        head["reset"] = reset
    if part.early is not None:
        head["early"] = part.early
    if sums is not None:
        head["digests"] = sums
    return _json(head)[:-1] + b',"changes":[' + b",".join(parts) + b"]}", written
