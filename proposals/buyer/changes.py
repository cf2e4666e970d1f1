"""What differs between two documents, as a buyer would see it (pure): kinds, places and values, and no words.

Everything that a buyer can see is compared, but for what differs with every version: its number, when it was issued,
and which layout prints it. So nothing of a new version can be changed without being told.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from sqlalchemy import Connection, func, select

from proposals.buyer.links import BUYER, Link
from proposals.document import Document, Item, Party, Section
from sfa.core.pricing.values import PricedLine
from sfa.db.tables import proposal_links

# of the whole
LANGUAGE, TITLE, PARTY, BRAND, SUMMARY = "language", "title", "party", "brand", "summary"
VALIDITY, ZONE, TERMS, CLOSING, ORDER = "validity", "zone", "terms", "closing", "order"
CURRENCY, TAX_INCLUDED, DISCOUNT, NET, TAX, TOTAL = "currency", "tax_included", "discount", "net", "tax", "total"
PAYMENT, ENCLOSURE_ADDED, ENCLOSURE_DROPPED = "payment", "enclosure_added", "enclosure_dropped"
# of a section
SECTION_ADDED, SECTION_DROPPED, SECTION_TITLE = "section_added", "section_dropped", "section_title"
SECTION_TEXT, SECTION_PICTURES = "section_text", "section_pictures"
# of a line
LINE_ADDED, LINE_DROPPED, LINE_NAME, LINE_TEXT = "line_added", "line_dropped", "line_name", "line_text"
LINE_PRICE, LINE_QUANTITY, LINE_UNIT = "line_price", "line_quantity", "line_unit"
LINE_DISCOUNT, LINE_TAX, LINE_OPTION, LINE_AMOUNT = "line_discount", "line_tax", "line_option", "line_amount"
KINDS = (
    *(LANGUAGE, TITLE, PARTY, BRAND, SUMMARY, SECTION_ADDED, SECTION_DROPPED, SECTION_TITLE, SECTION_TEXT),
    *(SECTION_PICTURES, LINE_ADDED, LINE_DROPPED, LINE_NAME, LINE_TEXT, LINE_UNIT, LINE_QUANTITY, LINE_PRICE),
    *(LINE_DISCOUNT, LINE_TAX, LINE_OPTION, LINE_AMOUNT, ORDER, CURRENCY, TAX_INCLUDED, DISCOUNT, NET, TAX, TOTAL),
    *(PAYMENT, VALIDITY, ZONE, TERMS, CLOSING, ENCLOSURE_ADDED, ENCLOSURE_DROPPED),
)
# Their values are minor units, each in the currency of its own document.
AMOUNTS = frozenset({DISCOUNT, NET, TAX, TOTAL, LINE_ADDED, LINE_DROPPED, LINE_PRICE, LINE_DISCOUNT, LINE_AMOUNT})
Value = str | int | None


class Change(Struct, frozen=True, kw_only=True):
    """`place` is the key of a line or a section, of a party which it is, or null; `name` what it is called (now, or
    before where it is gone). `before` and `after` are minor units where `kind` is one of AMOUNTS, days and texts as the
    documents have them otherwise (of LINE_TAX its name, of LINE_OPTION `fixed`, `optional` or the group's key), and
    both null or alike where what differs cannot be said in one value."""

    kind: str
    place: str | None = None
    name: str = ""
    before: Value = None
    after: Value = None


def between(old: Document, new: Document) -> list[Change]:
    """In the order in which a reader meets it; empty where a buyer sees no difference."""
    return [
        *_said(LANGUAGE, old.language, new.language),
        *_said(TITLE, old.title, new.title),
        *_parties(old, new),
        *_unsaid(BRAND, old.brand, new.brand),
        *_said(SUMMARY, old.summary, new.summary),
        *_sections(old, new),
        *_lines(old, new),
        *_unsaid(ORDER, *_orders(old, new)),
        *_sums(old, new),
        *_unsaid(PAYMENT, old.dues, new.dues),
        *_said(VALIDITY, old.valid_until, new.valid_until),
        *_said(ZONE, old.zone, new.zone),
        *_said(TERMS, old.terms, new.terms),
        *_said(CLOSING, old.closing, new.closing),
        *_enclosures(old, new),
    ]


def previous_of(connection: Connection, link: Link) -> int | None:
    """The last version before the link's that its recipient was sent (of a link that was handed over: that was handed
    over); None where it is the first."""
    here = proposal_links.c
    whose = here.recipient_key.is_not_distinct_from(link.recipient_key)
    of = (here.proposal_key == link.proposal_key, here.version < link.version, here.kind == BUYER)
    found: int | None = connection.execute(select(func.max(here.version)).where(*of, whose)).scalar()
    return found


def _said(kind: str, before: Value, after: Value, place: str | None = None, name: str = "") -> Iterator[Change]:
    if before != after:
        yield Change(kind=kind, place=place, name=name, before=before, after=after)


def _unsaid(kind: str, before: object, after: object, place: str | None = None, name: str = "") -> Iterator[Change]:
    """What differs cannot be said in one value."""
    if before != after:
        yield Change(kind=kind, place=place, name=name)


def _parties(old: Document, new: Document) -> Iterator[Change]:
    pairs: Iterable[tuple[str, Party, Party]] = (
        ("seller", old.seller, new.seller),
        ("buyer", old.buyer, new.buyer),
        ("author", old.author, new.author),
    )
    for which, before, after in pairs:
        if before != after:
            yield Change(kind=PARTY, place=which, name=after.name, before=before.name, after=after.name)


def _sections(old: Document, new: Document) -> Iterator[Change]:
    before = {one.key: one for one in old.sections}
    for now in new.sections:
        was = before.get(now.key)
        if was is None:
            yield Change(kind=SECTION_ADDED, place=now.key, name=now.title, after=now.title)
        else:
            yield from _section(was, now)
    kept = {one.key for one in new.sections}
    for was in old.sections:
        if was.key not in kept:
            yield Change(kind=SECTION_DROPPED, place=was.key, name=was.title, before=was.title)


def _section(was: Section, now: Section) -> Iterator[Change]:
    yield from _said(SECTION_TITLE, was.title, now.title, now.key, now.title)
    yield from _said(SECTION_TEXT, was.text, now.text, now.key, now.title)
    yield from _unsaid(SECTION_PICTURES, was.pictures, now.pictures, now.key, now.title)


def _lines(old: Document, new: Document) -> Iterator[Change]:
    before = {item.key: (item, line) for item, line in zip(old.items, old.priced.lines, strict=True)}
    for item, line in zip(new.items, new.priced.lines, strict=True):
        was = before.get(item.key)
        if was is None:
            yield Change(kind=LINE_ADDED, place=item.key, name=item.name, after=line.amount_minor)
        else:
            yield from _line(*was, item, line)
    kept = {item.key for item in new.items}
    for item, line in zip(old.items, old.priced.lines, strict=True):
        if item.key not in kept:
            yield Change(kind=LINE_DROPPED, place=item.key, name=item.name, before=line.amount_minor)


def _line(was: Item, cost: PricedLine, now: Item, costs: PricedLine) -> Iterator[Change]:
    at = (now.key, now.name)
    yield from _said(LINE_NAME, was.name, now.name, *at)
    yield from _unsaid(LINE_TEXT, (was.text, was.sku), (now.text, now.sku), *at)
    yield from _said(LINE_UNIT, was.unit, now.unit, *at)
    yield from _said(LINE_QUANTITY, cost.quantity, costs.quantity, *at)
    yield from _said(LINE_PRICE, was.unit_price_minor, now.unit_price_minor, *at)
    if (was.discounts, cost.discount_minor) != (now.discounts, costs.discount_minor):
        yield _change(LINE_DISCOUNT, at, cost.discount_minor, costs.discount_minor)
    if was.tax != now.tax:
        yield _change(LINE_TAX, at, was.tax.name if was.tax else None, now.tax.name if now.tax else None)
    if _choice(was, cost) != _choice(now, costs):
        yield _change(LINE_OPTION, at, _option(was), _option(now))
    yield from _said(LINE_AMOUNT, cost.amount_minor, costs.amount_minor, *at)


def _change(kind: str, at: tuple[str, str], before: Value, after: Value) -> Change:
    return Change(kind=kind, place=at[0], name=at[1], before=before, after=after)


def _choice(item: Item, line: PricedLine) -> tuple[object, ...]:
    """What the buyer may choose of it, and whether it counts until then."""
    return item.optional, item.group, item.quantity_min, item.quantity_max, item.quantity_step, line.counts


def _option(item: Item) -> str:
    return item.group or ("optional" if item.optional else "fixed")


def _orders(old: Document, new: Document) -> tuple[list[object], list[object]]:
    """Where what is in both stands: sections among each other, lines in their sections."""
    sections = {one.key for one in old.sections} & {one.key for one in new.sections}
    lines = {item.key for item in old.items} & {item.key for item in new.items}
    ordered: list[list[object]] = []
    for document in (old, new):
        found: list[object] = [one.key for one in document.sections if one.key in sections]
        found += [(item.key, item.section) for item in document.items if item.key in lines]
        ordered.append(found)
    return ordered[0], ordered[1]


def _sums(old: Document, new: Document) -> Iterator[Change]:
    before, after = old.priced, new.priced
    yield from _said(CURRENCY, old.currency, new.currency)
    yield from _said(TAX_INCLUDED, int(old.tax_inclusive), int(new.tax_inclusive))
    yield from _said(DISCOUNT, before.discount_minor, after.discount_minor)
    yield from _said(NET, before.net_minor, after.net_minor)
    if (before.tax_minor, before.taxes) != (after.tax_minor, after.taxes):
        yield Change(kind=TAX, before=before.tax_minor, after=after.tax_minor)
    yield from _said(TOTAL, before.total_minor, after.total_minor)


def _enclosures(old: Document, new: Document) -> Iterator[Change]:
    for file in new.enclosures:
        if file not in old.enclosures:
            yield Change(kind=ENCLOSURE_ADDED, name=file.name, after=file.name)
    for file in old.enclosures:
        if file not in new.enclosures:
            yield Change(kind=ENCLOSURE_DROPPED, name=file.name, before=file.name)
