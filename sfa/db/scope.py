"""Who holds which bucket, as intervals stamped by the clock (S11).

`plan` compares what everybody should hold today with the intervals that are open and locks the users who differ;
`write` ends and begins intervals under numbers taken from the clock in the same transaction. Dated assignments take
effect through `make_due`, run by a claimed job and lazily before any push or pull (`clock.due_at` says when). A push
holds its user's scope shared while it works.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, bindparam, insert, select, update

from sfa.core.access import Membership, Organisation, next_change_after, scopes_on
from sfa.core.hierarchy import Edge
from sfa.core.periods import day_bounds_ms, local_day
from sfa.db import feed
from sfa.db.ageing import read_occupied, read_profiles
from sfa.db.prepared import Prepared
from sfa.db.tables import ROWS, clock, scope_intervals, scope_users

ORGANISATION_LOCK = "*"  # a row of scope_users that no user has: one scope change at a time


class Due(Exception):
    """A dated assignment's day has come: run `make_due` in a transaction of its own, then ask again."""


class Change(Struct, frozen=True):
    user_key: str
    bucket: str
    held: bool


class Plan(Struct, frozen=True):
    changes: tuple[Change, ...]
    new_users: tuple[str, ...]
    due_at: int | None

    @property
    def begins(self) -> int:
        """How many intervals begin."""
        return sum(change.held for change in self.changes)


def zone(connection: Connection) -> str:
    """The organisation's time zone, by its IANA name."""
    table = ROWS["organisations"]
    query = select(table.c.zone).where(~table.c.gone).order_by(table.c.key).limit(1)
    return str(connection.execute(query).scalar() or "UTC")


def today(connection: Connection, now_ms: int) -> str:
    """The local day of the organisation."""
    return local_day(now_ms, zone(connection))


def _live(connection: Connection, entity: str, *columns: str) -> Sequence[Any]:
    table = ROWS[entity]
    return connection.execute(select(*(table.c[c] for c in columns)).where(~table.c.gone)).all()


def read_organisation(connection: Connection) -> Organisation:
    """People, trees and memberships as they stand in this transaction."""
    users = _live(connection, "users", "key", "role", "active")
    edges = {
        kind: tuple(
            Edge(*row)
            for row in _live(connection, f"{kind}_edges", f"{kind}_key", "parent_key", "valid_from", "valid_to")
        )
        for kind in ("team", "territory")
    }
    teams = _live(connection, "team_members", "user_key", "team_key", "valid_from", "valid_to", "role")
    territories = _live(connection, "territory_members", "user_key", "territory_key", "valid_from", "valid_to")
    return Organisation(
        roles={key: role for key, role, active in users if active},
        people=frozenset(key for key, _, _ in users),
        teams=frozenset(row[0] for row in _live(connection, "teams", "key")),
        territories=frozenset(row[0] for row in _live(connection, "territories", "key")),
        team_edges=edges["team"],
        territory_edges=edges["territory"],
        team_members=tuple(Membership(u, t, start, end, role == "manager") for u, t, start, end, role in teams),
        territory_members=tuple(Membership(*row) for row in territories),
        past=read_profiles(connection).past(read_occupied(connection)),
    )


def plan(connection: Connection, now_ms: int) -> Plan:
    """What must change so that everybody holds what he should today; locks those users' scopes."""
    lock_organisation(connection)
    name = zone(connection)
    today = local_day(now_ms, name)
    organisation = read_organisation(connection)
    should = scopes_on(organisation, today)
    query = select(scope_intervals.c.user_key, scope_intervals.c.bucket)
    holds: dict[str, set[str]] = {}
    for user, bucket in connection.execute(query.where(scope_intervals.c.until_seq.is_(None))):
        holds.setdefault(user, set()).add(bucket)
    changes = [
        Change(user, bucket, held)
        for user in sorted(should.keys() | holds.keys())
        for held, buckets in (
            (False, holds.get(user, set()) - should.get(user, frozenset())),
            (True, should.get(user, frozenset()) - holds.get(user, set())),
        )
        for bucket in sorted(buckets)
    ]
    differ = sorted({change.user_key for change in changes})
    known = _lock_users(connection, differ)
    due_day = next_change_after(organisation, today)
    due_at = day_bounds_ms(due_day, name)[0] if due_day is not None else None
    return Plan(tuple(changes), tuple(u for u in differ if u not in known), due_at)


