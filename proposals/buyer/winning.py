"""What was accepted becomes what the deal is: its lines, its amount, its quote, and won (R39, R55).

The deal's row is locked. Credits, commission, profit and forecast follow of the won deal as of any other; nothing is
reckoned here. The seller's criteria are not asked of a buyer: what was unmet is told, and kept in the timeline. A deal
that was won by hand stays won as it is where it says the same; else that end is reversed and it is won at what was
accepted, so that both are dated.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from msgspec import Struct

from sfa.core import deal_states
from sfa.core.days import local_day
from sfa.core.errors import Refused
from sfa.core.pricing.exact import decimal, shortest
from sfa.core.rules import transition
from sfa.core.transitions import Lookup, zone_in
from sfa.crm import edits
from sfa.crm.edits import TRUSTED
from sfa.db.cells import Cell
from sfa.db.looking import load_below, looking
from sfa.db.writes import Door, Origin
from sfa.profit.deal import quotes
from sfa.profit.deal.quotes import Line, Offer

LINES, KIND = "deal_lines", "proposal.accept"
_FIELDS = ("position", "product_key", "quantity", "unit_price_minor", "discount_bp")


class Won(Struct, frozen=True, kw_only=True):
    """`end` counts the deal's ends; `changed` is false where it had been won at just this. `unmet` are the criteria
    that it did not fulfil, in words, and `reopened` whether an end was reversed for it."""

    end: int
    changed: bool
    reopened: bool
    unmet: tuple[str, ...]
    quote: int


class Sold(Struct, frozen=True, kw_only=True):
    """What was accepted of which version. `quote` is the one that was frozen as it was sent, at `sent_at`."""

    proposal_key: str
    version: int
    offer: Offer
    quote: int | None
    sent_at: int


def win(door: Door, deal: Cell, sold: Sold, origin: Origin) -> Won:
    """Refuses `proposal_closed` where the deal can be won no more."""
    offer, lookup = sold.offer, looking(door)
    quote = _frozen(door, deal, sold)
    load_below(door, LINES, (deal.key,))
    is_same = _says(door, deal, offer)
    if deal.row["closed_at"] is not None and is_same:
        _sign(door, deal, origin, lookup)
        return Won(end=_ends(deal), changed=False, reopened=False, unmet=(), quote=quote)
    reopened = deal.row["closed_at"] is not None
    if reopened:
        _reopen(door, deal, origin, lookup)
    _become(door, deal, sold, origin)
    unmet = deal_states.unmet(deal.row, None, origin.at, lookup.on(deal.key))
    _close(door, deal, origin, lookup)
    _sign(door, deal, origin, lookup)
    told = tuple(f"{one.stage_key}: {one.text}" for one in unmet)
    return Won(end=_ends(deal), changed=True, reopened=reopened, unmet=told, quote=quote)


def _ends(deal: Cell) -> int:
    return len(deal.row["closings"] or ()) + 1


# -- the quote ---------------------------------------------------------------------------------------------------------


def _frozen(door: Door, deal: Cell, sold: Sold) -> int:
    """The deal's last quote says what was accepted, at the costs of the day on which it was sent."""
    return quotes.freeze(door, deal, sold.offer, None, sold.sent_at)


# -- lines and amount --------------------------------------------------------------------------------------------------


def _lines_of(door: Door, deal: Cell) -> list[Cell]:
    return [cell for cell in door.alike(LINES, ("deal_key",), (deal.key,)) if cell.exists]


def _same(product: str, quantity: str, price: int, discount: int) -> tuple[Any, ...]:
    return product, shortest(decimal(quantity)), price, discount


