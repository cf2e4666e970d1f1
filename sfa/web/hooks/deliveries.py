"""What is to be posted: kept by the transaction in which it happened, claimed in sets by a process, ended once.

An endpoint is worked for by one process at a time, which takes its oldest events first and beats while it posts; each
step asks whether the delivery is still its own, so what was taken over is not ended twice. A process that dies loses
nothing: another takes its deliveries after `STALE_MS`, and an event may then arrive twice under one `webhook-id`.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, Integer, and_, case, exists, func, or_, select, tuple_, update

from sfa.db.tables import webhook_deliveries, webhook_endpoints, webhook_events
from sfa.web.hooks import backoff
from sfa.web.hooks.endpoints import switch_off
from sfa.web.hooks.sending import Outcome

QUEUED, SENDING, DELIVERED, DEAD, DROPPED = "queued", "sending", "delivered", "dead", "dropped"
STATES = (QUEUED, SENDING, DELIVERED, DEAD, DROPPED)
STALE_MS = 60_000  # a process that has not beaten for so long is dead; it beats every five seconds
SET_MAX = 100  # of one endpoint in one claim
_W, _E, _D = webhook_endpoints.c, webhook_events.c, webhook_deliveries.c


class Claimed(Struct, frozen=True):
    """Deliveries of one endpoint, the oldest event first, that are `me`'s until they end or are given back."""

    endpoint: str
    me: str
    events: tuple[str, ...]


class Ready(Struct, frozen=True):
    """What is posted now: the endpoint as it stands, with its sealed secrets."""

    endpoint: str
    event: str
    me: str
    url: str
    secret: bytes
    before: bytes | None
    body: bytes
    attempts: int


def _is_due(of: Any, now_ms: int) -> Any:
    """Whether it may be claimed: it waits and its time has come, or its process is dead. Both states are named first,
    for the index: most of a table has ended."""
    stale = and_(of.state == SENDING, of.beat_at < now_ms - STALE_MS)
    due = and_(of.state == QUEUED, of.due_at <= now_ms)
    return and_(of.state.in_((QUEUED, SENDING)), or_(due, stale))


def _free_endpoints(now_ms: int, busy: Collection[str]) -> Any:
    """Those that are on, not paused, and worked for by nobody who is alive. Each question is one look at the index: it
    is asked after every commit."""
    beaten, due = _of_endpoint(SENDING), _of_endpoint(QUEUED)
    alive = exists().where(*beaten.of, beaten.c.beat_at >= now_ms - STALE_MS)
    stale, waits = exists().where(*beaten.of), exists().where(*due.of, due.c.due_at <= now_ms)
    is_open = and_(_W.active, func.coalesce(_W.paused_until, 0) <= now_ms, _W.endpoint_key.not_in(busy))
    return and_(is_open, ~alive, or_(waits, stale))


class _OfEndpoint(NamedTuple):
    c: Any
    of: tuple[Any, ...]


def _of_endpoint(state: str) -> _OfEndpoint:
    """Deliveries in a state, of the endpoint that a query looks at."""
    c = webhook_deliveries.alias().c
    return _OfEndpoint(c, (c.endpoint_key == _W.endpoint_key, c.state == state))


def any_due(connection: Connection, now_ms: int, busy: Collection[str]) -> bool:
    query = select(_W.endpoint_key).where(_free_endpoints(now_ms, busy)).limit(1)
    return connection.execute(query).first() is not None


def next_due(connection: Connection, now_ms: int, busy: Collection[str]) -> int | None:
    """When something may be claimed that may not be now."""
    later, lost, held = _of_endpoint(QUEUED), _of_endpoint(SENDING), _of_endpoint(QUEUED)
    columns = (
        _least(later.c.due_at, *later.of, later.c.due_at > now_ms),
        _least(lost.c.beat_at, *lost.of) + STALE_MS + 1,
        case((exists().where(*held.of) & (_W.paused_until > now_ms), _W.paused_until)),
    )
    times = connection.execute(select(*columns).where(_W.active, _W.endpoint_key.not_in(busy)))
    return min((when for row in times for when in row if when is not None), default=None)


def _least(column: Any, *where: Any) -> Any:
    return select(func.min(column)).where(*where).scalar_subquery()


def claim(connection: Connection, now_ms: int, me: str, busy: Collection[str] = ()) -> list[Claimed]:
    """Some of the oldest of every endpoint that is free. Endpoints are locked first and looked at again then: who was
    faster has made them busy."""
    query = select(_W.endpoint_key).where(_free_endpoints(now_ms, busy)).order_by(_W.endpoint_key)
    locked = list(connection.execute(query.with_for_update(skip_locked=True, of=webhook_endpoints)).scalars())
    if not locked:
        return []
    rank = func.row_number().over(partition_by=_D.endpoint_key, order_by=(_E.at, _E.event_key))
    due = (
        select(_D.endpoint_key, _D.event_key, rank.cast(Integer).label("n"))
        .join(webhook_events, _E.event_key == _D.event_key)
        .join(webhook_endpoints, _W.endpoint_key == _D.endpoint_key)
        .where(_D.endpoint_key.in_(locked), _is_due(_D, now_ms), _free_endpoints(now_ms, busy))
        .subquery()
    )
    picked = select(due).where(due.c.n <= SET_MAX).order_by(due.c.endpoint_key, due.c.n)
    rows = connection.execute(picked).all()
    if not rows:
        return []
    mine = tuple_(_D.endpoint_key, _D.event_key).in_([(row.endpoint_key, row.event_key) for row in rows])
    said = {"state": SENDING, "claimed_by": me, "beat_at": now_ms}
    connection.execute(update(webhook_deliveries).where(mine).values(**said))
    events: dict[str, list[str]] = {}
    for row in rows:
        events.setdefault(row.endpoint_key, []).append(row.event_key)
    return [Claimed(endpoint, me, tuple(of)) for endpoint, of in events.items()]


