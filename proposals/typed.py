"""An offer as somebody types it, or another program writes it: lines with prices, and who offers what to whom.

It is a document without what pricing and templates add: `document_of` prices it and says with what it is printed. What
is not said is empty; an offer of today is valid for thirty days. Pictures are named by their digest.
"""

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from proposals.document import Brand, Document, Item, Language, Party, Plain, Rich, Section
from proposals.templates.template import BUILT_IN, Base, Template
from sfa.core.days import plus_days
from sfa.core.errors import Refused
from sfa.core.fields import Currency, Day
from sfa.core.pricing.reckoning import price
from sfa.core.pricing.values import Deposit, Discount, Instalment, Line, Offer, Rounds, RoundsPer

VALID_DAYS = 30


class TypedLine(Line, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line with what is said of it; the key may be left out."""

    key: str = ""
    name: Plain
    text: Rich = ""
    sku: Plain = ""
    unit: Plain = ""


class TypedOffer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    title: Plain
    language: Language = "en"
    template: Base = "classic"
    number: str | None = None
    version: int = 1
    issued_on: Day | UnsetType = UNSET
    valid_until: Day | UnsetType = UNSET
    zone: Plain = "UTC"
    seller: Party
    buyer: Party
    author: Party | UnsetType = UNSET
    brand: Brand = Brand()
    summary: Rich = ""
    sections: tuple[Section, ...] = ()
    lines: tuple[TypedLine, ...]
    currency: Currency
    tax_inclusive: bool = False
    rounding: Rounds = "half_up"
    rounding_per: RoundsPer = "line"
    discounts: tuple[Discount, ...] = ()
    deposit: Deposit | None = None
    instalments: tuple[Instalment, ...] = ()
    terms: Rich = ""
    closing: Rich = ""


def read(data: bytes, today: str) -> tuple[Document, Template | None]:
    """A document, or what is typed as one with its template. Refuses `document_invalid` and what pricing refuses."""
    try:
        whole = msgspec.json.decode(data)
        if isinstance(whole, dict) and "priced" in whole:
            return msgspec.json.decode(data, type=Document), None
        typed = msgspec.json.decode(data, type=TypedOffer)
    except msgspec.DecodeError as error:
        raise Refused("document_invalid", f"neither a document nor an offer: {error}") from error
    return document_of(typed, today), BUILT_IN[typed.template]


def document_of(typed: TypedOffer, today: str) -> Document:
    lines = [
        msgspec.structs.replace(line, key=line.key or f"line-{place}") for place, line in enumerate(typed.lines, 1)
    ]
    issued_on = typed.issued_on if isinstance(typed.issued_on, str) else today
    return Document(
        template=BUILT_IN[typed.template].ref,
        issued_on=issued_on,
        valid_until=typed.valid_until if isinstance(typed.valid_until, str) else plus_days(issued_on, VALID_DAYS),
        author=typed.author if isinstance(typed.author, Party) else Party(name=""),
        items=tuple(_same(line, Item) for line in lines),
        priced=price(Offer(lines=tuple(_same(line, Line) for line in lines), **_fields(typed, Offer, but="lines"))),
        **_fields(typed, Document, but="template issued_on valid_until author"),
    )


def _same(line: TypedLine, kind: Any) -> Any:
    return kind(**_fields(line, kind))


def _fields(value: Struct, kind: type[Struct], but: str = "") -> dict[str, Any]:
    names = set(value.__struct_fields__) & set(kind.__struct_fields__) - set(but.split())
    return {name: getattr(value, name) for name in sorted(names)}
