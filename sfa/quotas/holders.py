"""Whom a fact counts for on its own day: the teams of a person and those above, a territory and those above (R18).

Pure, over dated memberships and trees. Days become instants of the organisation's zone once (R32); between two changes
nothing is asked twice. Each holder is named once, however many ways lead to it, so that a fact counts once.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from sfa.core.days import ENDLESS, start_of_ms
from sfa.core.hierarchy import Edge


class Belongs(Struct, frozen=True):
    """A person, of a team on the days [valid_from, valid_to)."""

    user: str
    team: str
    valid_from: str
    valid_to: str | None = None


class _Span(Struct, frozen=True):
    start: int
    end: int
    above: str


class Holders:
    def __init__(
        self, members: Iterable[Belongs], team_edges: Iterable[Edge], territory_edges: Iterable[Edge], zone: str
    ) -> None:
        self._zone = zone
        self._starts: dict[str, int] = {}
        self._teams_of = self._indexed((m.user, m.team, m.valid_from, m.valid_to) for m in members)
        self._team_above = self._indexed((e.child, e.parent, e.valid_from, e.valid_to) for e in team_edges if e.parent)
        self._territory_above = self._indexed(
            (e.child, e.parent, e.valid_from, e.valid_to) for e in territory_edges if e.parent
        )
        self._people = self._changes(self._teams_of, self._team_above)
        self._places = self._changes(self._territory_above)
        self._teams: dict[tuple[str, int], tuple[str, ...]] = {}
        self._territories: dict[tuple[str, int], tuple[str, ...]] = {}

    def teams(self, user: str, at: int) -> tuple[str, ...]:
        """Every team that he is in at an instant, as member or manager, and every team above those."""
        place = user, bisect_right(self._people, at)
        found = self._teams.get(place)
        if found is None:
            own = [span.above for span in self._teams_of.get(user, ()) if span.start <= at < span.end]
            found = self._teams[place] = _with_above(own, self._team_above, at)
        return found

    def territories(self, territory: str | None, at: int) -> tuple[str, ...]:
        """The territory and every one above it at an instant."""
        if territory is None:
            return ()
        place = territory, bisect_right(self._places, at)
        found = self._territories.get(place)
        if found is None:
            found = self._territories[place] = _with_above([territory], self._territory_above, at)
        return found

    def path(self, user: str, team: str, at: int) -> list[str]:
        """From the person's own team up to this one, as the tree stood; empty where he was not below it."""
        for span in self._teams_of.get(user, ()):
            if span.start <= at < span.end:
                way = list(_with_above([span.above], self._team_above, at))
                if team in way:
                    return way[: way.index(team) + 1]
        return []

    def changes(self, kind: str, start: int, end: int) -> list[int]:
        """The instants within (start, end) at which somebody may come to count for another holder."""
        if kind == "user":
            return []
        instants = self._places if kind == "territory" else self._people
        return instants[bisect_right(instants, start) : bisect_right(instants, end - 1)]

    def people_of(self, teams: Iterable[str], start: int, end: int) -> set[str]:
        """Everybody who may have counted for one of these teams within [start, end): perhaps some more."""
        below = self._below(set(teams), self._team_above, start, end)
        return {
            user
            for user, spans in self._teams_of.items()
            if any(span.above in below and span.start < end and span.end > start for span in spans)
        }

    def territories_of(self, territories: Iterable[str], start: int, end: int) -> set[str]:
        """These and everything that may have lain below them within [start, end)."""
        return self._below(set(territories), self._territory_above, start, end)

    def _below(self, tops: set[str], above: Mapping[str, Sequence[_Span]], start: int, end: int) -> set[str]:
        children: dict[str, list[str]] = {}
        for child, spans in above.items():
            for span in spans:
                if span.start < end and span.end > start:
                    children.setdefault(span.above, []).append(child)
        found, waiting = set(tops), list(tops)
        while waiting:
            for child in children.get(waiting.pop(), ()):
                if child not in found:
                    found.add(child)
                    waiting.append(child)
        return found

    def _indexed(self, rows: Iterable[tuple[str, str, str, str | None]]) -> dict[str, list[_Span]]:
        found: dict[str, list[_Span]] = {}
        for child, above, valid_from, valid_to in sorted(rows, key=lambda row: (row[0], row[2], row[1])):
            end = ENDLESS if valid_to is None else self._start(valid_to)
            found.setdefault(child, []).append(_Span(self._start(valid_from), end, above))
        return found

    def _start(self, day: str) -> int:
        if day not in self._starts:
            self._starts[day] = start_of_ms(day, self._zone)
        return self._starts[day]

    def _changes(self, *indexes: Mapping[str, Sequence[_Span]]) -> list[int]:
        spans = [span for index in indexes for of in index.values() for span in of]
        return sorted({instant for span in spans for instant in (span.start, span.end)})


def _with_above(own: Iterable[str], above: Mapping[str, Sequence[_Span]], at: int) -> tuple[str, ...]:
    found = list(dict.fromkeys(own))
    for node in found:  # grows while it is walked
        for span in above.get(node, ()):
            if span.start <= at < span.end and span.above not in found:
                found.append(span.above)
    return tuple(found)