def beat(connection: Connection, now_ms: int, claims: Sequence[Claimed]) -> None:
    """For all that a process has, in one statement."""
    pairs = sorted({(claim.endpoint, claim.me) for claim in claims})
    mine = (tuple_(_D.endpoint_key, _D.claimed_by).in_(pairs), _D.state == SENDING)
    connection.execute(update(webhook_deliveries).where(*mine).values(beat_at=now_ms))


def ready(connection: Connection, claimed: Claimed, event: str) -> Ready | None:
    """Of a delivery that is still that of who claimed it."""
    query = (
        select(_W.url, _W.secret, _W.before, _E.body, _D.attempts)
        .join(webhook_endpoints, _W.endpoint_key == _D.endpoint_key)
        .join(webhook_events, _E.event_key == _D.event_key)
        .where(*_mine(claimed.endpoint, event, claimed.me), _W.active)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    return Ready(claimed.endpoint, event, claimed.me, row.url, row.secret, row.before, row.body, row.attempts)


def delivered(connection: Connection, now_ms: int, sent: Ready, outcome: Outcome) -> bool:
    """-> whether it was still that of who claimed it; the endpoint works in any case."""
    failing = (_W.endpoint_key == sent.endpoint, _W.failing_since.is_not(None))
    connection.execute(update(webhook_endpoints).where(*failing, _W.active).values(failing_since=None, problem=None))
    said = {"state": DELIVERED, "status": outcome.status, "problem": None, "ended_at": now_ms}
    return _end(connection, now_ms, sent, said)


def failed(connection: Connection, now_ms: int, sent: Ready, outcome: Outcome, drawn: float) -> bool:
    """Leave it to be tried again, or for dead; an endpoint that wants no more, or has failed for days, is switched off.
    -> whether the endpoint may be posted to at once again."""
    query = select(_W.failing_since, _W.active).where(_W.endpoint_key == sent.endpoint).with_for_update()
    endpoint = connection.execute(query).first()
    pause = backoff.pause_ms(sent.attempts + 1, drawn, outcome.wait_s)
    said: dict[str, Any] = {"status": outcome.status, "problem": outcome.problem}
    if pause is None:
        said |= {"state": DEAD, "ended_at": now_ms}
    else:
        said |= {"state": QUEUED, "due_at": now_ms + pause}
    if endpoint is None or not _end(connection, now_ms, sent, said) or not endpoint.active:
        return False
    since = endpoint.failing_since if endpoint.failing_since is not None else now_ms
    if backoff.verdict(outcome.status) == backoff.GONE:
        switch_off(connection, now_ms, sent.endpoint, "it answered 410: it wants no more")
        return False
    if backoff.is_over(since, now_ms):
        switch_off(connection, now_ms, sent.endpoint, f"everything failed for five days, at last: {outcome.problem}")
        return False
    rest = backoff.rest_ms(pause, outcome.status, outcome.wait_s)
    told = {"failing_since": since, "problem": outcome.problem, "paused_until": now_ms + rest if rest else None}
    connection.execute(update(webhook_endpoints).where(_W.endpoint_key == sent.endpoint).values(**told))
    return not rest


def unreadable(connection: Connection, now_ms: int, sent: Ready) -> None:
    """Nothing can be signed: the server's secret is another one than when the endpoint was made."""
    connection.execute(select(_W.endpoint_key).where(_W.endpoint_key == sent.endpoint).with_for_update())
    switch_off(connection, now_ms, sent.endpoint, "its secret cannot be read any more: rotate it and switch it on")


def give_back(connection: Connection, claimed: Claimed) -> None:
    """All that is left of a claim, as if nobody had taken it."""
    mine = (_D.endpoint_key == claimed.endpoint, _D.claimed_by == claimed.me, _D.state == SENDING)
    said = {"state": QUEUED, "claimed_by": None, "beat_at": None}
    connection.execute(update(webhook_deliveries).where(*mine).values(**said))


def _end(connection: Connection, now_ms: int, sent: Ready, said: dict[str, Any]) -> bool:
    mine = update(webhook_deliveries).where(*_mine(sent.endpoint, sent.event, sent.me))
    both = {"attempts": sent.attempts + 1, "last_at": now_ms, "claimed_by": None, "beat_at": None}
    return connection.execute(mine.values(**both, **said)).rowcount == 1


def _mine(endpoint: str, event: str, me: str) -> tuple[Any, ...]:
    return _D.endpoint_key == endpoint, _D.event_key == event, _D.claimed_by == me, _D.state == SENDING
