"""What a snapshot keeps of a deal, a person, a tree, a period (R27): documents, as JSON that is the same for the same.

A deal is kept with what it brings to a forecast and what that is derived from: whose it is, its stage and category, its
parts, its products and its credits, each credit with what it was worth at the rate of its own day. Trees are kept as
dated edges, so that a snapshot can say who was where on any day up to its own. Nothing here asks for anything that is
not in a document: what is read back is what was frozen.
Pure. Does not do: reading rows (`taking`), storing (`kept`), what a period makes of them (`stands`).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from sfa.core.forecast import category_of, parts_of
from sfa.core.money import BP_WHOLE
from sfa.deals.figures import total

DEAL, DONE = "deal", "done"
FORM = 2
# in this order they are counted, given out and digested; `done` is a deal that is closed, awaits no credit and all of
# whose credits were in the past: it changes rarely, and who asks for a later period need not look at it
KINDS = (DEAL, DONE, "user", "team", "territory", "product", "period", "organisation")


class Part(Struct, frozen=True, array_like=True, gc=False):
    """[person, overlay, share, amount in the deal's currency]"""

    user_key: str
    overlay: bool
    share_bp: int
    amount_minor: int | None


class CreditPart(Struct, frozen=True, array_like=True, gc=False):
    """[end, person, overlay, reversal, day, day of the rate, territory, share, amount, currency, in the report's
    currency at the rate of its day: null where there was none]"""

    n: int
    user_key: str
    overlay: bool
    reversal: bool
    on: str
    rated_on: str
    territory_key: str | None
    share_bp: int
    amount_minor: int | None
    currency: str | None
    report_minor: int | None


class Deal(Struct, frozen=True, omit_defaults=True, gc=False):
    """`state` is open, won or lost; `category` and `probability_bp` are of an open one, as they counted that day.
    `parts` are of an open one too, and of one that is won and that nobody is credited with yet (`is_awaited`).
    `products` are [product, total of its lines], by which money is shared out; none where one is negative."""

    name: str
    owner_key: str
    stage_key: str
    state: str = "open"
    account_key: str | None = None
    territory_key: str | None = None
    category: str | None = None
    probability_bp: int = 0
    amount_minor: int | None = None
    currency: str | None = None
    close_on: str | None = None
    closed_on: str | None = None
    parts: tuple[Part, ...] = ()
    products: tuple[tuple[str, int], ...] = ()
    credits: tuple[CreditPart, ...] = ()

    @property
    def is_awaited(self) -> bool:
        """Whether it is won, and the event that credits it has not happened (R17)."""
        return self.state == "won" and bool(self.parts)


class Place(Struct, frozen=True, array_like=True):
    """[what it lies in, null for nothing, from, until before, role in a team]"""

    above: str | None
    valid_from: str
    valid_to: str | None
    role: str | None = None


class Named(Struct, frozen=True, omit_defaults=True):
    """A person with his role and the teams he was in, a team or territory with what it lay under, a product. `gone`: it
    was deleted, and only tells where money of earlier days lies."""

    name: str
    active: bool = True
    role: str | None = None
    places: tuple[Place, ...] = ()
    gone: bool = False


class Span(Struct, frozen=True):
    """A fiscal period."""

    name: str
    kind: str
    start_on: str
    end_on: str


class Firm(Struct, frozen=True):
    """The company: where its days begin, and the currency that it reports in. `form`: what documents of that day say;
    since 2 they tell what is won and awaits its credit."""

    zone: str
    currency: str
    form: int = 1


_ENCODER = msgspec.json.Encoder()
_DEAL = msgspec.json.Decoder(Deal)
_NAMED = msgspec.json.Decoder(Named)
_SPAN = msgspec.json.Decoder(Span)
_FIRM = msgspec.json.Decoder(Firm)


def written(document: Deal | Named | Span | Firm) -> str:
    return _ENCODER.encode(document).decode()


def deal_read(text: str) -> Deal:
    return _DEAL.decode(text)


def named_read(text: str) -> Named:
    return _NAMED.decode(text)


def span_read(text: str) -> Span:
    return _SPAN.decode(text)


def firm_read(text: str) -> Firm:
    return _FIRM.decode(text)


def deal_of(
    row: Mapping[str, Any],
    stage: Mapping[str, Any] | None,
    lines: Sequence[Mapping[str, Any]],
    credits_: Iterable[CreditPart],
    territory: str | None,
    closed_on: str | None,
    *,
    awaits: bool = False,
) -> Deal:
    """The document of a deal's row. `stage` is null where its row is gone: such a deal is as open as it says. `awaits`:
    a rule credits at another event than winning, so that what is won may be credited to nobody yet."""
    is_open = row["closed_at"] is None
    state = "open" if is_open else "won" if stage is not None and stage["kind"] == "won" else "lost"
    known = tuple(sorted(credits_, key=lambda c: (c.n, c.user_key, c.overlay, c.reversal)))
    is_shared = is_open or (awaits and state == "won" and not standing_ends(known))
    return Deal(
        name=row["name"],
        owner_key=row["owner_key"],
        stage_key=row["stage_key"],
        state=state,
        account_key=row["account_key"],
        territory_key=territory,
        category=category_of(row["category"], stage["category"] if stage is not None else None) if is_open else None,
        probability_bp=stage["probability_bp"] if is_open and stage is not None else 0,
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        close_on=row["close_on"],
        closed_on=closed_on,
        parts=_parts(row) if is_shared else (),
        products=_products(lines),
        credits=known,
    )


def standing_ends(credits_: Iterable[CreditPart]) -> tuple[int, ...]:
    """The ends among these credits that are not taken back among them."""
    ends = {credit.n for credit in credits_ if not credit.reversal}
    return tuple(sorted(ends - {credit.n for credit in credits_ if credit.reversal})) if ends else ()


def _parts(row: Mapping[str, Any]) -> tuple[Part, ...]:
    if not row["splits"] and not row["overlays"]:  # as `parts_of` says of most deals, without asking
        return (Part(row["owner_key"], False, BP_WHOLE, row["amount_minor"]),)
    return tuple(Part(*msgspec.structs.astuple(part)) for part in parts_of(row))


def _products(lines: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for line in lines:
        found[line["product_key"]] = found.get(line["product_key"], 0) + total([line])
    return tuple(sorted(found.items())) if min(found.values(), default=0) >= 0 else ()


def kind_of(deal: Deal, today: str) -> str:
    """Whether a deal is done with, or may still count in days that come."""
    later = any(credit.on >= today for credit in deal.credits)
    return DEAL if deal.state == "open" or deal.is_awaited or later else DONE


def digest_of(documents: Iterable[tuple[str, str, str]]) -> str:
    """sha256, in hexadecimal, over (kind, key, document) in the order of `KINDS` and keys, one line each."""
    found = hashlib.sha256()
    for kind, key, text in documents:
        found.update(f"{kind} {key} {text}\n".encode())
    return found.hexdigest()