def lock_organisation(connection: Connection) -> None:
    """One change of people and trees at a time: what is read after this stands until the transaction ends."""
    query = select(scope_users.c.user_key).where(scope_users.c.user_key == ORGANISATION_LOCK)
    connection.execute(query.with_for_update())


def _lock_users(connection: Connection, users: list[str]) -> set[str]:
    query = select(scope_users.c.user_key).where(scope_users.c.user_key.in_(users))
    return set(connection.execute(query.order_by(scope_users.c.user_key).with_for_update()).scalars())


def write(connection: Connection, found: Plan, last: int, entries: int = 0) -> None:
    """Stamp the plan with numbers of which the transaction's last is `last`: what ends comes before the transaction's
    `entries` in the feed and what begins after them, so that no interval seems to meet what it never saw (S13)."""
    ends = [change for change in found.changes if not change.held]
    begins = [change for change in found.changes if change.held]
    ended = [
        {"user": change.user_key, "left": change.bucket, "seq": seq}
        for seq, change in enumerate(ends, last - len(found.changes) - entries + 1)
    ]
    begun = [
        {"user_key": change.user_key, "bucket": change.bucket, "since_seq": seq, "until_seq": None}
        for seq, change in enumerate(begins, last - len(begins) + 1)
    ]
    if ended:
        connection.execute(_END, ended)
    if begun:
        connection.execute(insert(scope_intervals), begun)
    if found.new_users:
        connection.execute(insert(scope_users), [{"user_key": u, "seq": last} for u in found.new_users])
    changed = sorted({change.user_key for change in found.changes})
    if changed:
        connection.execute(update(scope_users).where(scope_users.c.user_key.in_(changed)).values(seq=last))
    connection.execute(update(clock).where(clock.c.id == 1).values(due_at=found.due_at))


def make_due(connection: Connection, now_ms: int) -> bool:
    """Make dated assignments effective whose day has come; -> whether anything changed. Safe to run twice."""
    due_at = connection.execute(select(clock.c.due_at).where(clock.c.id == 1)).scalar()
    if due_at is None or due_at > now_ms:
        return False
    found = plan(connection, now_ms)
    last = feed.take(connection, len(found.changes))
    write(connection, found, last)
    return bool(found.changes)


def renew_epoch(connection: Connection, epoch: str) -> None:
    """This database goes on from another past than devices remember (S21): every cursor is reset, every device sends
    again from the number that is expected."""
    connection.execute(update(clock).where(clock.c.id == 1).values(epoch=epoch))


def held_now(connection: Connection, user_key: str, *, locked: bool = False) -> frozenset[str]:
    """The buckets that a user holds; `locked` keeps them from changing until the transaction ends."""
    if locked:
        _SHARE.rows(connection, user=user_key)
    return frozenset(row[0] for row in _HELD.rows(connection, user=user_key))


def intervals(connection: Connection, user_key: str) -> Sequence[Any]:
    """-> (bucket, since_seq, until_seq) of a user, ended ones too."""
    query = select(scope_intervals.c.bucket, scope_intervals.c.since_seq, scope_intervals.c.until_seq)
    return connection.execute(query.where(scope_intervals.c.user_key == user_key)).all()


_USER: Any = bindparam("user")
_SHARE = Prepared(select(scope_users.c.seq).where(scope_users.c.user_key == _USER).with_for_update(read=True))
_HELD = Prepared(
    select(scope_intervals.c.bucket).where(scope_intervals.c.user_key == _USER, scope_intervals.c.until_seq.is_(None))
)
_END = (
    update(scope_intervals)
    .where(
        scope_intervals.c.user_key == _USER,
        scope_intervals.c.bucket == bindparam("left"),
        scope_intervals.c.until_seq.is_(None),
    )
    .values(until_seq=bindparam("seq"))
)
