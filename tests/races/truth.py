"""What the server's tables must say of themselves, worked out anew: where each row lies, what the feed holds, who sees.

Nothing derived is believed: places come from `buckets_of` over the rows, scopes from `scopes_on` over the organisation.
Each function answers a list of findings, one line each; no finding means that the tables agree.
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from sfa.core.access import Parent, buckets_of, scopes_on
from sfa.core.periods import local_day
from sfa.core.shapes import ABOUT_PAIRS, ABOUT_ROWS, PARENTS, SHAPES
from sfa.db import digests, scope
from sfa.db.tables import ROWS, bucket_heads, clock, feed, history, scope_intervals

Place = tuple[str, str]


class Truth:
    """Every row of the database in one snapshot, placed from scratch."""

    def __init__(self, connection: Connection, now_ms: int) -> None:
        self.rows: dict[Place, dict[str, Any]] = {
            (entity, row["key"]): dict(row)
            for entity, table in ROWS.items()
            for row in connection.execute(select(table)).mappings()
        }
        self._teams: dict[str, list[str]] = {}
        for (entity, _), row in self.rows.items():
            if entity == "account_members" and not row["gone"]:
                self._teams.setdefault(row["account_key"], []).append(row["user_key"])
        zone = next(row["zone"] for (entity, _), row in self.rows.items() if entity == "organisations")
        self.scopes = scopes_on(scope.read_organisation(connection), local_day(now_ms, zone))
        self._buckets: dict[Place, tuple[str, ...]] = {}
        self._fields: dict[Place, dict[str, Any]] = {}

    def buckets(self, place: Place) -> tuple[str, ...]:
        """Asked for the same customer by each row that lies with it, and for each user."""
        if place not in self._buckets:
            self._buckets[place] = self._lies(place)
        return self._buckets[place]

    def _lies(self, place: Place) -> tuple[str, ...]:
        entity, key = place
        row = self.rows[place]
        above = self._above(place)
        parent = None
        if above is not None:
            territory = self.rows[above].get("territory_key") if above[0] == "accounts" else None
            parent = Parent(self.buckets(above), f"territory:{territory}" if territory else None)
        if entity in ABOUT_PAIRS and row["other_key"]:  # of a pair, and only where both lie
            other = set(self.buckets((row["entity"], row["other_key"])))
            return tuple(bucket for bucket in self.buckets((row["entity"], row["row_key"])) if bucket in other)
        return buckets_of(entity, row, parent, self._teams.get(key, ()) if entity == "accounts" else ())

    def _above(self, place: Place) -> Place | None:
        row = self.rows[place]
        if place[0] in ABOUT_ROWS:
            place = (row["entity"], row["row_key"])
            return place if place in self.rows else None  # a hand-over of what is new is about none yet
        parent = PARENTS.get(place[0])
        return (parent[0], row[parent[1]]) if parent is not None and row[parent[1]] is not None else None

    def live(self) -> Iterator[tuple[str, str, str]]:
        """(bucket, entity, key) of every row that devices must get."""
        for place, row in self.rows.items():
            if not row["gone"] and not row["aged"]:
                for bucket in self.buckets(place):
                    yield bucket, *place

    def fields(self, place: Place) -> dict[str, Any]:
        """A row as the wire says it."""
        if place not in self._fields:
            values = {name: self.rows[place][name] for name in SHAPES[place[0]].types}
            self._fields[place] = msgspec.json.decode(msgspec.json.encode(values))
        return self._fields[place]

    @cached_property
    def _lying(self) -> dict[str, list[Place]]:
        """bucket -> what of `live` lies there."""
        found: dict[str, list[Place]] = {}
        for bucket, *place in self.live():
            found.setdefault(bucket, []).append((place[0], place[1]))
        return found

    def visible(self, user: str) -> dict[Place, dict[str, Any]]:
        """What a user's devices must hold, exactly."""
        held = self.scopes.get(user, frozenset())
        return {place: self.fields(place) for bucket in held for place in self._lying.get(bucket, ())}


