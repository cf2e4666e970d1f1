"""One number per level: the four amounts of each node, and the answer that tells them (R23-R26, R30). Pure.

Adjusted amounts count where a node stands on the report's day: an override is an absolute figure of all of it, so what
lies at its other places is taken off first, and the nodes above stay the sum of what is below them.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from forecasting import tree
from forecasting.answers import (
    COMPANY,
    MISSING_MAX,
    NOT_KEPT,
    NOT_SHOWN,
    UNSEEN,
    Amounts,
    Basis,
    Missing,
    Node,
    NodeRow,
    Override,
    Place,
    Rollup,
)
from forecasting.ledger import Ledger, money, views
from forecasting.spots import EVERYTHING, Four, Grown, Sight, Spot, grow
from sfa.core.errors import Refused
from sfa.core.forecast import VIEWS

RATE_MISSING = "rate_missing"
LEVELS = ("own", "manager")
OVERRIDDEN = ("team", "user")  # nobody puts a figure in the place of a territory or a product
Cell = tuple[str, str, str]  # node, view, level


class Standing(Struct, frozen=True):
    """The overrides that stand, by what they are the figure of. `values` are in the report's currency, None where there
    is no rate; `deciders` the teams whose managers set those of level manager. `frozen`: a snapshot has none."""

    values: Mapping[Cell, int | None] = {}
    told: Mapping[Cell, Override] = {}
    deciders: Mapping[Cell, str] = {}
    frozen: bool = False

    def nodes(self) -> set[str]:
        return {node for node, _, _ in self.values}


NOTHING = Standing()


# -- four amounts -----------------------------------------------------------------------------------------------------


def adjust(grown: Grown, found: Ledger, standing: Standing) -> dict[Cell, int | None]:
    """Fill in the four amounts of every spot (R25) -> what would stand in the place of each override without it."""
    elsewhere = _elsewhere(grown.root, found, standing.nodes())
    without: dict[Cell, int | None] = {}
    for spot in _bottom_up(grown.root):
        sums, own, direct = map(views, (spot.sums, spot.own, spot.direct))
        for view in VIEWS:
            below = [child.four[view].manager_adjusted for child in spot.children.values()]
            value = _sum([direct[view], *below])
            adjusted: list[int | None] = []
            for level in LEVELS:
                cell = spot.node, view, level
                if spot.here and cell in standing.values:
                    away = elsewhere[spot.node][view]
                    without[cell] = _sum([value, away])
                    value = _sum([standing.values[cell], -away])
                adjusted.append(value)
            spot.four[view] = Four(own[view], sums[view], *adjusted)
    return without


def _elsewhere(root: Spot, found: Ledger, nodes: set[str]) -> dict[str, dict[str, int]]:
    """What of each node's money does not lie at its spot of the report's day, by view."""
    totals = found.totals(nodes)
    away: dict[str, dict[str, int]] = {}
    for spot in _bottom_up(root):
        if spot.here and spot.node in nodes:
            rest = totals.get(spot.node, spot.sums)
            away[spot.node] = views([a - b for a, b in zip(rest, spot.sums, strict=True)])
    return away


def _bottom_up(root: Spot) -> Iterator[Spot]:
    for child in root.children.values():
        yield from _bottom_up(child)
    yield root


def _sum(values: list[int | None]) -> int | None:
    return None if None in values else sum(value for value in values if value is not None)


# -- the answer -------------------------------------------------------------------------------------------------------


class Asked(Struct, frozen=True):
    """`by` team is the tree of owners without its people; `depth` are the levels below the node, None all of them."""

    node: str = COMPANY
    by: str = "owner"
    depth: int | None = None


def rolled(
    basis: Basis, found: Ledger, asked: Asked, sight: Sight = EVERYTHING, standing: Standing = NOTHING
) -> Rollup:
    """A node with what is below it, as far as the caller may see it. Refuses `not_found`."""
    grown = grow(basis, found, asked.node, sight, standing.nodes())
    if grown is None:
        raise Refused("not_found")
    adjust(grown, found, standing)
    teller = _Teller(sight, standing, people=asked.by != "team")
    teller.look(grown.root)
    nodes = list(teller.told(grown.root, asked.depth))
    holes: dict[Missing, None] = {hole: None for hole, leaf in found.missing if leaf in grown.ways}
    return Rollup(
        period=basis.period,
        as_of=basis.as_of,
        as_of_snapshot=basis.snapshot,
        seq=basis.seq,
        zone=basis.zone,
        by=asked.by,
        currency=basis.currency,
        node=asked.node,
        nodes=nodes,
        rates=sorted(basis.rates),
        missing=sorted(holes, key=_order)[:MISSING_MAX],
        missing_count=len(holes),
        partial=nodes[0].partial,
        why=nodes[0].why,
    )


def _order(hole: Missing) -> tuple[str, str, str, str]:
    return hole.code, hole.key, hole.user_key, hole.currency or ""


class _Teller:
    def __init__(self, sight: Sight, standing: Standing, *, people: bool) -> None:
        self._sight, self._standing, self._people = sight, standing, people
        self._hiding: set[tuple[int, str]] = set()

    def look(self, root: Spot) -> None:
        """Note in which views a figure that the caller may not know is part of a spot's manager_adjusted: his branch
        may be all that counts there, however far above, and then the sum would be that figure."""
        for spot in _bottom_up(root):
            for view in VIEWS:
                if not self._is_shown(spot, view) or self._hides_below(spot, view):
                    self._hiding.add((id(spot), view))

    def _hides_below(self, spot: Spot, view: str) -> bool:
        return any((id(child), view) in self._hiding for child in spot.children.values())

    def told(self, root: Spot, depth: int | None) -> Iterator[Node]:
        """Parents before children, those of one parent by their node."""
        waiting: list[tuple[Spot, str | None, int]] = [(root, None, 0)]
        while waiting:
            spot, parent, at = waiting.pop()
            below = [child for child in spot.children.values() if self._people or child.kind != "user"]
            yield self._node(spot, parent, at, leaf=not below)
            if depth is None or at < depth:
                below.sort(key=lambda child: child.node, reverse=True)
                waiting += [(child, spot.node, at + 1) for child in below]

    def _node(self, spot: Spot, parent: str | None, depth: int, *, leaf: bool) -> Node:
        why = sorted({*spot.holes, *([UNSEEN] if spot.unseen else [])})
        return Node(
            node=spot.node,
            kind=spot.kind,
            name=spot.row.name if spot.row is not None else None,
            parent=parent,
            depth=depth,
            here=spot.here,
            leaf=leaf,
            buckets=money(spot.sums, all_of_them=True),
            direct=money(spot.direct if self._people or spot.kind not in (COMPANY, "team") else spot.people),
            own=money(spot.own),
            overlay=money(spot.overlay),
            views={view: self._amounts(spot, view) for view in VIEWS},
            missing=dict(sorted(spot.holes.items())),
            partial=bool(why),
            why=why,
        )

    def _amounts(self, spot: Spot, view: str) -> Amounts:
        four = spot.four[view]
        own_shown = not spot.unseen and not self._hides_below(spot, view)
        manager_shown = own_shown and self._is_shown(spot, view)
        shown = {"own": own_shown, "manager": manager_shown}
        cells = [(spot.node, view, level) for level in LEVELS if shown[level] and spot.here]
        code: str | None = None
        if self._standing.frozen:
            own_shown = manager_shown = False
            code = NOT_KEPT
        elif not manager_shown:
            code = NOT_SHOWN
        elif four.manager_adjusted is None or four.own_adjusted is None:
            code = RATE_MISSING
        return Amounts(
            own=four.own,
            rolled_up=four.rolled_up,
            own_adjusted=four.own_adjusted if own_shown else None,
            manager_adjusted=four.manager_adjusted if manager_shown else None,
            code=code,
            overrides=[self._standing.told[cell] for cell in cells if cell in self._standing.told],
        )

    def _is_shown(self, spot: Spot, view: str) -> bool:
        """Whether what a manager put in the place of this node's figure is the caller's to know (R25): he decides on it
        too, today and, where the node has moved since, where it was decided; and it is not about himself."""
        if self._sight.everything or self._sight.shown or not spot.here or spot.row is None:
            return True
        if spot.kind not in OVERRIDDEN:
            return True
        over, decided = above(spot.row), self._standing.deciders.get((spot.node, view, "manager"))
        if decided is not None and spot.node == self._sight.node:
            return False
        return all(team is None or team in self._sight.manages for team in (over, decided))


def above(row: NodeRow) -> str | None:
    """The team whose managers may put a figure in the place of a node's (`tree.above`)."""
    return tree.above(Place(row.parents, row.manages))
