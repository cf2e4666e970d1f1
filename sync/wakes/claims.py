"""Who is to be woken, claimed so that one process does it (S33).

A registration is told *up to a number*: `wakes.seq`. It is concerned when a bucket that its user holds has an entry
above that number which it did not write itself (the history says which registration wrote a revision), or when the
user's scope changed above it. `claim` finds those, in a bounded batch and a handful of statements however many there
are, and keeps them from everybody else until `next_at`. `settle` notes what became of them. A process that dies between
the two leaves its claims to run out: `seq` is where it was, and whoever looks next sends.

A device that is known to have more (it completed a page, S33) is told up to there; one with an open stream is left
alone.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, and_, bindparam, case, delete, exists, func, or_, select, update

from sfa.core.registrations import ACTIVE
from sfa.db import feed as feeds
from sfa.db import news
from sfa.db.tables import bucket_heads, devices, feed, history, refresh_tokens, scope_intervals, scope_users, wakes
from sync.protocol import WAKE_BATCH, WAKE_CLAIM_MS, WAKE_EVERY_MS, WAKE_LIVE_MS, WAKE_RETRY_MAX_MS, WAKE_RETRY_MS
from sync.wakes.services import GONE, SENT, Outcome

SWEEP = -1  # a look that forgets what it saw before: everybody is asked


class Seen(Struct, frozen=True):
    """How far this process has looked: every number up to `seq`, and every pause that ended by `at`."""

    seq: int = SWEEP
    at: int = SWEEP


class Claim(Struct, frozen=True):
    """One wake to be sent: it tells everything up to `seq`."""

    device: str
    address: str
    seq: int
    failures: int


class Claimed(Struct, frozen=True):
    """`more`: the batch was full, look again from the same place. `next_at`: when a pause ends that is known now."""

    claims: list[Claim]
    seen: Seen
    more: bool
    next_at: int | None


def claim(connection: Connection, service: str, before: Seen, now_ms: int, known: Mapping[str, int]) -> Claimed:
    """`known` is what this process knows of devices: key -> the number that their last completed page reached."""
    seq = feeds.face(connection).seq
    near = _near(connection, service, before, seq, now_ms).with_for_update(of=wakes)
    rows = connection.execute(near).all()
    keys = [row.device_key for row in rows]
    reached = ((row.device_key, known.get(row.device_key, 0)) for row in rows)
    note_reached(connection, [(device, up_to) for device, up_to in reached if up_to])
    wanted = set(connection.execute(_concerned(keys)).scalars()) if keys else set()
    if wanted:
        taken = update(wakes).where(wakes.c.device_key.in_(wanted))
        connection.execute(taken.values(next_at=now_ms + WAKE_CLAIM_MS))
    if unmoved := [key for key in keys if key not in wanted]:
        connection.execute(update(wakes).where(wakes.c.device_key.in_(unmoved)).values(seq=seq))
    claims = [Claim(row.device_key, row.address, seq, row.failures) for row in rows if row.device_key in wanted]
    more = len(rows) >= WAKE_BATCH
    return Claimed(claims, before if more else Seen(seq, now_ms), more, _next_at(connection, service, seq, now_ms))


class Looked(Struct, frozen=True):
    """Whether there may be somebody to claim for; if not, how far was looked and when the next pause ends."""

    anybody: bool
    seen: Seen
    next_at: int | None


def look(connection: Connection, service: str, before: Seen, now_ms: int) -> Looked:
    """The question alone, which most alarms end with: a claim is a write."""
    seq = feeds.face(connection).seq
    near = _near(connection, service, before, seq, now_ms).limit(1)
    anybody = connection.execute(near).first() is not None
    return Looked(anybody, Seen(seq, now_ms), _next_at(connection, service, seq, now_ms))


def _near(connection: Connection, service: str, before: Seen, seq: int, now_ms: int) -> Select[Any]:
    """Subscriptions whose pause is over and that may be concerned by what happened since this process looked last, or
    whose pause has ended since; in the order of keys, so that two processes that lock them take turns."""
    query = (
        select(wakes.c.device_key, wakes.c.address, wakes.c.seq, wakes.c.failures)
        .join(devices, devices.c.key == wakes.c.device_key)
        .where(wakes.c.service == service, wakes.c.seq < seq, *_may_be_sent(now_ms))
        .order_by(wakes.c.device_key)
        .limit(WAKE_BATCH)
    )
    if before.seq == SWEEP:
        return query
    ended = or_(wakes.c.next_at >= before.at, wakes.c.live_until >= before.at)
    happened = news.since(connection, before.seq)
    return query.where(or_(ended, _holds(happened.buckets), devices.c.user_key.in_(happened.users)))


def _may_be_sent(now_ms: int) -> tuple[Any, ...]:
    """No pause, no stream, and a registration that is neither ended nor logged out."""
    token = refresh_tokens.c
    logged_in = exists().where(token.device_key == devices.c.key, token.revoked_at.is_(None), token.expires_at > now_ms)
    return wakes.c.next_at <= now_ms, wakes.c.live_until <= now_ms, devices.c.state == ACTIVE, logged_in


def _open() -> Any:
    """A bucket that the registration's user holds."""
    return and_(scope_intervals.c.user_key == devices.c.user_key, scope_intervals.c.until_seq.is_(None))