def misplaced(truth: Truth) -> list[str]:
    """Rows whose stored buckets are not where they lie."""
    return [
        f"{entity} {key} is stored in {row['buckets']} and lies in {list(truth.buckets((entity, key)))}"
        for (entity, key), row in truth.rows.items()
        if tuple(row["buckets"]) != truth.buckets((entity, key))
    ]


def feed_errors(connection: Connection, truth: Truth) -> list[str]:
    """Live entries that are missing, too many or old; numbers used twice; heads and clock behind the entries."""
    found: list[str] = []
    entries = connection.execute(select(feed)).mappings().all()
    live = {(e["bucket"], e["entity"], e["key"]): e for e in entries if not e["gone"]}
    wanted = set(truth.live())
    found += [f"no live entry {place}" for place in sorted(wanted - live.keys())]
    found += [f"a live entry too many {place}" for place in sorted(live.keys() - wanted)]
    for place in sorted(wanted & live.keys()):
        doc = msgspec.json.decode(live[place]["doc"])
        row = truth.rows[place[1], place[2]]
        if (live[place]["rev"], doc["rev"], doc["row"]) != (row["rev"], row["rev"], truth.fields((place[1], place[2]))):
            found.append(f"an old doc at {place}: revision {doc['rev']} of {row['rev']}")
    numbers = [e["seq"] for e in entries]
    found += [] if len(numbers) == len(set(numbers)) else ["two entries have one number"]
    heads: dict[str, int] = {}
    for entry in entries:
        heads[entry["bucket"]] = max(heads.get(entry["bucket"], 0), entry["seq"])
    stored = {row.bucket: row.seq for row in connection.execute(select(bucket_heads))}
    found += [f"head of {b} is {stored.get(b)}, not {s}" for b, s in heads.items() if stored.get(b) != s]
    found += [f"wrong sums of {bucket}" for bucket in digests.wrong(connection)]
    seq = connection.execute(select(clock.c.seq)).scalar_one()
    return found if not numbers or seq >= max(numbers) else [*found, f"the clock {seq} is behind {max(numbers)}"]


def interval_errors(connection: Connection, truth: Truth) -> list[str]:
    """Intervals of one user and bucket that overlap, and users whose open intervals are not their scope."""
    found: list[str] = []
    spans: dict[tuple[str, str], list[tuple[int, int | None]]] = {}
    for row in connection.execute(select(scope_intervals)).mappings():
        spans.setdefault((row["user_key"], row["bucket"]), []).append((row["since_seq"], row["until_seq"]))
    for held, intervals in spans.items():
        intervals.sort()
        for (_, until), (since, _) in pairwise(intervals):
            if until is None or until > since:
                found.append(f"{held} overlaps at {since}: {intervals}")
    users = {user for user, _ in spans} | truth.scopes.keys()
    for user in sorted(users):
        opened = {bucket for (u, bucket), intervals in spans.items() if u == user and intervals[-1][1] is None}
        wanted = truth.scopes.get(user, frozenset())
        if opened != wanted:
            found.append(f"{user} holds {sorted(opened - wanted)} too many and {sorted(wanted - opened)} too few")
    return found


def twice(connection: Connection) -> list[str]:
    """Mutations that changed their own row more than once."""
    query = select(history.c.device_key, history.c.n, history.c.entity, history.c.key).where(history.c.n.is_not(None))
    seen: set[tuple[Any, ...]] = set()
    found: list[str] = []
    for row in connection.execute(query):
        if tuple(row) in seen:
            found.append(f"{tuple(row)} landed twice")
        seen.add(tuple(row))
    return found


def findings(connection: Connection, now_ms: int) -> list[str]:
    """All of the above."""
    truth = Truth(connection, now_ms)
    return [
        *misplaced(truth),
        *feed_errors(connection, truth),
        *interval_errors(connection, truth),
        *twice(connection),
    ]


def visible(connection: Connection, now_ms: int, user: str) -> dict[Place, dict[str, Any]]:
    return Truth(connection, now_ms).visible(user)
