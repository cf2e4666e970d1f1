"""Effective-dated trees: teams, territories, managers (R18, R19).

Promises: on every day each member has at most one parent, each named parent is itself a member, and nobody is
his own ancestor; a roll-up counts every value once, and what belongs to no member that day is reported, never
dropped. A tree is a set of `Edge`s; an edge holds on the days [valid_from, valid_to), null means "until
further notice", and a member without parent is a root. Several roots are allowed. All checks and look-ups are
by day ("YYYY-MM-DD").
Does not do: who may edit a tree, and the history of edits (the store keeps both).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from operator import add
from typing import TypeVar

import msgspec

from sfa.core.days import check_day
from sfa.core.errors import Refused

T = TypeVar("T")

_NEVER = "9999-12-31"  # an open end, for comparing; no real edge may reach it


class Edge(msgspec.Struct, frozen=True):
    child: str
    parent: str | None
    valid_from: str
    valid_to: str | None = None

    def holds_on(self, day: str) -> bool:
        return self.valid_from <= day < (self.valid_to or _NEVER)


class RollUp(msgspec.Struct, frozen=True):
    """`totals`: each member's own value and all below it. `unplaced`: values of those who are not members
    that day."""

    totals: dict[str, int]
    unplaced: dict[str, int]


class Tree:
    """A checked set of edges. Refuses with `hierarchy_overlap`, `hierarchy_orphan` or `hierarchy_cycle`, each
    with the first day on which it would be so, and with `field_invalid` for an edge that holds on no day."""

    def __init__(self, edges: Iterable[Edge]) -> None:
        self.edges = tuple(sorted(edges, key=_order))
        _check(self.edges)
        self._of_child: defaultdict[str, list[Edge]] = defaultdict(list)
        self._of_parent: defaultdict[str, list[Edge]] = defaultdict(list)
        for edge in self.edges:
            self._of_child[edge.child].append(edge)
            if edge.parent is not None:
                self._of_parent[edge.parent].append(edge)

    def is_member(self, node: str, day: str) -> bool:
        return self._edge_on(node, day) is not None

    def parent_on(self, node: str, day: str) -> str | None:
        """The parent on that day; None for a root and for whom is no member."""
        edge = self._edge_on(node, day)
        return edge.parent if edge else None

    def ancestors(self, node: str, day: str) -> list[str]:
        """From the parent up to the root."""
        found = []
        parent = self.parent_on(node, day)
        while parent is not None:
            found.append(parent)
            parent = self.parent_on(parent, day)
        return found

    def children(self, node: str, day: str) -> list[str]:
        return [edge.child for edge in self._of_parent.get(node, ()) if edge.holds_on(day)]

    def descendants(self, root: str, day: str) -> list[str]:
        """Everybody below, without the root itself; parents come before their children."""
        found = self.children(root, day)
        for node in found:  # grows while it is walked
            found.extend(self.children(node, day))
        return found

    def members(self, day: str) -> list[str]:
        """Everybody in the tree on that day; parents come before their children."""
        found = [edge.child for edge in self.edges if edge.parent is None and edge.holds_on(day)]
        for node in found:
            found.extend(self.children(node, day))
        return found

    def fold(self, day: str, own: Mapping[str, T], combine: Callable[[T, T], T]) -> dict[str, T]:
        """Each member's own value combined with those of all below; members with nothing at all are left out.

        `combine` must not care about order. Values of others than members are ignored: see `roll_up`.
        """
        members = self.members(day)
        found = {node: own[node] for node in members if node in own}
        for node in reversed(members):
            parent = self.parent_on(node, day)
            if parent is None or node not in found:
                continue
            found[parent] = combine(found[parent], found[node]) if parent in found else found[node]
        return found

    def roll_up(self, day: str, own: Mapping[str, int]) -> RollUp:
        """Sums up the tree of one day: the roots and the unplaced together are the sum of `own`."""
        unplaced = {node: value for node, value in own.items() if not self.is_member(node, day)}
        result = RollUp(self.fold(day, own, add), unplaced)
        roots = sum(value for node, value in result.totals.items() if self.parent_on(node, day) is None)
        assert roots + sum(unplaced.values()) == sum(own.values()), "a roll-up counts every value once"
        return result

    def roll_up_dated(self, facts: Iterable[tuple[str, str, int]]) -> RollUp:
        """Sums facts (member, day, value), each up the tree of its own day: who moves on day 40 brings to
        each team what he did on that team's days, and a leaver keeps what he did before (R18)."""
        totals: defaultdict[str, int] = defaultdict(int)
        unplaced: defaultdict[str, int] = defaultdict(int)
        for node, day, value in facts:
            if not self.is_member(node, day):
                unplaced[node] += value
                continue
            for place in (node, *self.ancestors(node, day)):
                totals[place] += value
        return RollUp(dict(totals), dict(unplaced))

    def _edge_on(self, node: str, day: str) -> Edge | None:
        return next((edge for edge in self._of_child.get(node, ()) if edge.holds_on(day)), None)


