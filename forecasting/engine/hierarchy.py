"""Which nodes add up to which: a tree or crossing groups as a summing matrix of what each node holds. Pure.

Every node is the sum of its leaves; a leaf holds itself. Nodes that hold the same leaves (a team of one person, a level
with one child) say the same twice: `first` names the node that speaks for them, so that nothing is counted double.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from forecasting.engine.values import Floats, Ints


class Hierarchy(Struct, frozen=True, eq=False):
    """`summing` has the shape (nodes, leaves), of 0 and 1. `leaves` are the nodes that are its columns, in their order;
    `levels` says of each node which level it belongs to, for scores; `first` is the earliest node with the same row."""

    names: tuple[str, ...]
    levels: tuple[str, ...]
    leaves: Ints
    summing: Floats
    first: Ints

    def __len__(self) -> int:
        return len(self.names)

    def total(self, of_leaves: Floats) -> Floats:
        """(leaves, ...) -> (nodes, ...): leaves as they are, all others as their sums."""
        return np.tensordot(self.summing, of_leaves, axes=1)

    def gap(self, values: Floats) -> float:
        """How far the worst node is from the sum of its leaves, by the size of what is added up (at least 1).
        Summed from the other end than `total` does, so that it does not repeat what it checks."""
        if not len(self):
            return 0.0
        held = values[self.leaves]
        off = np.abs(values - np.tensordot(self.summing[:, ::-1], held[::-1], axes=1))
        size = np.maximum(self.total(np.abs(held)), 1.0)
        return float((off / size).max(initial=0.0))


def tree(names: Sequence[str], parents: Sequence[str | None], levels: Sequence[str] | None = None) -> Hierarchy:
    """Of nodes and what each lies below (None: nothing), in any order. A node without children is a leaf.

    Without `levels` a node's level is its depth. Raises ValueError where a parent is unknown or nodes run in a circle.
    """
    place = {name: n for n, name in enumerate(names)}
    if len(place) != len(names) or len(parents) != len(names):
        raise ValueError("each node needs a name of its own and one parent or none")
    if unknown := sorted({parent for parent in parents if parent is not None} - place.keys()):
        raise ValueError(f"parents that are no nodes: {', '.join(unknown)}")
    above = [-1 if parent is None else place[parent] for parent in parents]
    depths = [_depth(n, above) for n in range(len(names))]  # first: it is what notices a circle
    with_children = set(above)
    leaves = np.array([n for n in range(len(names)) if n not in with_children], dtype=np.int64)
    summing = np.zeros((len(names), len(leaves)))
    for column, leaf in enumerate(leaves):
        node = int(leaf)
        while node >= 0:
            summing[node, column] = 1.0
            node = above[node]
    return _hierarchy(tuple(names), tuple(levels) if levels else tuple(str(d) for d in depths), leaves, summing)


def grouped(leaves: Sequence[str], groups: Mapping[str, Sequence[str]], leaf_level: str = "leaf") -> Hierarchy:
    """Of leaves that are grouped in several ways: level -> the group of each leaf. Groups come first, in the order of
    the levels and of their names; a node is called `level/group`, a leaf as it is called."""
    names: list[str] = []
    levels: list[str] = []
    rows: list[Floats] = []
    for level, labels in groups.items():
        if len(labels) != len(leaves):
            raise ValueError(f"{level}: {len(labels)} groups for {len(leaves)} leaves")
        found = np.asarray(labels, dtype=object)
        for label in sorted(set(labels)):
            names.append(f"{level}/{label}")
            levels.append(level)
            rows.append((found == label).astype(np.float64))
    if len(set(names) | set(leaves)) != len(names) + len(leaves):
        raise ValueError("each node needs a name of its own")
    start = len(names)
    summing = np.vstack([*rows, np.eye(len(leaves))]) if leaves else np.zeros((0, 0))
    at = np.arange(start, start + len(leaves), dtype=np.int64)
    return _hierarchy((*names, *leaves), (*levels, *[leaf_level] * len(leaves)), at, summing)


def _hierarchy(names: tuple[str, ...], levels: tuple[str, ...], leaves: Ints, summing: Floats) -> Hierarchy:
    if len(levels) != len(names):
        raise ValueError(f"{len(levels)} levels for {len(names)} nodes")
    seen: dict[bytes, int] = {}
    first = np.array([seen.setdefault(row.tobytes(), n) for n, row in enumerate(summing)], dtype=np.int64)
    return Hierarchy(names, levels, leaves, summing, first)


def _depth(node: int, above: Sequence[int]) -> int:
    depth = 0
    while above[node] >= 0:
        node, depth = above[node], depth + 1
        if depth > len(above):
            raise ValueError("nodes that lie below themselves")
    return depth