def _holds(buckets: Collection[str]) -> Any:
    return exists().where(_open(), scope_intervals.c.bucket.in_(buckets))


def _moved() -> Any:
    """The user's scope itself changed: there is something to fetch or to drop."""
    return exists().where(scope_users.c.user_key == devices.c.user_key, scope_users.c.seq > wakes.c.seq)


def _own() -> Any:
    """The entry's revision was written by this registration."""
    wrote = exists().where(
        history.c.entity == feed.c.entity,
        history.c.key == feed.c.key,
        history.c.rev == feed.c.rev,
        history.c.device_key == wakes.c.device_key,
    )
    return wrote.correlate(feed, wakes)


def _concerned(keys: Collection[str]) -> Select[Any]:
    bucket = scope_intervals.c.bucket
    told = (
        select(1)
        .select_from(scope_intervals)
        .join(bucket_heads, and_(bucket_heads.c.bucket == bucket, bucket_heads.c.seq > wakes.c.seq))
        .join(feed, and_(feed.c.bucket == bucket, feed.c.seq > wakes.c.seq))
        .where(_open(), ~_own())
        .correlate(wakes, devices)
        .exists()
    )
    query = select(wakes.c.device_key).join(devices, devices.c.key == wakes.c.device_key)
    return query.where(wakes.c.device_key.in_(keys), or_(_moved(), told))


def _next_at(connection: Connection, service: str, seq: int, now_ms: int) -> int | None:
    lags = (wakes.c.service == service, wakes.c.seq < seq)
    ends = [
        select(func.min(column)).where(*lags, column > now_ms).scalar_subquery()
        for column in (wakes.c.next_at, wakes.c.live_until)
    ]
    return min(filter(None, connection.execute(select(*ends)).one()), default=None)


# -- what became of them ----------------------------------------------------------------------------------------------

_BY_DEVICE = update(wakes).where(wakes.c.device_key == bindparam("device"))
_ADVANCE = _BY_DEVICE.where(wakes.c.seq < bindparam("reached")).values(seq=bindparam("reached"))
_SENT = _BY_DEVICE.values(
    seq=case((wakes.c.seq < bindparam("reached"), bindparam("reached")), else_=wakes.c.seq),
    next_at=bindparam("pause_until"),
    failures=0,
)
_LATER = _BY_DEVICE.where(wakes.c.address == bindparam("tried")).values(
    next_at=bindparam("pause_until"), failures=bindparam("count")
)
_GONE = delete(wakes).where(wakes.c.device_key == bindparam("device"), wakes.c.address == bindparam("tried"))


def settle(connection: Connection, sent: Iterable[tuple[Claim, Outcome]], now_ms: int) -> None:
    """Note outcomes. An address that the device replaced meanwhile is not what failed."""
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for claimed, outcome in sorted(sent, key=lambda pair: pair[0].device):
        row: dict[str, Any] = {"device": claimed.device}
        if outcome.kind == SENT:
            row |= {"reached": claimed.seq, "pause_until": now_ms + WAKE_EVERY_MS}
        elif outcome.kind == GONE:
            row |= {"tried": claimed.address}
        else:
            pause = max(retry_ms(claimed.failures), int(outcome.after_s * 1000))
            row |= {"tried": claimed.address, "pause_until": now_ms + pause, "count": claimed.failures + 1}
        by_kind.setdefault(outcome.kind if outcome.kind in (SENT, GONE) else "later", []).append(row)
    for kind, statement in ((SENT, _SENT), (GONE, _GONE), ("later", _LATER)):
        if kind in by_kind:
            connection.execute(statement, by_kind[kind])


def retry_ms(failures: int) -> int:
    """The pause after one more failure."""
    return min(WAKE_RETRY_MAX_MS, WAKE_RETRY_MS << min(failures, 20))


def note_reached(connection: Connection, reached: Iterable[tuple[str, int]]) -> None:
    """Devices have everything up to these numbers, as their last completed pages said."""
    rows = [{"device": device, "reached": seq} for device, seq in sorted(reached)]
    if rows:
        connection.execute(_ADVANCE, rows)


# -- who has a stream -------------------------------------------------------------------------------------------------


def note_streams(connection: Connection, here: Collection[str], left: Collection[str], now_ms: int) -> None:
    """These have a stream in this process, those had one. Set-based, in the order of keys."""
    for keys, until in ((here, now_ms + WAKE_LIVE_MS), (left, now_ms)):
        locked = select(wakes.c.device_key).where(wakes.c.device_key.in_(keys)).order_by(wakes.c.device_key)
        found = list(connection.execute(locked.with_for_update()).scalars()) if keys else []
        if found:
            connection.execute(update(wakes).where(wakes.c.device_key.in_(found)).values(live_until=until))