def _of_row(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return _same(row["product_key"], row["quantity"], row["unit_price_minor"], row["discount_bp"])


def _of_line(line: Line) -> tuple[Any, ...]:
    return _same(line.product_key, line.quantity, line.unit_price_minor, line.discount_bp)


def _says(door: Door, deal: Cell, offer: Offer) -> bool:
    """Whether the deal has this amount and these lines, in whatever order."""
    if (deal.row["amount_minor"], deal.row["currency"]) != (offer.amount_minor, offer.currency):
        return False
    there = sorted(_of_row(cell.row) for cell in _lines_of(door, deal))
    return there == sorted(_of_line(line) for line in offer.lines)


def _become(door: Door, deal: Cell, sold: Sold, origin: Origin) -> None:
    offer = sold.offer
    said: dict[str, Any] = {"amount_minor": offer.amount_minor, "currency": offer.currency}
    if offer.payment_days is not None:
        said["payment_days"] = offer.payment_days
    changed = {field: value for field, value in said.items() if deal.row[field] != value}
    if changed:
        edits.update(door, TRUSTED, deal, changed, origin, kind=KIND)
    spare: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in sorted(_lines_of(door, deal), key=lambda c: (c.row["position"], c.key)):
        spare.setdefault(_of_row(cell.row), []).append(cell)
    for line in offer.lines:
        if spare.get(_of_line(line)):
            spare[_of_line(line)].pop(0)  # it says that already
        else:
            _add(door, deal, sold, line, origin)
    for cell in (cell for cells in spare.values() for cell in cells):
        door.delete(cell, origin, KIND)


def _add(door: Door, deal: Cell, sold: Sold, line: Line, origin: Origin) -> None:
    """Under a key that follows from what was accepted, or the next one that is free: anybody could reckon the first."""
    values = {name: getattr(line, name) for name in _FIELDS}
    for key in _keys(sold, line):
        cell = door.cell(LINES, key)
        if cell.rev == 0 or (cell.gone and cell.row["deal_key"] == deal.key):
            door.put(cell, {**values, "deal_key": deal.key}, origin, KIND)
            return


def _keys(sold: Sold, line: Line) -> Iterable[str]:
    n = 0
    while True:
        said = f"{sold.proposal_key}:{sold.version}:{line.key}:{n}"
        yield f"dl-{sha256(said.encode()).hexdigest()[:40]}"
        n += 1


# -- states ------------------------------------------------------------------------------------------------------------


def _stages(kind: str, deal: Cell, at: int, lookup: Lookup) -> list[str]:
    """Those that are offered to the deal, its own pipeline's first; all of that kind where none is."""
    stages, pipeline = lookup.every("stages"), deal.row.get("pipeline_key")
    offered = deal_states.in_order(stages, pipeline, local_day(at, zone_in(lookup)), kind)
    own = [key for key in offered if stages[key].get("pipeline_key") is not None]
    return own or offered


def _close(door: Door, deal: Cell, origin: Origin, lookup: Lookup) -> None:
    """Won by the same rule as by a person; without the row's own key it asks no criteria."""
    offered = _stages("won", deal, origin.at, lookup)
    if not offered:
        raise Refused("proposal_closed", "there is no stage in which this deal can be won")
    done = transition("deal.win", deal.row, {"stage_key": offered[0]}, origin.at, lookup)
    assert done.illegal is None  # it is open by now
    edits.update(door, TRUSTED, deal, done.values, origin, kind="deal.win")


def _reopen(door: Door, deal: Cell, origin: Origin, lookup: Lookup) -> None:
    """Stored before anything else changes, so that what was credited is reversed as it stood."""
    offered = _stages("open", deal, origin.at, lookup)
    if not offered:
        raise Refused("proposal_closed", "there is no stage in which this deal can be open")
    done = transition("deal.reopen", deal.row, {"stage_key": offered[-1]}, origin.at, lookup)
    assert done.illegal is None
    edits.update(door, TRUSTED, deal, done.values, origin, kind="deal.reopen")
    door.flush()


def _sign(door: Door, deal: Cell, origin: Origin, lookup: Lookup) -> None:
    """A buyer has signed: where credit comes with the signature, it comes now."""
    if deal.row["signed_at"] is None:
        done = transition("deal.sign", deal.row, {}, origin.at, lookup)
        edits.update(door, TRUSTED, deal, done.values, origin, kind="deal.sign")
