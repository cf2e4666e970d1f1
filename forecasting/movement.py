"""How a forecast went from one snapshot to another, as a complete bridge (R28): pure, deal by deal.

Every deal that stands in a node and period at one end or at both is in exactly one class, the first of `CLASSES` that
is true of it, and what it adds is the difference between what it was and what it is, by bucket. So opening + classes =
closing, per bucket and in total, whatever happened in between; `bridge` asserts it. Both ends are at the rates of the
first snapshot; what other rates make of the closing is one bar of its own, of no deal.

A deal is won here where its money is credited in this period. One that was won and is credited in another, or not yet,
was pushed out of this one; one whose win was taken back is as open as any other. What is lost, and open again, is new;
what was lost at both ends did not change, also where an earlier win of it stays credited.
Does not do: reading snapshots, who is below a node, conversion.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from sfa.core.forecast import TOTAL

CLASSES = (
    *("won", "lost", "new", "removed", "pulled_in", "pushed_out", "transferred_in", "transferred_out"),
    *("category", "up", "down"),
)
UNCHANGED = "unchanged"
Amounts = Mapping[str, int]


class Stand(Struct, frozen=True, gc=False):
    """What a deal is at one end. `in_period`: in the period asked for, of whomever; `here`: in the node too, and
    `share_bp` is how much of it. `won` are the ends credited in the period that stand. `amounts` are the node's, by
    bucket, at the first snapshot's rates, `rated` at the rates of its own; of no more buckets than it is in."""

    lost: bool
    in_period: bool
    here: bool
    share_bp: int
    won: tuple[int, ...]
    amounts: Amounts
    rated: Amounts | None = None


class Moved(Struct, frozen=True):
    """One deal behind a bar; `amounts` is what it adds, by bucket, `total_minor` in all but what is omitted."""

    key: str
    into: str
    was: str | None
    now: str | None
    amounts: dict[str, int]
    total_minor: int


class Bar(Struct, frozen=True):
    """The deals of one class. `name` is also `opening`, `rates` and `closing`, whose deals are those that stand
    there."""

    name: str
    deals: int
    amounts: dict[str, int]
    total_minor: int


class Bridge(Struct, frozen=True):
    """opening + `classes` = closing at the first snapshot's rates; + `rates` = `closing`. `moved` are the deals of all
    classes, in the order of the classes, the largest first; what did not change is in `unchanged`."""

    opening: Bar
    classes: list[Bar]
    unchanged: int
    rates: Bar
    closing: Bar
    moved: list[Moved]


def class_of(was: Stand | None, now: Stand | None) -> str | None:
    """The one class of a deal, `unchanged`, or None where it stands here at neither end; None for an end says that
    there was no such deal."""
    then, here = was is not None and was.here, now is not None and now.here
    if not then and not here:
        return None
    if now is not None and here and set(now.won) - set(was.won if was is not None else ()):
        return "won"
    if now is None:
        return "removed"
    if was is None:
        return "new"
    if then and now.lost and not was.lost:
        return "lost"
    if here and was.lost and not now.lost:
        return "new"
    return _moved(was, now)


def _moved(was: Stand, now: Stand) -> str:
    if was is now:
        return UNCHANGED
    if was.in_period != now.in_period:
        return "pulled_in" if now.in_period else "pushed_out"
    if (was.here, was.share_bp) != (now.here, now.share_bp):
        more = (now.here, now.share_bp) > (was.here, was.share_bp)
        return "transferred_in" if more else "transferred_out"
    if was.amounts.keys() != now.amounts.keys():
        return "category"
    change = sum(now.amounts.values()) - sum(was.amounts.values())
    if change:
        return "up" if change > 0 else "down"
    return UNCHANGED if was.amounts == now.amounts else "category"


def bridge(
    deals: Iterable[tuple[str, Stand | None, Stand | None]], still: Amounts | None = None, still_deals: int = 0
) -> Bridge:
    """The bridge of deals by key, each once; `still` is what others come to that are the same at both ends."""
    opening, closing, rated = (_Sum(dict(still or {}), still_deals) for _ in range(3))
    bars, moved, unchanged = {name: _Sum() for name in CLASSES}, [], still_deals
    for key, was, now in deals:
        into = class_of(was, now)
        if into is None:
            continue
        before = was.amounts if was is not None and was.here else None
        after = now.amounts if now is not None and now.here else None
        if before is not None:
            opening.add(before)
        if now is not None and after is not None:
            closing.add(after)
            rated.add(now.rated if now.rated is not None else after)
        if into == UNCHANGED:
            unchanged += 1
            continue
        effect = less(after or {}, before or {})
        bars[into].add(effect)
        moved.append(Moved(key, into, _bucket(before), _bucket(after), effect, total(effect)))
    by_class = {name: place for place, name in enumerate(CLASSES)}
    moved.sort(key=lambda one: (by_class[one.into], -abs(one.total_minor), one.key))
    found = Bridge(
        opening=opening.bar("opening"),
        classes=[bars[name].bar(name) for name in CLASSES],
        unchanged=unchanged,
        rates=_Sum(less(rated.amounts, closing.amounts)).bar("rates"),
        closing=rated.bar("closing"),
        moved=moved,
    )
    _check(found)
    return found


class _Sum:
    def __init__(self, amounts: dict[str, int] | None = None, deals: int = 0) -> None:
        self.amounts, self.deals = amounts or {}, deals

    def add(self, amounts: Amounts) -> None:
        self.deals += 1
        for bucket, amount in amounts.items():
            self.amounts[bucket] = self.amounts.get(bucket, 0) + amount

    def bar(self, name: str) -> Bar:
        amounts = {bucket: amount for bucket, amount in sorted(self.amounts.items()) if amount}
        return Bar(name, self.deals, amounts, total(amounts))


def _bucket(amounts: Amounts | None) -> str | None:
    """Where a deal is, of several buckets where most of it is."""
    return max(sorted(amounts), key=lambda bucket: abs(amounts[bucket])) if amounts else None


def less(now: Amounts, was: Amounts) -> dict[str, int]:
    """By bucket, without what is nothing."""
    found = {bucket: now.get(bucket, 0) - was.get(bucket, 0) for bucket in sorted({*now, *was})}
    return {bucket: amount for bucket, amount in found.items() if amount}


def total(amounts: Amounts) -> int:
    """All but what is omitted."""
    return sum(amount for bucket, amount in amounts.items() if bucket in TOTAL)


def _check(found: Bridge) -> None:
    parts = [found.opening, *found.classes, found.rates]
    for bucket in {*found.closing.amounts, *(bucket for part in parts for bucket in part.amounts)}:
        assert sum(part.amounts.get(bucket, 0) for part in parts) == found.closing.amounts.get(bucket, 0), bucket
    assert sum(part.total_minor for part in parts) == found.closing.total_minor
