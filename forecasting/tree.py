"""Where everybody stands on a day: one tree of teams and people, in which each person is once (R18, R19).

A person is in the team that he is a member of, else in the first (by key) of those that he manages, else directly below
the company. Who is in no team any more stays where he was on his last day, so that what he earned is not lost. Teams
lie under teams as the dated edges say. Pure; days are texts. A circle of edges, which no write lets in, is refused
with `hierarchy_cycle` and not walked for ever.
Does not do: what anybody may see, money.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from msgspec import Struct

from forecasting.answers import Place
from sfa.core.errors import Refused
from sfa.core.hierarchy import Edge


class Stay(Struct, frozen=True, gc=False):
    """A person in a team on the days [valid_from, valid_to), as member or manager."""

    user_key: str
    team_key: str
    manages: bool
    valid_from: str
    valid_to: str | None = None

    def holds_on(self, day: str) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


class Tree:
    """`stays` and edges of all days; what is asked twice between two changes is looked up once."""

    def __init__(self, stays: Iterable[Stay], teams: Iterable[Edge] = (), territories: Iterable[Edge] = ()) -> None:
        self._stays: dict[str, list[Stay]] = {}
        self._managing: dict[str, list[Stay]] = {}
        for stay in sorted(stays, key=lambda s: (s.user_key, s.valid_from, s.team_key, s.manages)):
            self._stays.setdefault(stay.user_key, []).append(stay)
            if stay.manages:
                self._managing.setdefault(stay.team_key, []).append(stay)
        self._teams, self._territories = _Paths("team", teams), _Paths("territory", territories)
        days = {day for of in self._stays.values() for s in of for day in (s.valid_from, s.valid_to) if day is not None}
        self._changes = sorted(days | self._teams.days)
        self._places: dict[tuple[str, int], Place] = {}

    @property
    def people(self) -> Iterable[str]:
        """Everybody who is, was or will be in a team."""
        return self._stays.keys()

    @property
    def changes(self) -> Iterable[str]:
        """The days on which somebody moves, or a team does."""
        return self._changes

    def place(self, user_key: str, day: str) -> Place:
        """Where a person stands on a day; whom no team knows stands directly below the company."""
        asked = user_key, bisect_right(self._changes, day)
        found = self._places.get(asked)
        if found is None:
            found = self._places[asked] = self._found(user_key, day)
        return found

    def _found(self, user_key: str, day: str) -> Place:
        stays = self._stays.get(user_key, ())
        now = [stay for stay in stays if stay.holds_on(day)]
        if not now:
            ended = [stay for stay in stays if stay.valid_to is not None and stay.valid_to <= day]
            last = max((stay.valid_to or "" for stay in ended), default=None)
            now = [stay for stay in ended if stay.valid_to == last]
            return Place(self.team_path(_of(now), day)) if now else Place()
        team = _of(now)
        return Place(self.team_path(team, day), any(stay.manages for stay in now if stay.team_key == team))

    def team_path(self, team_key: str, day: str) -> tuple[str, ...]:
        """The team's node after those of the teams above it, from the top."""
        return self._teams.path(team_key, day)

    def territory_path(self, territory_key: str | None, day: str) -> tuple[str, ...]:
        """The territory's node after those above it; of none, the node of what has none."""
        return ("territory:",) if territory_key is None else self._territories.path(territory_key, day)

    def managers(self, team_key: str, day: str) -> list[str]:
        """Who manages a team on a day, by key."""
        return sorted({stay.user_key for stay in self._managing.get(team_key, ()) if stay.holds_on(day)})


def above(place: Place) -> str | None:
    """The node of the team whose managers may put a figure in the place of a person's. None: nobody's may, because he
    stands directly below the company, or because his money is a part of what his team says, which he manages."""
    return place.path[-1] if place.path and not place.manages else None


def _of(stays: list[Stay]) -> str:
    """The team of a person: as a member before as a manager; of several the smallest key."""
    return min(stays, key=lambda stay: (stay.manages, stay.team_key)).team_key


class _Paths:
    def __init__(self, kind: str, edges: Iterable[Edge]) -> None:
        self._kind = kind
        self._of: dict[str, list[Edge]] = {}
        for edge in edges:
            self._of.setdefault(edge.child, []).append(edge)
        self.days = {
            day for of in self._of.values() for e in of for day in (e.valid_from, e.valid_to) if day is not None
        }
        self._changes = sorted(self.days)
        self._known: dict[tuple[str, int], tuple[str, ...]] = {}

    def path(self, key: str, day: str) -> tuple[str, ...]:
        asked = key, bisect_right(self._changes, day)
        found = self._known.get(asked)
        if found is None:
            found = self._known[asked] = tuple(f"{self._kind}:{name}" for name in reversed(self._up(key, day)))
        return found

    def _up(self, key: str, day: str) -> list[str]:
        way = [key]
        while (parent := self._parent(way[-1], day)) is not None:
            if parent in way:
                raise Refused("hierarchy_cycle", child=way[-1], parent=parent, on=day)
            way.append(parent)
        return way

    def _parent(self, key: str, day: str) -> str | None:
        parents: Mapping[str, str] = {
            edge.valid_from: edge.parent for edge in self._of.get(key, ()) if edge.parent and edge.holds_on(day)
        }
        return parents[max(parents)] if parents else None
