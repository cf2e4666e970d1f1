"""A ledger as a tree, for one caller: what lies below a node, at each place where it lies (R18, R19, R30). Pure.

Every leaf is put at the end of its own way down, so that each node is the sum of what is below it and nothing counts
twice, also in a quarter in which people and teams moved: then a node stands at several places, each with the money that
was made there. What the caller may not see is left out, and the nodes that it would be in are marked.
"""

from collections.abc import Iterator, Mapping, Set

from msgspec import Struct

from forecasting.answers import COMPANY, Basis, NodeRow
from forecasting.ledger import WIDTH, Leaf, Ledger, Vector, add

TREES = {"owner": ("team", "user"), "territory": ("territory",), "product": ("product",)}


class Sight(Struct, frozen=True):
    """What a caller may see: everything, or the books, managed teams and territories of his scope. `shown`: managers'
    figures are for those below as well (R25). `node` is the caller himself."""

    everything: bool = False
    books: frozenset[str] = frozenset()
    manages: frozenset[str] = frozenset()
    territories: frozenset[str] = frozenset()
    shown: bool = False
    node: str | None = None

    def of(self, path: tuple[str, ...], user_key: str) -> bool:
        """Whether the money of a person at the end of this way is the caller's to see."""
        return self.everything or user_key in self.books or self.above(path)

    def above(self, path: tuple[str, ...]) -> bool:
        """Whether the caller manages a team, or covers a territory, on this way."""
        return not (self.manages.isdisjoint(path) and self.territories.isdisjoint(path))

    def of_row(self, row: NodeRow) -> bool:
        """Whether a node without money is the caller's to see."""
        kind, _, key = row.node.partition(":")
        if self.everything or row.node in self.manages or row.node in self.territories:
            return True
        return self.above(row.parents) or (kind == "user" and key in self.books)


EVERYTHING = Sight(everything=True)


class Four(Struct):
    """One view of one spot: the part of its amounts that lies here. None: it cannot be said."""

    own: int
    rolled_up: int
    own_adjusted: int | None
    manager_adjusted: int | None


class Spot:
    """A node at one place of the tree that was asked for."""

    __slots__ = (
        "children",
        "direct",
        "four",
        "here",
        "holes",
        "node",
        "overlay",
        "own",
        "people",
        "row",
        "sums",
        "unseen",
    )

    def __init__(self, node: str, row: NodeRow | None, here: bool) -> None:
        self.node, self.row, self.here = node, row, here
        self.children: dict[str, Spot] = {}
        self.sums, self.direct = [0] * WIDTH, [0] * WIDTH
        self.own, self.overlay = [0] * WIDTH, [0] * WIDTH
        self.people = [0] * WIDTH  # who stands directly in it
        self.holes: dict[str, int] = {}
        self.unseen = False
        self.four: dict[str, Four] = {}

    @property
    def kind(self) -> str:
        return self.node.partition(":")[0]


# -- the tree ---------------------------------------------------------------------------------------------------------


class Grown(Struct):
    """The tree below a node, and the ways of the leaves that the caller sees in it."""

    root: Spot
    ways: dict[int, list[Spot]]


def grow(
    basis: Basis, found: Ledger, node: str, sight: Sight = EVERYTHING, overridden: Set[str] = frozenset()
) -> Grown | None:
    """None where the caller sees nothing of the node, as where there is none. `overridden` are nodes that count for
    something although there may be no money in them."""
    tree = Grown(Spot(node, basis.nodes.get(node), True), {})
    is_seen = node == COMPANY and sight.everything
    hidden: list[tuple[str, ...]] = []
    for row in basis.nodes.values():
        below = below_node((*row.parents, row.node), node) if row.node.partition(":")[0] in TREES[found.by] else None
        if below is None:
            continue
        if sight.of_row(row):
            is_seen = True
            _way(tree.root, below, basis)
        elif row.node in overridden:
            hidden.append(below)
    for number, leaf in enumerate(found.leaves):
        below = below_node(leaf.path, node)
        if below is None:
            continue
        if sight.of(leaf.path, leaf.user_key):
            is_seen = True
            way = tree.ways[number] = _way(tree.root, below, basis)
            _put(way, leaf)
        elif any(leaf.sums) or any(leaf.overlay) or leaf.holes:
            hidden.append(below)
    for below in hidden:  # now that all that is seen is there
        for spot in _way(tree.root, below, basis, only_known=True):
            spot.unseen = True
    _count_shared(found, tree.ways)
    return tree if is_seen else None


def below_node(path: tuple[str, ...], node: str) -> tuple[str, ...] | None:
    """What of a way lies below the node; None where it does not lead through it."""
    if node == COMPANY:
        return path
    return path[path.index(node) + 1 :] if node in path else None


def _way(root: Spot, below: tuple[str, ...], basis: Basis, *, only_known: bool = False) -> list[Spot]:
    """The spots from the root down, made where they are not there yet; with `only_known` as far as they are."""
    way = [root]
    for n, node in enumerate(below):
        children = way[-1].children
        spot = children.get(node)
        if spot is None:
            if only_known:
                break
            row = basis.nodes.get(node)
            spot = children[node] = Spot(node, row, row is not None and _is_here(row, root.node, below[:n]))
        way.append(spot)
    return way


def _is_here(row: NodeRow, root: str, parents: tuple[str, ...]) -> bool:
    return below_node(row.parents, root) == parents


def _put(way: list[Spot], leaf: Leaf) -> None:
    is_overlaid = any(leaf.overlay)
    for spot in way:
        add(spot.sums, leaf.sums)
        if is_overlaid:
            add(spot.overlay, leaf.overlay)
        for code, count in leaf.holes.items():
            spot.holes[code] = spot.holes.get(code, 0) + count
    for vector in _beside(way, leaf):
        add(vector, leaf.sums)


def _beside(way: list[Spot], leaf: Leaf) -> Iterator[Vector]:
    """Where a leaf's money is told once more than in the sums."""
    last = way[-1]
    yield last.direct
    yield last.own
    if last.kind == "user" and len(way) > 1:
        yield way[-2].people
        if leaf.managed == way[-2].node:
            yield way[-2].own


def _count_shared(found: Ledger, ways: Mapping[int, list[Spot]]) -> None:
    """A deal in several leaves counts once wherever some of it is told."""
    for leaves, counts in found.shared.items():
        seen = [(found.leaves[number], ways[number]) for number in leaves if number in ways]
        spots = {id(spot): spot for _, way in seen for spot in way}
        vectors = {id(spot.sums): spot.sums for spot in spots.values()}
        vectors |= {id(vector): vector for leaf, way in seen for vector in _beside(way, leaf)}
        overlays = [spot.overlay for spot in spots.values()]
        for (at, overlay), count in counts.items():
            for vector in overlays if overlay else vectors.values():
                vector[at] += count
