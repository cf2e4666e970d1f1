"""The facts of a period summed by where they lie: what a roll-up is folded from, for whoever asks (R16, R18, R23).

A leaf is the money of one person at one place: at the end of his way down the tree, in a territory, of a product. Sums
are plain integers in one list, [amount, weighted, deals] of each bucket in turn, so that a hundred thousand facts cost
one pass. A deal that several leaves share is counted once at each node, however many of its parts lie below. Pure.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from forecasting.answers import UNLISTED, Fact, Missing, Money, Place, Summed
from sfa.core.forecast import BUCKETS, CLOSED, VIEWS
from sfa.core.money import allocate

WIDTH = 3 * len(BUCKETS)
AT = {bucket: 3 * n for n, bucket in enumerate(BUCKETS)}
NO_PRODUCT, NO_TERRITORY = "product:", "territory:"
Vector = list[int]


class Leaf(Struct):
    """`path` are the nodes from below the company down to this one. `managed` is the team whose own money it is."""

    path: tuple[str, ...]
    user_key: str
    managed: str | None
    sums: Vector
    overlay: Vector
    holes: dict[str, int]


class Ledger(Struct):
    """`shared` says how many deals, of a bucket or its overlay, are counted once where they meet, by the leaves that
    they lie in; `missing` in which leaf a hole is."""

    by: str
    leaves: list[Leaf]
    shared: dict[tuple[int, ...], dict[tuple[int, bool], int]]
    missing: list[tuple[Missing, int]]

    def totals(self, nodes: set[str]) -> dict[str, Vector]:
        """All money of some nodes, at whatever place it was made; deals that are shared are not counted."""
        found: dict[str, Vector] = {}
        for leaf in self.leaves if nodes else ():
            for node in nodes.intersection(leaf.path):
                add(found.setdefault(node, [0] * WIDTH), leaf.sums)
        return found


def add(to: Vector, other: Vector) -> None:
    for n, value in enumerate(other):
        if value:
            to[n] += value


def money(vector: Vector, *, all_of_them: bool = False) -> dict[str, Money]:
    """bucket -> its money; without `all_of_them` the buckets in which something is."""
    return {bucket: Money(*vector[at : at + 3]) for bucket, at in AT.items() if all_of_them or any(vector[at : at + 3])}


def views(vector: Vector) -> dict[str, int]:
    """`sfa.core.forecast.cumulative` of the amounts: each view is the one before it and one bucket more."""
    total, found = vector[AT[CLOSED]], {}
    for view in VIEWS:
        total += vector[AT[view]]
        found[view] = total
    return found


def ledger(facts: Sequence[Fact], by: str = "owner", sums: Iterable[Summed] = ()) -> Ledger:
    """Everything summed by leaf, by owner, territory or product. `sums` are by owner."""
    summing = _Summing(by)
    for of in sums:
        summing.add_sum(of)
    if by == "owner":
        for fact in facts:
            summing.add(fact, summing.of_person(fact))
    else:
        for whole in facts:
            for path, fact in parted(whole, by):
                summing.add(fact, summing.at(path, fact))
    return summing.done()


class _Summing:
    def __init__(self, by: str) -> None:
        self._by = by
        self._ids: dict[tuple[tuple[str, ...], str, bool], int] = {}
        self._people: dict[tuple[str, int], tuple[Place, int]] = {}
        self._leaves: list[Leaf] = []
        self._met: dict[tuple[str, str, bool], set[int]] = {}
        self._missing: dict[tuple[Missing, int], None] = {}

    def add_sum(self, of: Summed) -> None:
        sums, at = self._leaves[self.of_person(of)].sums, AT[of.bucket]
        for n, value in enumerate((of.amount_minor, of.weighted_minor, of.deals)):
            sums[at + n] += value

    def of_person(self, fact: Fact | Summed) -> int:
        """The same leaf as `at` finds; facts of one person at one place mostly share the very `Place`."""
        place = fact.place
        known = self._people.get((fact.user_key, id(place)))
        if known is not None:  # it holds the place, so that nothing else can have its identity
            return known[1]
        found = self.at((*place.path, f"user:{fact.user_key}"), fact)
        self._people[fact.user_key, id(place)] = place, found
        return found

    def at(self, path: tuple[str, ...], fact: Fact | Summed) -> int:
        """The number of a leaf."""
        place = fact.place
        asked = path, fact.user_key, place.manages
        found = self._ids.get(asked)
        if found is None:
            found = self._ids[asked] = len(self._leaves)
            managed = place.path[-1] if place.manages and self._by == "owner" else None
            self._leaves.append(Leaf(path, fact.user_key, managed, [0] * WIDTH, [0] * WIDTH, {}))
        return found

    def add(self, fact: Fact, number: int) -> None:
        if fact.holes:
            self._note(fact, number)
        at = AT.get(fact.bucket)
        if at is None:
            assert fact.bucket in UNLISTED, fact.bucket
            return
        leaf = self._leaves[number]
        sums = leaf.overlay if fact.overlay else leaf.sums
        if fact.amount_minor is not None and fact.weighted_minor is not None:
            sums[at] += fact.amount_minor
            sums[at + 1] += fact.weighted_minor
        if fact.alone:
            sums[at + 2] += 1
            return
        met = self._met.get((fact.deal_key, fact.bucket, fact.overlay))
        if met is None:
            self._met[fact.deal_key, fact.bucket, fact.overlay] = {number}
        else:
            met.add(number)

    def _note(self, fact: Fact, number: int) -> None:
        for code in fact.holes:
            currency = fact.currency if code == "rate_missing" else None
            self._missing[Missing(code, "deals", fact.deal_key, fact.user_key, currency), number] = None

    def done(self) -> Ledger:
        shared: dict[tuple[int, ...], dict[tuple[int, bool], int]] = {}
        for (_, bucket, overlay), where in self._met.items():
            if len(where) > 1:
                counts, of = shared.setdefault(tuple(sorted(where)), {}), (AT[bucket] + 2, overlay)
                counts[of] = counts.get(of, 0) + 1
            else:
                (only,) = where
                sums = self._leaves[only].overlay if overlay else self._leaves[only].sums
                sums[AT[bucket] + 2] += 1
        for hole, number in self._missing:
            holes = self._leaves[number].holes
            holes[hole.code] = holes.get(hole.code, 0) + 1
        missing = sorted(self._missing, key=lambda found: (found[0].code, found[0].key, found[1]))
        return Ledger(self._by, self._leaves, shared, missing)


# -- where a fact lies ------------------------------------------------------------------------------------------------

_Parts = Iterable[tuple[tuple[str, ...], Fact]]


def parted(fact: Fact, by: str) -> _Parts:
    """-> (the nodes above and at the end, what of the fact lies there)."""
    return _PARTED[by](fact)


def _by_owner(fact: Fact) -> _Parts:
    return (((*fact.place.path, f"user:{fact.user_key}"), fact),)


def _by_territory(fact: Fact) -> _Parts:
    return ((fact.territory or (NO_TERRITORY,), fact),)


def _by_product(fact: Fact) -> Iterator[tuple[tuple[str, ...], Fact]]:
    """Shared out by the lines so that the parts sum to the whole; without lines it is of no product."""
    products = [product for product, _ in fact.products]
    weights = [weight for _, weight in fact.products]
    if not any(weights):
        products, weights = [""], [1]
    if len(products) == 1:
        yield (f"product:{products[0]}",), fact
        return
    shares = _shares(fact.amount_minor, weights)
    weighted = _shares(fact.weighted_minor, weights)
    for product, amount, part in zip(products, shares, weighted, strict=True):
        yield (
            (f"product:{product}",),
            Fact(
                fact.deal_key,
                fact.user_key,
                fact.place,
                fact.bucket,
                amount,
                part,
                fact.currency,
                fact.overlay,
                False,
                fact.holes,
            ),
        )


def _shares(amount: int | None, weights: list[int]) -> list[int] | list[None]:
    return [None] * len(weights) if amount is None else allocate(amount, weights)


_PARTED: dict[str, Callable[[Fact], _Parts]] = {
    "owner": _by_owner,
    "territory": _by_territory,
    "product": _by_product,
}
