"""The document: one frozen value that holds everything that is printed, and its canonical digest (R46, R50).

Whatever a reader sees (PDF, preview, page, mail, JSON) is made of this value and of nothing else: it is neither read
again from rows nor priced again. Cost and margin never enter it (R45). Texts are what people wrote: `text` fields are
Markdown of the few kinds that `proposals.templates` prints, all others are plain. Pictures and fonts are named by
their digest.
"""

from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from sfa.core.fields import Currency, Day
from sfa.core.pricing.values import Discount, Due, Key, Priced, Tax

Language = Annotated[str, Meta(pattern=r"^(en|es|pt-BR)\Z")]
Colour = Annotated[str, Meta(pattern=r"^#[0-9a-f]{6}\Z")]
Hex = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Plain = Annotated[str, Meta(max_length=500)]
Rich = Annotated[str, Meta(max_length=50_000)]
LINES_MAX, SECTIONS_MAX, PICTURES_MAX, ENCLOSURES_MAX = 2_000, 100, 20, 20


class Picture(Struct, frozen=True):
    """A stored raster image (PNG or JPEG) and what it shows, for who cannot see it."""

    sha256: Hex
    media_type: Annotated[str, Meta(pattern=r"^image/(png|jpeg)\Z")]
    width: Annotated[int, Meta(ge=1, le=10_000)]
    height: Annotated[int, Meta(ge=1, le=10_000)]
    alt: Plain


class Brand(Struct, frozen=True, kw_only=True):
    """`primary` is for headings and rules, `accent` for what stands out; both are checked for contrast when set."""

    logo: Picture | None = None
    primary: Colour = "#1f3a5f"
    accent: Colour = "#b4541a"
    footer: Plain = ""


class Party(Struct, frozen=True, kw_only=True):
    """A company and whom of it this is about."""

    name: Plain
    person: Plain = ""
    title: Plain = ""
    address: tuple[Plain, ...] = ()
    email: Plain = ""
    phone: Plain = ""
    tax_id: Plain = ""
    website: Plain = ""


class Item(Struct, frozen=True, kw_only=True):
    """What is said of a line beside its amounts, which stand at the same place in `priced.lines`. `unit_price_minor`
    and `discounts` are as offered; `group` and `optional` say what the buyer may choose."""

    key: Key
    section: Key | None = None
    name: Plain
    text: Rich = ""
    sku: Plain = ""
    unit: Plain = ""
    unit_price_minor: int
    discounts: tuple[Discount, ...] = ()
    tax: Tax | None = None
    optional: bool = False
    group: Key | None = None
    quantity_min: str | None = None
    quantity_max: str | None = None
    quantity_step: str | None = None


class Section(Struct, frozen=True, kw_only=True):
    """A chapter: a heading, its text and pictures, then its lines if it has any."""

    key: Key
    title: Plain
    text: Rich = ""
    pictures: tuple[Picture, ...] = ()


class Enclosure(Struct, frozen=True, kw_only=True):
    """A stored file that goes with the document: named here by its content, so that no other one can take its place."""

    name: Plain
    media_type: Annotated[str, Meta(max_length=125)]
    size: Annotated[int, Meta(ge=1)]
    sha256: Hex


class TemplateRef(Struct, frozen=True):
    """Which template prints it: its key, version, and the digest of all its files."""

    key: Key
    version: Annotated[int, Meta(ge=1)]
    digest: Hex


class Document(Struct, frozen=True, kw_only=True):
    """`number` is null in a draft, which the document says on every page. `zone` is the one that `valid_until` (its
    last whole day) is meant in (R47). `version` counts what was sent, from 1. `sections` are in order of print; lines
    without a section come first. `rounding` and `rounding_per` say how amounts were rounded (R35). `consent` is
    what the company has buyers agree to; not written at all where it says nothing, as before there was such a text."""

    format: int = 1
    template: TemplateRef
    language: Language
    number: Annotated[str, Meta(max_length=40)] | None
    version: Annotated[int, Meta(ge=1)]
    title: Plain
    issued_on: Day
    valid_until: Day
    zone: Plain
    seller: Party
    buyer: Party
    author: Party
    brand: Brand
    summary: Rich = ""
    sections: tuple[Section, ...] = ()
    items: tuple[Item, ...] = ()
    currency: Currency
    tax_inclusive: bool
    rounding: str
    rounding_per: str
    priced: Priced
    terms: Rich = ""
    closing: Rich = ""
    enclosures: tuple[Enclosure, ...] = ()
    consent: Annotated[str, Meta(max_length=2_000)] | UnsetType = UNSET

    @property
    def dues(self) -> tuple[Due, ...]:
        return self.priced.dues


def canonical(document: Document) -> bytes:
    """The one way to write it as JSON: fields in the order above, nothing left out, UTF-8."""
    return msgspec.json.encode(document)


def digest_of(document: Document) -> str:
    """Names the document: equal documents, and no others, have equal digests (SHA-256, hex)."""
    return sha256(canonical(document)).hexdigest()
