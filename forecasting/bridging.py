"""The bridge of one node between two snapshots, with the holes at either end, for one caller (R28, R30).

Deals that are the same at both ends are summed up at once (`still`); every other one is looked at. What is answered
follows from two frozen snapshots and from what the caller may see, so it is the same for as long as they are kept.
"""

from collections.abc import Iterator

from msgspec import Struct
from sqlalchemy import Connection

from forecasting import kept
from forecasting.answers import COMPANY, Missing
from forecasting.documents import Deal
from forecasting.frozen import Frozen
from forecasting.movement import Bridge, Stand, bridge
from forecasting.spots import Sight
from forecasting.stands import Around, Lens, facts_of, has_hole, node_row, stand_of
from forecasting.still import Still
from sfa.core.errors import Refused
from sfa.core.forecast import CLOSED
from sfa.core.ids import is_key

KINDS = ("team", "user", "territory", "product")


class Compared(Struct, frozen=True):
    """Two snapshots of one currency, the earlier one first, and the period between them."""

    was: Frozen
    now: Frozen


class Bridged(Struct, frozen=True):
    """`unseen`: something of the node was not to be seen."""

    bridge: Bridge
    holes: list[Missing]
    unseen: bool


def bridged(connection: Connection, ends: Compared, node: str, sight: Sight) -> Bridged:
    """`not_found` where the caller sees nothing of the node, and where there is none."""
    _check_node(node)
    lens, holes = Lens(node, sight), set[Missing]()
    first, last = ends.was.around, ends.now.around
    was_no, now_no = ends.was.snapshot.number, ends.now.snapshot.number
    same, others = kept.between(connection, was_no, now_no, kept.done_from(connection, first.period.start_on))
    still = Still(first, last, lens)
    others += still.sift(same)

    def stands() -> Iterator[tuple[str, Stand | None, Stand | None]]:
        for key, was, now in kept.pairs(connection, was_no, now_no, others):
            before, after = stand_of(was, first, lens, None), stand_of(now, last, lens, (was, first))
            if (before is not None and before.here) or (after is not None and after.here):
                yield key, before, after
                holes.update(_holes(key, was, first, lens), _holes(key, now, last, lens))
                holes.update(_unrated(key, now, ends, lens))
            elif _is_beside(was, first) or _is_beside(now, last):
                holes.update(_holes(key, was, first, lens), _holes(key, now, last, lens))

    found = bridge(stands(), still.amounts, still.deals)
    if not (found.opening.deals or found.closing.deals) and not _is_seen(node, last, sight):
        raise Refused("not_found")
    return Bridged(found, sorted(holes), lens.unseen)


def _is_seen(node: str, around: Around, sight: Sight) -> bool:
    """Whether a node in which nothing is stands in the tree, and is the caller's to see: of the company some of it."""
    if node == COMPANY:
        own = (*sight.manages, *sight.territories, *(f"user:{key}" for key in sight.books))
        return sight.everything or any(node_row(one, around) is not None for one in own)
    row = node_row(node, around)
    return row is not None and sight.of_row(row)


def _check_node(node: str) -> None:
    kind, _, key = node.partition(":")
    if node != COMPANY and (kind not in KINDS or not (is_key(key) or (not key and kind in ("territory", "product")))):
        raise Refused("request_invalid", "`node` is company, or team:, user:, territory: or product: with a key")


def _holes(key: str, deal: Deal | None, around: Around, lens: Lens) -> Iterator[Missing]:
    if deal is None or not has_hole(deal, around) or lens.weighed(deal, 0) is None:
        return
    for fact in facts_of(key, deal, around):
        if lens.takes(fact.user_key, fact.place, fact.territory):
            for code in fact.holes:
                yield Missing(code, "deals", key, fact.user_key, fact.currency if code == "rate_missing" else None)


def _is_beside(deal: Deal | None, around: Around) -> bool:
    """Whether it is told although it stands nowhere: it may be of the period that is running, and nobody said so; or it
    was won in this one and is credited to nobody yet."""
    if deal is None:
        return False
    return around.awaits(deal) or (deal.state == "open" and deal.close_on is None and around.is_running)


def _unrated(key: str, deal: Deal | None, ends: Compared, lens: Lens) -> Iterator[Missing]:
    """What is open at the later end, in a currency of which there was no rate yet at the first."""
    first, last = ends.was.around, ends.now.around
    if deal is None or last.bucket(deal) is None or deal.currency is None:
        return
    if first.value(0, deal.currency) is None and last.value(0, deal.currency) is not None:
        for fact in facts_of(key, deal, last):
            is_open = fact.bucket != CLOSED and fact.amount_minor is not None
            if is_open and lens.takes(fact.user_key, fact.place, fact.territory):
                yield Missing("rate_missing", "deals", key, fact.user_key, deal.currency)