def moved(edges: Iterable[Edge], new: Edge) -> tuple[Edge, ...]:
    """The edges after `new` was put in: what its child had on those days gives way, the rest of the child's
    past and future stays. A `new` without end runs until the next change that is already planned (a later
    edge, or the end of the one it replaces: a known leaver does not come back by a move). The result is
    checked as a `Tree`.
    """
    before = Tree(edges).edges
    _check_edge(new)
    own = [edge for edge in before if edge.child == new.child]
    if new.valid_to is None:
        new = msgspec.structs.replace(new, valid_to=_next_change(own, new.valid_from))
    others = [edge for edge in before if edge.child != new.child]
    return Tree([*others, *_cut_out(own, new.valid_from, new.valid_to), new]).edges


def left(edges: Iterable[Edge], child: str, on: str) -> tuple[Edge, ...]:
    """The edges when `child` is no member any more from that day on; refused as orphaning while others are
    below."""
    check_day(on)
    before = Tree(edges).edges
    own = [edge for edge in before if edge.child == child]
    others = [edge for edge in before if edge.child != child]
    return Tree([*others, *_cut_out(own, on, None)]).edges


def _next_change(own: list[Edge], day: str) -> str | None:
    starts = [edge.valid_from for edge in own if edge.valid_from > day]
    ends = [edge.valid_to for edge in own if edge.holds_on(day) and edge.valid_to]
    return min([*starts, *ends], default=None)


def _cut_out(own: Iterable[Edge], start: str, end: str | None) -> Iterator[Edge]:
    """What remains of one child's edges outside [start, end)."""
    for edge in own:
        edge_end = edge.valid_to or _NEVER
        if edge.valid_from < start:
            yield msgspec.structs.replace(edge, valid_to=start if start < edge_end else edge.valid_to)
        if end is not None and end < edge_end:
            yield msgspec.structs.replace(edge, valid_from=max(end, edge.valid_from))


def _order(edge: Edge) -> tuple[str, str]:
    return edge.child, edge.valid_from


def _check(edges: tuple[Edge, ...]) -> None:
    """Walk through the days on which anything changes. A new fault of a day needs an edge that begins on it,
    or a member who leaves on it, so only those are looked at: the cost is edges times depth."""
    for edge in edges:
        _check_edge(edge)
    changes = [(edge.valid_from, 1, edge) for edge in edges]
    changes += [(edge.valid_to, 0, edge) for edge in edges if edge.valid_to]
    changes.sort(key=lambda change: change[:2])  # of one day, ends come first
    parents: dict[str, str | None] = {}
    children: defaultdict[str, set[str]] = defaultdict(set)
    for day, of_day in groupby(changes, key=lambda change: change[0]):
        begun: list[str] = []
        ended: list[str] = []
        for _, begins, edge in of_day:
            if begins:
                _begin(edge, parents, children)
                begun.append(edge.child)
            else:
                children[parents.pop(edge.child) or ""].discard(edge.child)
                ended.append(edge.child)
        _check_day_of_changes(day, begun, ended, parents, children)


def _begin(edge: Edge, parents: dict[str, str | None], children: defaultdict[str, set[str]]) -> None:
    if edge.child in parents:
        raise _fault("hierarchy_overlap", edge.child, edge.parent, edge.valid_from)
    parents[edge.child] = edge.parent
    children[edge.parent or ""].add(edge.child)


def _check_day_of_changes(
    day: str,
    begun: list[str],
    ended: list[str],
    parents: Mapping[str, str | None],
    children: Mapping[str, set[str]],
) -> None:
    for node in ended:
        if node not in parents and children.get(node):
            raise _fault("hierarchy_orphan", min(children[node]), node, day)
    for node in begun:
        seen = {node}
        parent = parents[node]
        while parent is not None:
            if parent not in parents:
                raise _fault("hierarchy_orphan", node, parent, day)
            if parent in seen:
                raise _fault("hierarchy_cycle", node, parents[node], day)
            seen.add(parent)
            parent = parents[parent]


def _check_edge(edge: Edge) -> None:
    check_day(edge.valid_from)
    end = _NEVER if edge.valid_to is None else check_day(edge.valid_to)
    if not edge.valid_from < end:
        raise Refused("field_invalid", f"The edge of {edge.child} holds on no day", child=edge.child)


def _fault(code: str, child: str, parent: str | None, on: str) -> Refused:
    return Refused(code, child=child, parent=parent, on=on)
