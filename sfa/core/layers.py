"""Layers of buckets: where rows lie that only some roles still carry on their devices (S10): pure.

`territory:x~400.548.548` holds the older rows of `territory:x` for those whose devices carry 400 days of visits, 548 of
notes and 548 of closed deals. A layer is a
bucket like any other: it has entries, a head, sums and intervals of its own. `sfa.core.profiles` says which there are.
"""

from collections.abc import Iterable

MARK = "~"  # in no key, so that no bucket is taken for a layer of another one
WITH_LAYERS = ("territory:", "user:", "book:", "unassigned")  # where rows lie that age


def layer_of(bucket: str, layer: str) -> str:
    return f"{bucket}{MARK}{layer}"


def places(buckets: Iterable[str], layers: tuple[str, ...] | None) -> tuple[str, ...]:
    """Where devices find a row: in its buckets, or in the layers of each."""
    if layers is None:
        return tuple(buckets)
    return tuple(layer_of(bucket, layer) for bucket in buckets for layer in layers)


def with_past(held: Iterable[str], layer: str | None) -> frozenset[str]:
    """The buckets held, and of each one in which rows age the layer of the person's role."""
    held = frozenset(held)
    return held if layer is None else held | {layer_of(b, layer) for b in held if b.startswith(WITH_LAYERS)}
