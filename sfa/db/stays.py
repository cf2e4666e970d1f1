"""Where a row lay, and who might change it, at every number of the clock: read off history (S37).

History knows of each revision which fields changed and at which number; what decides a row's buckets (its territory,
owner, splits, parent) is played again from there, and its parents' past with it. Of an account's team and of
`unassigned` the feed's own entry tells from when until when the row was known there. Reading it costs one row's history
and its parents', so it is asked only about what was refused. Revisions of before the numbering (`seq` is null) count as
having always been there.
"""

from typing import Any

from sqlalchemy import Connection, select

from sfa.core.access import OWNED
from sfa.core.handover import NOW, Held, Revision, Span, Spell
from sfa.core.shapes import PARENTS
from sfa.db import scope
from sfa.db.tables import feed, history


class Past:
    """What one author saw, and when. Answers are kept: the past does not change within a transaction."""

    def __init__(self, connection: Connection, author: str) -> None:
        self._connection, self._author = connection, author
        self._entries: dict[tuple[str, str], list[Any]] = {}
        self._spells: dict[tuple[str, str], list[Spell]] = {}
        self._intervals: list[Held] | None = None

    @property
    def intervals(self) -> list[Held]:
        """Every interval of the author's scope that was not purged."""
        if self._intervals is None:
            found = scope.intervals(self._connection, self._author)
            self._intervals = [Held(bucket, Span(since, until)) for bucket, since, until in found]
        return self._intervals

    def held(self, bucket: str) -> bool:
        """Whether the author holds a bucket or ever held it."""
        return any(interval.bucket == bucket for interval in self.intervals)

    def revisions(self, entity: str, key: str) -> list[Revision]:
        return [(rev, seq) for rev, seq, _ in self._history(entity, key)]

    def role_at(self, number: int) -> str:
        """The author's role when the clock stood there."""
        role = "rep"
        for _, seq, changes in self._history("users", self._author):
            if (seq or 0) > number:
                break
            role = changes["role"][1] if "role" in changes else role
        return role

    def spells(self, entity: str, key: str) -> list[Spell]:
        if (entity, key) not in self._spells:
            self._spells[entity, key] = self._read_spells(entity, key)
        return self._spells[entity, key]

    # -- playing history again ------------------------------------------------------------------------------------

    def _history(self, entity: str, key: str) -> list[Any]:
        if (entity, key) not in self._entries:
            table = history
            query = select(table.c.rev, table.c.seq, table.c.changes).where(table.c.entity == entity)
            found = self._connection.execute(query.where(table.c.key == key).order_by(table.c.rev))
            self._entries[entity, key] = [tuple(row) for row in found]
        return self._entries[entity, key]

    def _versions(self, entity: str, key: str) -> list[tuple[Span, dict[str, Any]]]:
        """The row as it was, for as long as what decides its place was the same."""
        fields = {f for f in (OWNED.get(entity), PARENTS.get(entity, ("", ""))[1]) if f}
        fields |= {"territory_key"} if entity == "accounts" else {"splits"} if entity == "deals" else set()
        row: dict[str, Any] = {}
        starts: dict[int, dict[str, Any]] = {}  # of several in one transaction the last one stood
        for _, seq, changes in self._history(entity, key):
            said = {field: changes[field][1] for field in fields & changes.keys()}
            if said or not starts:
                row = {**row, **said}
                starts[seq or 0] = row
        numbers = [*sorted(starts), NOW + 1]
        ends = [None if end > NOW else end for end in numbers[1:]]
        return [(Span(start, end), starts[start]) for start, end in zip(numbers, ends, strict=False)]

    def _read_spells(self, entity: str, key: str) -> list[Spell]:
        versions = self._versions(entity, key)
        if entity == "accounts":
            lay = [(span, row.get("territory_key")) for span, row in versions]
            found = [Spell(span, frozenset({f"territory:{territory}"})) for span, territory in lay if territory]
            return found + self._told_of(entity, key)
        found = []
        for span, row in versions:
            owner = row.get(OWNED.get(entity, ""))
            changers = {f"book:{owner}"} if owner else set()
            changers |= {f"user:{split['user_key']}" for split in row.get("splits") or ()}
            if entity in ("deals", "tasks"):
                found.append(Spell(span, frozenset(changers), frozenset(changers)))
            found += self._below(entity, span, row, frozenset(changers))
        return found

    def _below(self, entity: str, span: Span, row: dict[str, Any], changers: frozenset[str]) -> list[Spell]:
        """What the row has from its parent: of a deal's account only the territory."""
        parent, field = PARENTS.get(entity, ("", ""))
        key = row.get(field)
        found = []
        for spell in self.spells(parent, key) if parent and key else ():
            both = spell.span.meet(span)
            buckets = spell.buckets
            if entity == "deals":
                buckets = frozenset(b for b in buckets if b.startswith("territory:"))
            if both is not None and buckets:
                found.append(Spell(both, buckets, changers or spell.changers))
        return found

    def _told_of(self, entity: str, key: str) -> list[Spell]:
        """From when until when the feed knew the row in the author's own bucket, and as nobody's."""
        mine = (f"user:{self._author}", "unassigned")
        query = select(feed.c.bucket, feed.c.first, feed.c.seq, feed.c.gone).where(feed.c.bucket.in_(mine))
        found = self._connection.execute(query.where(feed.c.entity == entity, feed.c.key == key))
        return [Spell(Span(first, seq if gone else None), frozenset({bucket})) for bucket, first, seq, gone in found]
