"""What templates see: the document's content with every amount, day, share and quantity already written as text.

Nothing is computed here but how things read: sums come from `document.priced`. All texts are either `Markup` made by
`rich`, or plain text that autoescape covers. A template can reach the fields of these values and nothing else.
"""

from markupsafe import Markup
from msgspec import Struct


class Picture(Struct, frozen=True, kw_only=True):
    address: str
    alt: str
    width: int
    height: int


class Party(Struct, frozen=True, kw_only=True):
    name: Markup
    person: Markup
    title: Markup
    address: tuple[Markup, ...]
    email: str
    phone: str
    tax_id: Markup
    website: str


class Line(Struct, frozen=True, kw_only=True):
    """`state` is `plain`, `optional`, `optional_chosen`, `choice` or `choice_chosen`; `counts` says whether it is in
    the total. `amount` is what the line comes to, `list_amount` that before discounts, where they differ."""

    number: int
    name: Markup
    text: Markup
    sku: Markup
    unit: Markup
    quantity: str
    quantity_note: str
    unit_price: str
    discounts: tuple[str, ...]
    tax: str
    amount: str
    list_amount: str
    state: str
    counts: bool


class Block(Struct, frozen=True, kw_only=True):
    """Lines that stand together: a one-of group has `choice`, its heading."""

    choice: str
    lines: tuple[Line, ...]


class Part(Struct, frozen=True, kw_only=True):
    """A section: what it says, then its lines. `anchor` is where the contents lead; `counts` says whether any of its
    lines is in the total; `lines` are those of all blocks."""

    anchor: str = ""
    title: Markup
    text: Markup = Markup("")
    pictures: tuple[Picture, ...] = ()
    blocks: tuple[Block, ...] = ()
    subtotal: str = ""
    counts: bool = True

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(line for block in self.blocks for line in block.lines)


class Row(Struct, frozen=True):
    """A row of the totals: `kind` is subtotal, discount, after, net, tax or total."""

    kind: str
    label: str
    amount: str


class Due(Struct, frozen=True):
    label: str
    when: str
    amount: str


class Enclosure(Struct, frozen=True):
    name: Markup
    size: str


class Chapter(Struct, frozen=True):
    anchor: str
    title: Markup


class Slice(Struct, frozen=True):
    title: Markup
    share: str
    amount: str


class Chart(Struct, frozen=True):
    """`picture` is an SVG that says in its title what it shows; `note` is the caption of its legend."""

    picture: Markup
    slices: tuple[Slice, ...]
    note: str


class Sheet(Struct, frozen=True, kw_only=True):
    """The whole of it. `number` is empty in a draft; `groups` and `extras` are the choices again, by themselves."""

    draft: bool
    language: str
    number: str
    version: int
    title: Markup
    plain_title: str
    issued: str
    valid_until: str
    zone: str
    currency: str
    amounts_note: str
    total_note: str
    seller: Party
    buyer: Party
    author: Party
    logo: Picture | None
    footer: Markup
    summary: Markup
    chart: Chart | None
    parts: tuple[Part, ...]
    shows_tax: bool
    has_options: bool
    groups: tuple[Part, ...]
    extras: Part
    rows: tuple[Row, ...]
    total: str
    dues: tuple[Due, ...]
    terms: Markup
    enclosures: tuple[Enclosure, ...]
    closing: Markup
    chapters: tuple[Chapter, ...]
